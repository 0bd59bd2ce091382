"""Travel times of drivers, who gains and who loses, and which routes they take over the days."""

from collections.abc import Mapping

import numpy as np

from ss_core.analysis.run_data import Frame, RunData
from ss_core.report.charts import (
    Figure,
    Role,
    Series,
    line_chart,
    plain,
    point_chart,
    stacked_areas,
)
from ss_core.report.labels import role_of, title_of
from ss_core.report.page_model import Chart, Item, Section, Table, Text
from trafficsim.results.labels import LABELS, under

MOST_ROUTES = 7  # shown by name; the rest together
EQUAL_S = 0.5  # more or less counts as equal


def drivers_section(data: RunData, selfish: str, algorithm: str, shown: tuple[str, ...]) -> Section:
    """Distribution of travel times; drivers and zone pairs against the equilibrium.

    Raises:
        CorruptError: a table cannot be read.
    """
    title = "Who gains, who loses"
    columns = ["algorithm", "vehicle_id", "origin", "destination", "travel_time_s", "is_agent"]
    rows = data.table("trip", columns, {"algorithm": list(shown)})
    if rows.empty:
        text = "Trips of single drivers need trace level agent or full."
        return Section(slug="drivers", title=title, items=(Text(text),))
    items: list[Item] = [_distribution(rows, selfish, algorithm, shown)]
    if {selfish, algorithm} <= set(rows["algorithm"]):
        trips = _side_by_side(rows, selfish, algorithm)
        items += [_gains(trips, algorithm), _by_pair(trips, algorithm)]
    return Section(slug="drivers", title=title, items=tuple(items))


def _distribution(rows: Frame, selfish: str, algorithm: str, shown: tuple[str, ...]) -> Chart:
    percent = np.linspace(0.0, 100.0, 101)
    times = {
        name: np.percentile(own, percent)
        for name in shown
        if len(own := rows.loc[rows["algorithm"] == name, "travel_time_s"])
    }
    series = [
        Series(name=title_of(LABELS, n), role=role_of(LABELS, n), x=one, y=percent)
        for n, one in times.items()
    ]
    medians = ", ".join(f"{title_of(LABELS, n)} {one[50]:.0f} s" for n, one in times.items())
    pair = [name for name in (selfish, algorithm) if name in times]
    halves = ", ".join(f"{times[name][50]:.0f} s {under(name, selfish)}" for name in pair)
    return Chart(
        slug="travel-times",
        title=f"Half of the trips take at most {halves}",
        alt=f"Share of trips that take at most a given time, per policy. Medians: {medians}.",
        panels=(line_chart(series, x_title="travel time, s", y_title="trips done by then, %"),),
        table=Table(
            columns=("trips, %", *(f"{title_of(LABELS, name)}, s" for name in times)),
            rows=[tuple(map(float, row)) for row in zip(percent, *times.values(), strict=True)],
        ),
        note="The further left a line, the better; held-out days together.",
    )


def _side_by_side(rows: Frame, selfish: str, algorithm: str) -> Frame:
    """A row per vehicle: means over days `before` and `after`, and what it `saved`."""
    means = rows.pivot_table(index="vehicle_id", columns="algorithm", values="travel_time_s")
    known = rows.drop_duplicates("vehicle_id").set_index("vehicle_id")
    before, after = means[selfish], means[algorithm]
    pair = known["origin"] + " → " + known["destination"]
    return known.assign(pair=pair, before=before, after=after, saved=before - after)


def _gains(trips: Frame, algorithm: str) -> Chart:
    name = title_of(LABELS, algorithm)
    gains, loses = int((trips["saved"] > EQUAL_S).sum()), int((trips["saved"] < -EQUAL_S).sum())
    title = f"{gains} drivers arrive earlier under {name} than at the equilibrium, {loses} later"
    kinds: list[tuple[str, Role, Frame]] = [
        ("drivers who choose", role_of(LABELS, algorithm), trips[trips["is_agent"]]),
        ("other traffic", "uncontrolled", trips[~trips["is_agent"]]),
    ]
    kinds = [one for one in kinds if len(one[2])]
    figure = point_chart(
        {
            kind: (role, one["before"].to_numpy(), one["after"].to_numpy())
            for kind, role, one in kinds
        },
        x_title="travel time at the equilibrium, s",
        y_title=f"travel time under {name}, s",
        diagonal=True,
    )
    for trace, (_, _, one) in zip(figure["data"], kinds, strict=False):  # then the diagonal
        trace["text"] = list(map(plain, one.index))
    ordered = trips.sort_values("saved", kind="stable")[["before", "after", "saved"]]
    return Chart(
        slug="drivers-gain",
        title=title,
        alt=f"{title}; means over the held-out days, one point per driver.",
        panels=(figure,),
        table=Table(
            columns=("driver", "equilibrium, s", f"{name}, s", "saved, s"),
            rows=list(ordered.itertuples(name=None)),
            caption="Those who lose most first",
        ),
        note="Points below the dotted line gain; half a second more or less counts as equal.",
    )


def _by_pair(trips: Frame, algorithm: str) -> Table:
    groups = trips.assign(gain=trips["saved"] > EQUAL_S, lose=trips["saved"] < -EQUAL_S).groupby(
        "pair"
    )
    means = groups[["before", "after", "saved"]].mean().sort_values("saved", kind="stable")
    counts = groups[["gain", "lose"]].sum().assign(count=groups.size()).loc[means.index]
    return Table(
        columns=(
            *("from → to", "drivers", "gain", "lose", "equilibrium, s"),
            *(f"{title_of(LABELS, algorithm)}, s", "saved, s"),
        ),
        rows=list(
            zip(
                means.index,
                *(counts[key].astype(int).tolist() for key in ("count", "gain", "lose")),
                *(means[key].astype(float).tolist() for key in ("before", "after", "saved")),
                strict=True,
            )
        ),
        caption="By zone pair, those who lose most first; means over drivers and held-out days",
    )


def routes_section(data: RunData, selfish: str, algorithm: str) -> Section:
    """How drivers spread over routes, day by day.

    Raises:
        CorruptError: a table cannot be read.
    """
    title = "Which routes they take"
    rows = data.table(
        "route_choice",
        ["algorithm", "day", "route", "free_flow_s"],
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
        items=(_shares_chart(rows, shown, selfish),),
    )


def _shares_chart(rows: Frame, shown: list[str], selfish: str) -> Chart:
    counts = rows.groupby(["algorithm", "day", "route"]).size()
    share = 100 * counts / counts.groupby(["algorithm", "day"]).transform("sum")
    common = rows["route"].value_counts().index[:MOST_ROUTES]  # of both policies together
    free_s = rows.groupby("route")["free_flow_s"].first()
    panels, lines, most = [], [], []
    for name in shown:
        frame = share[name].unstack(fill_value=0.0).reindex(columns=free_s.index, fill_value=0.0)
        layers = {f"route {r} ({free_s[r]:.0f} s when empty)": frame[r] for r in common}
        rest = frame.drop(columns=common).sum(axis=1)
        layers |= {"all others": rest} if len(free_s) > len(common) else {}
        panels.append(_days_chart(title_of(LABELS, name), layers))
        lines += [(title_of(LABELS, name), key, float(one.mean())) for key, one in layers.items()]
        most.append(f"{frame[common[0]].mean():.0f} % {under(name, selfish)}")
    return Chart(
        slug="route-shares",
        title=f"Route {common[0]} is taken by {', '.join(most)}",
        alt="Stacked shares of routes over the held-out days, one picture per policy; mean of "
        f"route {common[0]}: {', '.join(most)}.",
        panels=tuple(panels),
        table=Table(columns=("policy", "route", "drivers, mean of days, %"), rows=lines),
        height_px=420,
    )


def _days_chart(title: str, layers: Mapping[str, Frame]) -> Figure:
    """Shares of each day as a block as wide as the day."""
    days = next(iter(layers.values())).index.to_numpy(dtype=float)
    edges = np.stack([days - 0.5, days + 0.5], axis=1).ravel()
    blocks = {name: np.repeat(one.to_numpy(), 2) for name, one in layers.items()}
    figure = stacked_areas(edges, blocks, x_title="held-out day", y_title="drivers, %")
    figure["layout"]["title"] = {"text": plain(title), "x": 0, "xanchor": "left"}
    figure["layout"]["xaxis"] |= {"tickformat": "d"} | ({"dtick": 1} if len(days) <= 12 else {})
    return figure
