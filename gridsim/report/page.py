"""What a grid run tells its readers, from its Parquet tables alone: demand, price, audit."""

import numpy as np

from gridsim.references.same_information import SELFISH_BY_RULE
from gridsim.report.bills import bills_section
from gridsim.report.feeder_map import feeder_section
from gridsim.report.instruments import instruments_section
from gridsim.results.labels import LABELS, ROWS
from ss_core.analysis.run_data import Frame, RunData
from ss_core.report.assemble import RunSummary
from ss_core.report.charts import Series, line_chart
from ss_core.report.key_figures import Kpis
from ss_core.report.labels import in_order, role_of, title_of
from ss_core.report.learning import Score
from ss_core.report.page_model import Chart, Item, KeyFigure, Part, Section, Table, Text

SELFISH = "nash"
HELD_OUT = "held-out days"
PEAK = "evening peak"


def hours_axis(first_hour: int) -> dict[str, list]:
    """Ticks of a day that begins at an hour, in hours since midnight before it."""
    ticks = list(range(first_hour, first_hour + 25, 4))
    return {"tickvals": ticks, "ticktext": [f"{hour % 24}:00" for hour in ticks]}


def run_summary(data: RunData) -> RunSummary:
    """The grid's part of a run's page.

    Raises:
        CorruptError: a table cannot be read.
    """
    algorithm = data.algorithm
    kpis = Kpis(data, HELD_OUT)
    demand = demand_of(data)
    part = Part(
        question=f"{data.config['households']} households share one transformer: can suggestions "
        f"alone keep the {_peak_name(demand)} down?",
        verdict=_verdict(kpis, algorithm),
        picture=_hardest_day(demand, data, algorithm),
        figures=_figures(kpis, algorithm),
        sections=(
            _demand_section(demand, data),
            feeder_section(
                data, {SELFISH: title_of(LABELS, SELFISH), algorithm: title_of(LABELS, algorithm)}
            ),
            bills_section(data, algorithm),
            *instruments_section(data, kpis, algorithm),
        ),
    )
    return RunSummary(
        title=f"Grid run {data.block['run_id']}",
        part=part,
        labels=LABELS,
        rows=ROWS,
        score=Score(
            metric="held_out_cost_eur_per_household", title="cost, EUR per household and day"
        ),
        gap_formula="(C_Nash − C) / (C_Nash − C_optimum), of the costs of all households",
        algorithm=algorithm,
        trust=_audit(data),
    )


def _verdict(kpis: Kpis, algorithm: str) -> str:
    name = title_of(LABELS, algorithm)
    peak = kpis.value(algorithm, "peak_kw"), kpis.value(SELFISH, "peak_kw")
    if np.isnan(peak).any():
        return "This run has no scores yet: run the same command again to let it finish."
    moved = f"the daily peak is {peak[0]:.1f} kW instead of {peak[1]:.1f} kW"
    gap, low, high = (100 * one for one in kpis.interval(algorithm, "gap_closed"))
    if np.isnan(gap):
        return (
            "No dilemma here: households that look after themselves come within 3 % of the best "
            f"plan, so there is no gap to close. Under {name} {moved}."
        )
    does = "recovers" if low > 0 else "does not surely recover any" if high > 0 else "recovers none"
    if low > 0:
        return (
            f"{name} {does} {gap:.0f} % [{low:.0f}, {high:.0f}] of what selfish scheduling wastes: "
            f"{moved}."
        )
    return (
        f"{name} {does} of what selfish scheduling wastes: gap closed {gap:.0f} % "
        f"[{low:.0f}, {high:.0f}]; {moved}.{_beside_equals(kpis, algorithm)}"
    )


def _beside_equals(kpis: Kpis, algorithm: str) -> str:
    """What a row saves beside selfish households that know what it knows, where there are any."""
    cost, selfish = (
        kpis.value(row, "cost_eur_per_household") for row in (algorithm, SELFISH_BY_RULE)
    )
    if not cost < selfish:
        return ""
    return (
        " The equilibrium knows the whole day beforehand: beside selfish households that know no "
        f"more than the learners, it saves {selfish - cost:.2f} EUR per household and day."
    )


def _figures(kpis: Kpis, algorithm: str) -> tuple[KeyFigure, ...]:
    def beside(kpi: str, unit: str, digits: int) -> tuple[str, str]:
        value, selfish = kpis.value(algorithm, kpi), kpis.value(SELFISH, kpi)
        return (
            f"{value:.{digits}f} {unit}",
            f"at the selfish equilibrium {selfish:.{digits}f} {unit}",
        )

    cost, cost_selfish = beside("cost_eur_per_household", "EUR", 2)
    peak, peak_selfish = beside("peak_kw", "kW", 1)
    what, kpi = "transformer", "trafo_loading_percent"
    if np.isnan(kpis.value(algorithm, kpi)):
        what, kpi = "line", "line_loading_percent"
    loading, loading_selfish = beside(kpi, "%", 0)
    losers = 100 * kpis.value(algorithm, "share_of_losers")
    return (
        KeyFigure(label="Cost per household and day", value=cost, detail=cost_selfish),
        KeyFigure(label="Daily peak of the feeder", value=peak, detail=peak_selfish),
        KeyFigure(label=f"Highest {what} loading", value=loading, detail=loading_selfish),
        KeyFigure(
            label="Gain, of all household-days",
            value=f"{100 - losers:.0f} %",
            detail=f"{losers:.0f} % pay more than at the selfish equilibrium",
        ),
    )


def demand_of(data: RunData) -> Frame:
    """Demand, price and loading of the feeder, step by step, with the hour of the day."""
    columns = ["algorithm", "day", "step", "sim_time_s", "p_total_kw", "price_eur_per_kwh"]
    rows = data.table("feeder_step", [*columns, "trafo_loading_percent"])
    rows["hour"] = rows["sim_time_s"] / 3600.0
    return rows


def limit_kw(data: RunData) -> tuple[float, str] | None:
    """What the transformers carry together; None for a feeder without."""
    rated = data.table("feeder_branch", ["sn_mva"], {"kind": "trafo"})["sn_mva"].sum()
    if not rated > 0:
        return None
    kw = 1000.0 * float(rated) * float(data.config["power_factor"])
    return kw, f"transformer {1000 * rated:.0f} kVA"


def _farthest(kw: Frame) -> float:
    """The value farthest from 0."""
    return float(kw.loc[kw.abs().idxmax()])


def _peak_name(demand: Frame) -> str:
    selfish = demand[demand["algorithm"] == SELFISH]
    return "peak of feeding in" if len(selfish) and _farthest(selfish["p_total_kw"]) < 0 else PEAK


def hardest_day(demand: Frame) -> int | None:
    """The day with the highest peak at the selfish equilibrium; None without such a row."""
    selfish = demand[demand["algorithm"] == SELFISH]
    if selfish.empty:
        return None
    return int(selfish["p_total_kw"].abs().groupby(selfish["day"]).max().idxmax())


def _hardest_day(demand: Frame, data: RunData, algorithm: str) -> Chart | None:
    day = hardest_day(demand)
    if day is None:
        return None
    series, peaks = [], []
    for name in (SELFISH, algorithm, "optimum"):
        rows = demand[(demand["algorithm"] == name) & (demand["day"] == day)].sort_values("step")
        if len(rows):
            series.append(_steps(name, rows["hour"], rows["p_total_kw"]))
            peaks.append(f"{title_of(LABELS, name)} {_farthest(rows['p_total_kw']):.0f} kW")
    title = "The hardest of the held-out days, before and after"
    return Chart(
        slug="hardest-day",
        title=title,
        alt=f"{title}: demand of the feeder over day {day}; peaks: {', '.join(peaks)}.",
        panels=(_day_chart(series, "demand of the feeder, kW", limit_kw(data)),),
        table=_series_table(series, "kW"),
        note=f"Day {day}: the highest peak at the selfish equilibrium. Peaks: {', '.join(peaks)}.",
    )


def _steps(name: str, hours: Frame, values: Frame) -> Series:
    x, y = hours.to_numpy(), values.to_numpy()
    return Series(name=title_of(LABELS, name), role=role_of(LABELS, name), x=x, y=y, steps=True)


def _day_chart(series: list[Series], y_title: str, limit: tuple[float, str] | None = None) -> dict:
    return line_chart(
        series,
        x_title="time of day",
        y_title=y_title,
        limit=limit,
        x_axis=hours_axis(int(min(np.min(one.x) for one in series))),
        y_axis={"rangemode": "tozero"},
    )


def _series_table(series: list[Series], unit: str) -> Table:
    clock = (
        [
            f"{int(hour) % 24:02d}:{round(hour % 1 * 60):02d}"
            for hour in np.asarray(series[0].x, float)
        ]
        if series
        else []
    )
    columns = [np.asarray(one.y, dtype=float) for one in series]
    return Table(
        columns=("time of day", *(f"{one.name}, {unit}" for one in series)),
        rows=[
            (at, *map(float, row))
            for at, row in zip(clock, zip(*columns, strict=True), strict=True)
        ],
    )


def _demand_section(demand: Frame, data: RunData) -> Section:
    mean = demand.groupby(["algorithm", "hour"], sort=True).mean(numeric_only=True).reset_index()
    items: list[Item] = []
    for kpi, slug, title, unit, limit in (
        (
            "p_total_kw",
            "demand",
            "Demand over the day, mean of the held-out days",
            "kW",
            limit_kw(data),
        ),
        (
            "price_eur_per_kwh",
            "price",
            "Price of energy over the day: it follows demand",
            "EUR/kWh",
            None,
        ),
    ):
        series = [
            _steps(name, rows["hour"], rows[kpi])
            for name in in_order(ROWS, map(str, mean["algorithm"].unique()))
            if len(rows := mean[mean["algorithm"] == name])
        ]
        if series:
            highest = ", ".join(f"{one.name} {np.max(one.y):.3g} {unit}" for one in series)
            chart = _day_chart(series, f"{slug}, {unit}", limit)
            items.append(
                Chart(
                    slug=slug, title=title, alt=f"{title}. Highest: {highest}.", panels=(chart,),
                    table=_series_table(series, unit),
                )
            )  # fmt: skip
    return Section(
        slug="day",
        title="Demand and price",
        intro="Every row plays the same held-out days: same weather, same cars, same washing.",
        items=tuple(items) or (Text("No demand was traced."),),
    )


def _audit(data: RunData) -> list[Item]:
    """What pandapower, as referee, and the optimum's certificate say."""
    columns = ["algorithm", "kpi", "value", "unit", "scope"]
    rows = data.table("kpi", columns, {"scope": ["audit", "certificate"]})
    notes = [Text(str(note)) for note in data.result.get("notes", [])]
    if rows.empty:
        return [*notes]
    names = [
        (title_of(LABELS, row.algorithm), row.scope, row.kpi, float(row.value), row.unit)
        for row in rows.itertuples()
    ]
    table = Table(
        columns=("row", "scope", "figure", "value", "unit"),
        rows=names,
        caption="Steps solved again by pandapower, and how well the references are known",
    )
    return [*notes, table]
