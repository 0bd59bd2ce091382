"""What a run of traffic lights tells its readers, from its Parquet tables and its result."""

import numpy as np

from ss_core.analysis.run_data import RunData
from ss_core.report.assemble import RunSummary
from ss_core.report.charts import Bar, Series, bar_chart, line_chart
from ss_core.report.key_figures import Kpis
from ss_core.report.labels import in_order, role_of, title_of
from ss_core.report.learning import Score
from ss_core.report.page_model import Chart, Item, KeyFigure, Part, Section, Table, Text
from trafficsim.signals.results.labels import LABELS, ROWS

FIGURES = {
    "mean_travel_time_s": ("Mean travel time", "s"),
    "mean_waiting_time_s": ("Waiting per trip", "s"),
    "mean_queue_veh": ("Mean queue", "vehicles"),
    "throughput_veh_per_h": ("Arrivals", "per hour"),
}
TIME = "mean_travel_time_s"
BEFORE = "fixed"


def run_summary(data: RunData) -> RunSummary:
    """The part of a run's page that is about lights.

    Raises:
        CorruptError: a table cannot be read.
    """
    algorithm = data.algorithm
    kpis = Kpis(data, "held-out episodes")
    lights = data.table("agent", ["kind"], {"kind": "junction"})
    part = Part(
        question=f"{len(lights)} traffic lights learn from each other’s suggestions: do cars get "
        "through sooner than under fixed programs?",
        verdict=_verdict(data, kpis, algorithm),
        picture=_bars(kpis, TIME),
        figures=tuple(_figure(kpis, algorithm, kpi) for kpi in FIGURES),
        sections=(_section(data, kpis),),
    )
    return RunSummary(
        title=f"Traffic-light run {data.block['run_id']}",
        part=part,
        labels=LABELS,
        rows=ROWS,
        score=Score(
            metric=f"held_out_{TIME}", title="mean travel time, s", over="held-out episodes"
        ),
        gap_formula="",
        algorithm=algorithm,
        trust=[Text(str(note)) for note in data.result.get("notes", [])],
    )


def _verdict(data: RunData, kpis: Kpis, algorithm: str) -> str:
    ours, fixed = kpis.value(algorithm, TIME), kpis.value(BEFORE, TIME)
    if np.isnan(ours):
        return "This run has no scores yet: run the same command again to let it finish."
    name = title_of(LABELS, algorithm)
    said = f"Under {name} a trip takes {ours:.1f} s, {fixed:.1f} s under fixed programs"
    compared = data.result.get("compared", {}).get(BEFORE)
    if not compared:
        return f"{said}."
    change, low, high = (float(one) for one in compared)
    sure = "" if low > 0 or high < 0 else ", within noise"
    return f"{said}: {change:+.1f} s [{low:+.1f}, {high:+.1f}] over the same episodes{sure}."


def _figure(kpis: Kpis, algorithm: str, kpi: str) -> KeyFigure:
    label, unit = FIGURES[kpi]
    value, before = kpis.value(algorithm, kpi), kpis.value(BEFORE, kpi)
    known = "–" if np.isnan(value) else f"{value:.1f} {unit}"
    detail = "" if np.isnan(before) else f"fixed programs {before:.1f} {unit}"
    return KeyFigure(label=label, value=known, detail=detail)


def _bars(kpis: Kpis, kpi: str) -> Chart | None:
    label, unit = FIGURES[kpi]
    found = {name: kpis.interval(name, kpi) for name in in_order(ROWS, kpis.rows)}
    bars = [
        Bar(label=title_of(LABELS, n), role=role_of(LABELS, n), value=value, low=low, high=high)
        for n, (value, low, high) in found.items()
        if not np.isnan(value)
    ]
    if not bars:
        return None
    listed = ", ".join(f"{one.label} {one.value:.1f}" for one in bars)
    return Chart(
        slug=kpi.replace("_", "-"),
        title=f"{label}, who decides about the lights",
        alt=f"{label} in {unit}: {listed}.",
        panels=(bar_chart(bars, value_title=f"{label.lower()}, {unit}"),),
        table=Table(
            columns=("lights", f"{label.lower()}, {unit}", "from", "to"),
            rows=[(one.label, one.value, one.low, one.high) for one in bars],
            caption="Means over held-out episodes, 95 % bootstrap intervals",
        ),
        height_px=110 + 40 * len(bars),
    )


def _section(data: RunData, kpis: Kpis) -> Section:
    charts: list[Item | None] = [_bars(kpis, kpi) for kpi in list(FIGURES)[1:]]
    charts.append(_distribution(data))
    items = tuple(chart for chart in charts if chart is not None)
    return Section(
        slug="lights",
        title="How cars fare",
        items=items or (Text("Nothing was scored."),),
    )


def _distribution(data: RunData) -> Chart | None:
    rows = data.table("trip", ["algorithm", "travel_time_s"])
    shown = in_order(ROWS, map(str, rows["algorithm"].unique()))
    if not shown:
        return None
    percent = np.linspace(0.0, 100.0, 101)
    times = {
        name: np.nanpercentile(rows.loc[rows["algorithm"] == name, "travel_time_s"], percent)
        for name in shown
    }
    series = [
        Series(name=title_of(LABELS, n), role=role_of(LABELS, n), x=times[n], y=percent)
        for n in shown
    ]
    medians = ", ".join(f"{title_of(LABELS, name)} {times[name][50]:.0f} s" for name in shown)
    return Chart(
        slug="travel-times",
        title="How long trips take: the further left the line, the better",
        alt=f"Share of trips that take at most a given time. Medians: {medians}.",
        panels=(line_chart(series, x_title="travel time, s", y_title="trips done by then, %"),),
        table=Table(
            columns=("trips, %", *(f"{title_of(LABELS, name)}, s" for name in shown)),
            rows=[tuple(map(float, row)) for row in zip(percent, *times.values(), strict=True)],
        ),
    )
