"""The page of a world that has no chapters of its own: key figures by row, before and after."""

import numpy as np

from ss_core.analysis.run_data import RunData
from ss_core.report.assemble import RunSummary
from ss_core.report.charts import Bar, bar_chart
from ss_core.report.key_figures import Kpis
from ss_core.report.labels import in_order, role_of, title_of
from ss_core.report.learning import Score
from ss_core.report.page_model import Chart, KeyFigure, Part, Table
from ss_core.scenario.protocol import Column, Scenario

FIGURES_SHOWN = 4


def plain_summary(scenario: Scenario, data: RunData) -> RunSummary:
    """What a run's page says, from the columns of the scenario's table alone.

    Raises:
        CorruptError: a table cannot be read.
    """
    kpis = Kpis(data, scenario.scope)
    first = scenario.columns[0]
    title = title_of(scenario.labels, data.algorithm)
    part = Part(
        question=f"A run of {scenario.name}: {first.title} under {title}?",
        verdict=_verdict(scenario, kpis, first, data.algorithm),
        picture=_bars(scenario, kpis, first),
        figures=tuple(
            KeyFigure(label=column.title, value=_said(kpis, data.algorithm, column))
            for column in scenario.columns[:FIGURES_SHOWN]
        ),
    )
    return RunSummary(
        title=f"{scenario.name} run {data.block['run_id']}",
        part=part,
        labels=scenario.labels,
        rows=scenario.rows,
        score=Score(metric=f"held_out_{first.figure}", title=first.title, over=scenario.scope),
        gap_formula="(C_baseline − C) / (C_baseline − C_best)" if scenario.best else "",
        algorithm=data.algorithm,
    )


def _said(kpis: Kpis, row: str, column: Column) -> str:
    value = column.scale * kpis.value(row, column.figure)
    return "–" if np.isnan(value) else f"{value:.{column.digits or 3}f}"


def _verdict(scenario: Scenario, kpis: Kpis, column: Column, algorithm: str) -> str:
    ours, before = (_said(kpis, row, column) for row in (algorithm, scenario.baseline))
    if ours == "–":
        return "This run has no scores yet: run the same command again to let it finish."
    titles = [title_of(scenario.labels, row) for row in (algorithm, scenario.baseline)]
    return f"{column.title}: {ours} under {titles[0]}, {before} under {titles[1]}."


def _bars(scenario: Scenario, kpis: Kpis, column: Column) -> Chart | None:
    found = {row: kpis.interval(row, column.figure) for row in in_order(scenario.rows, kpis.rows)}
    bars = [
        Bar(
            label=title_of(scenario.labels, row),
            role=role_of(scenario.labels, row),
            value=value,
            low=low,
            high=high,
        )
        for row, (value, low, high) in found.items()
        if not np.isnan(value)
    ]
    if not bars:
        return None
    listed = ", ".join(f"{one.label} {one.value:.3g}" for one in bars)
    return Chart(
        slug="figures",
        title=f"{column.title}, by policy",
        alt=f"{column.title}: {listed}.",
        panels=(bar_chart(bars, value_title=column.title),),
        table=Table(
            columns=("policy", column.title, "from", "to"),
            rows=[(one.label, one.value, one.low, one.high) for one in bars],
            caption=f"Means over {scenario.scope}, 95 % bootstrap intervals",
        ),
        height_px=110 + 40 * len(bars),
    )
