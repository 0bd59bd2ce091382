"""What a routing run tells its readers, from its Parquet tables alone: the first screen, trust."""

import numpy as np

from ss_core.analysis.run_data import RunData
from ss_core.report.assemble import RunSummary
from ss_core.report.key_figures import Kpis
from ss_core.report.labels import in_order, title_of
from ss_core.report.learning import Score
from ss_core.report.page_model import Item, KeyFigure, Part, Text
from ss_core.statistics import SMALLEST_GAP
from trafficsim.report.drivers import drivers_section, routes_section
from trafficsim.report.network import delay_chart, network_section, read_streets
from trafficsim.results.labels import LABELS, ROWS

SELFISH = "user_equilibrium"
HELD_OUT = "held-out days"


def run_summary(data: RunData) -> RunSummary:
    """The traffic part of a run's page.

    Raises:
        CorruptError: a table cannot be read.
    """
    algorithm = data.algorithm
    kpis = Kpis(data, HELD_OUT)
    drivers = data.table("agent", ["kind"], {"kind": "vehicle"})
    net = str(data.block["size"])
    streets = read_streets(data, SELFISH, algorithm)
    shown = tuple(in_order(ROWS, dict.fromkeys((SELFISH, "independent", algorithm, "optimum"))))
    part = Part(
        question=f"{len(drivers)} drivers choose their routes through {net}: do suggestions spare "
        "them the jam that everyone’s shortest way makes?",
        verdict=_verdict(kpis, algorithm, data.config["trace"] == "off"),
        picture=delay_chart(streets, SELFISH, algorithm),
        figures=_figures(kpis, algorithm),
        sections=(
            network_section(data, streets, SELFISH, algorithm, shown),
            drivers_section(data, SELFISH, algorithm, shown),
            routes_section(data, SELFISH, algorithm),
        ),
    )
    return RunSummary(
        title=f"Traffic run {data.block['run_id']}",
        part=part,
        labels=LABELS,
        rows=ROWS,
        score=Score(metric="mean_travel_time_s", title="mean travel time, s"),
        gap_formula="(UE − T) / (UE − best found), of the mean travel time T",
        algorithm=algorithm,
        trust=_trust(data),
    )


def _verdict(kpis: Kpis, algorithm: str, traces_off: bool) -> str:
    name = title_of(LABELS, algorithm)
    time = kpis.value(algorithm, "mean_travel_time_s"), kpis.value(SELFISH, "mean_travel_time_s")
    if traces_off:
        return "This run kept no traces (--trace off): there is nothing to draw."
    if np.isnan(time[1]):
        return "This run has no scores yet: run the same command again to let it finish."
    if np.isnan(time[0]):
        return "Fewer than two drivers have a choice here: there is nothing to coordinate."
    moved = f"a trip takes {time[0]:.1f} s instead of {time[1]:.1f} s at the user equilibrium"
    gap, low, high = (100 * one for one in kpis.interval(algorithm, "gap_closed"))
    if np.isnan(gap):
        best_s = kpis.value("optimum", "mean_travel_time_s")
        return (
            f"No dilemma here: selfish drivers need {time[1]:.1f} s, the best that was found "
            f"{best_s:.1f} s, too little apart to be a gap (below {100 * SMALLEST_GAP:.0f} %, or "
            f"noise). Under {name} {moved}."
        )
    if low > 0:
        return (
            f"{name} recovers {gap:.0f} % [{low:.0f}, {high:.0f}] of the time that selfish routing "
            f"wastes: {moved}."
        )
    none = "recovers none" if high < 0 else "does not surely recover any"
    return (
        f"{name} {none} of the time that selfish routing wastes: gap closed {gap:.0f} % "
        f"[{low:.0f}, {high:.0f}]; {moved}."
    )


def _figures(kpis: Kpis, algorithm: str) -> tuple[KeyFigure, ...]:
    def beside(label: str, kpi: str, unit: str, digits: int) -> KeyFigure:
        value, selfish = kpis.value(algorithm, kpi), kpis.value(SELFISH, kpi)
        detail = f"at the user equilibrium {selfish:.{digits}f} {unit}"
        known = "–" if np.isnan(value) else f"{value:.{digits}f} {unit}"
        return KeyFigure(label=label, value=known, detail=detail)

    losers, winners = (
        100 * kpis.value(algorithm, f"share_of_{who}") for who in ("losers", "winners")
    )
    gains = "–" if np.isnan(winners) else f"{winners:.0f} %"
    return (
        beside("Mean travel time", "mean_travel_time_s", "s", 1),
        beside("Slowest twentieth of trips, from", "p95_travel_time_s", "s", 0),
        beside("Lost in traffic per trip", "time_loss_s", "s", 1),
        KeyFigure(
            label="Drivers that gain",
            value=gains,
            detail=""
            if np.isnan(losers)
            else f"{losers:.0f} % take longer than at the equilibrium",
        ),
    )


def _trust(data: RunData) -> list[Item]:
    return [Text(str(note)) for note in data.result.get("notes", [])]
