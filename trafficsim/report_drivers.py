"""Travel times of drivers, who gains and who loses, and which routes they take over the days."""

import numpy as np

from ss_core.report.cast import cast_name, cast_role
from ss_core.report.charts import Numbers, Role, Series, line_chart, point_chart, stacked_areas
from ss_core.report.parts import Chart, Item, Section, Table, Text
from ss_core.report.run_data import Frame, RunData
from trafficsim.cast import CAST

MOST_ROUTES = 7  # shown by name; the rest together


def drivers_section(data: RunData, selfish: str, algorithm: str) -> Section:
    """Distribution of travel times; drivers and zone pairs against the equilibrium."""
    title = "Who gains, who loses"
    rows = data.table(
        "trip",
        ["algorithm", "day", "vehicle_id", "origin", "destination", "travel_time_s", "is_agent"],
    )
    rows = rows[rows["algorithm"].isin(list(CAST))]
    if rows.empty:
        text = "Trips of single drivers need trace level agent or full."
        return Section(slug="drivers", title=title, items=(Text(text),))
    items: list[Item] = [_distribution(rows)]
    if {selfish, algorithm} <= set(rows["algorithm"]):
        means = rows.pivot_table(index="vehicle_id", columns="algorithm", values="travel_time_s")
        items += [
            _gains(means[selfish], means[algorithm], algorithm),
            _by_pair(rows, selfish, algorithm),
        ]
    return Section(slug="drivers", title=title, items=tuple(items))


def _distribution(rows: Frame) -> Chart:
    shown = [name for name in CAST if (rows["algorithm"] == name).any()]
    percent = np.linspace(0.0, 100.0, 101)
    times = {
        name: np.percentile(rows.loc[rows["algorithm"] == name, "travel_time_s"], percent)
        for name in shown
    }
    series = [
        Series(name=cast_name(CAST, n), role=cast_role(CAST, n), x=times[n], y=percent)
        for n in shown
    ]
    medians = ", ".join(f"{cast_name(CAST, name)} {times[name][50]:.0f} s" for name in shown)
    return Chart(
        slug="travel-times",
        title="How long trips take: the further left the line, the better",
        alt=f"Share of trips that take at most a given time, per policy. Medians: {medians}.",
        panels=(line_chart(series, x_title="travel time, s", y_title="trips done by then, %"),),
        table=Table(
            columns=("trips, %", *(f"{cast_name(CAST, name)}, s" for name in shown)),
            rows=[tuple(map(float, row)) for row in zip(percent, *times.values(), strict=True)],
        ),
    )


def _gains(before: Frame, after: Frame, algorithm: str) -> Chart:
    name = cast_name(CAST, algorithm)
    saved = (before - after).to_numpy()
    gains, loses = int((saved > 0.5).sum()), int((saved < -0.5).sum())
    title = f"{gains} drivers arrive earlier under {name} than at the equilibrium, {loses} later"
    points: dict[str, tuple[Role, Numbers, Numbers]] = {
        "driver": (cast_role(CAST, algorithm), before.to_numpy(), after.to_numpy())
    }
    order = np.argsort(saved)
    return Chart(
        slug="drivers-gain",
        title=title,
        alt=f"{title}; means over the held-out days, one point per driver.",
        panels=(
            point_chart(
                points,
                x_title="travel time at the equilibrium, s",
                y_title=f"travel time under {name}, s",
                diagonal=True,
                names=list(before.index),
            ),
        ),
        table=Table(
            columns=("driver", "equilibrium, s", f"{name}, s", "saved, s"),
            rows=[
                (str(before.index[at]), float(before.iloc[at]), float(after.iloc[at]), saved[at])
                for at in order.tolist()
            ],
        ),
        note="Points below the dotted line gain; half a second more or less counts as equal.",
    )


def _by_pair(rows: Frame, selfish: str, algorithm: str) -> Table:
    named = rows.assign(pair=rows["origin"] + " → " + rows["destination"])
    means = named.pivot_table(index="pair", columns="algorithm", values="travel_time_s")
    trips = named[named["algorithm"] == algorithm].groupby("pair")["vehicle_id"].nunique()
    return Table(
        columns=(
            "from → to",
            "drivers",
            "equilibrium, s",
            f"{cast_name(CAST, algorithm)}, s",
            "saved, s",
        ),
        rows=[
            (str(pair), int(trips.get(pair, 0)), before, after, before - after)
            for pair, before, after in zip(
                means.index,
                means[selfish].astype(float),
                means[algorithm].astype(float),
                strict=True,
            )
        ],
        caption="By zone pair, means over drivers and held-out days",
    )


def routes_section(data: RunData, selfish: str, algorithm: str) -> Section:
    """How drivers spread over routes, day by day."""
    title = "Which routes they take"
    rows = data.table(
        "route_choice",
        ["algorithm", "day", "route", "n_edge", "free_flow_s"],
        {"chosen": True, "algorithm": [selfish, algorithm]},
    )
    if rows.empty:
        text = "Route choices need trace level agent or full."
        return Section(slug="routes", title=title, items=(Text(text),))
    shown = [name for name in (selfish, algorithm) if (rows["algorithm"] == name).any()]
    return Section(
        slug="routes",
        title=title,
        intro="Shares of drivers on each route over the held-out days. Routes are numbered as in "
        "the table route_choice; the commonest are shown by number.",
        items=(_shares_chart(rows, shown),),
    )


def _shares_chart(rows: Frame, shown: list[str]) -> Chart:
    counts = rows.groupby(["algorithm", "day", "route"]).size()
    share = 100 * counts / counts.groupby(["algorithm", "day"]).transform("sum")
    frames = {name: share[name].unstack(fill_value=0.0) for name in shown}
    popular = rows["route"].value_counts()  # of both policies together
    common = popular.index[:MOST_ROUTES]
    free_s = rows.groupby("route")["free_flow_s"].first()
    panels, lines = [], []
    for name, frame in frames.items():
        layers = {
            f"route {route} ({free_s[route]:.0f} s when empty)": frame[route].to_numpy()
            for route in common
            if route in frame
        }
        rest = frame.drop(columns=[route for route in common if route in frame]).sum(axis=1)
        layers |= {"all others": rest.to_numpy()} if (rest > 0).any() else {}
        days = frame.index.to_numpy(dtype=float)
        figure = stacked_areas(days, layers, x_title="held-out day", y_title="drivers, %")
        figure["layout"]["title"] = {"text": cast_name(CAST, name), "x": 0, "xanchor": "left"}
        panels.append(figure)
        lines += [
            (cast_name(CAST, name), layer, float(values.mean())) for layer, values in layers.items()
        ]
    return Chart(
        slug="route-shares",
        title="Shares of drivers on each route, day by day",
        alt="Stacked shares of routes over the held-out days, one picture per policy.",
        panels=tuple(panels),
        table=Table(columns=("policy", "route", "drivers, mean of days, %"), rows=lines),
        height_px=420,
    )
