"""Several runs on one page: gap closed, learning, every key figure with its differences."""

from collections.abc import Sequence

import numpy as np

from ss_core.analysis.comparison import (
    Compared,
    RunFigures,
    compare,
    groups_of,
    settings_that_differ,
)
from ss_core.analysis.run_data import RunData
from ss_core.report.assemble import FOOTER, RunSummary
from ss_core.report.charts import Bar, Role, Series, bar_chart, line_chart
from ss_core.report.labels import title_of
from ss_core.report.page import html_page
from ss_core.report.page_model import Chart, Item, KeyFigure, Page, Part, Section, Table, Text
from ss_core.report.run_figures import figures_of
from ss_core.statistics import Interval

Runs = Sequence[tuple[RunData, RunSummary]]
ROLES: tuple[Role, ...] = ("ours", "equilibrium", "best", "selfish", "planner", "uncontrolled")


def comparison_page(runs: Runs) -> bytes:
    """The page of several runs of one world as a file.

    Raises:
        InputError: fewer than two runs, or runs of different tasks.
        CorruptError: a table cannot be read.
    """
    groups = groups_of([figures_of(data) for data, _ in runs])
    names = group_names(groups)
    records = compare(groups)
    summary = runs[0][1]
    headline = _headline(records, summary)
    part = Part(
        question=f"How do {len(runs)} runs of {runs[0][0].task} differ?",
        verdict=_verdict(headline, names),
        picture=_headline_chart(headline, names),
        figures=tuple(
            KeyFigure(label=name, value=_shown(value), detail=_change(change))
            for name, value, change in list(_cells(headline, names))[:4]
        ),
    )
    sections = (
        _figures_section(records, names, summary),
        _settings_section(groups, names),
        _learning_section(runs, summary),
        _runs_section(groups, names),
    )
    title = f"Comparison of {len(runs)} runs"
    return html_page(Page(title=title, part=part, sections=sections, footer=FOOTER))


def group_names(groups: Sequence[Sequence[RunFigures]]) -> list[str]:
    """A letter for each group, with the seeds where there are several."""
    return [
        f"{chr(ord('A') + at)} ({len(group)} seeds)" if len(group) > 1 else
        f"{chr(ord('A') + at)} (seed {group[0].seed})"
        for at, group in enumerate(groups)
    ]  # fmt: skip


def _headline(records: Sequence[Compared], summary: RunSummary) -> Compared | None:
    """The figure that says most: the gap closed by the learned row, else its first figure."""
    own = [one for one in records if one.algorithm == summary.algorithm]
    gaps = [one for one in own if one.kpi == "gap_closed"]
    return next(iter(gaps or own or records), None)


def _cells(
    one: Compared | None, names: Sequence[str]
) -> list[tuple[str, Interval | None, Interval | None]]:
    if one is None:
        return []
    return list(zip(names, one.values, one.differences, strict=True))


def _verdict(headline: Compared | None, names: Sequence[str]) -> str:
    if headline is None:
        return "These runs share no key figure."
    said = [
        f"{name} {_shown(value)}" + (f", {_change(change)}" if change else "")
        for name, value, change in _cells(headline, names)
    ]
    return f"{headline.kpi.replace('_', ' ')} of {headline.algorithm}: {'; '.join(said)}."


def _change(change: Interval | None) -> str:
    if change is None:
        return ""
    apart = "" if change.low > 0 or change.high < 0 else ", within noise"
    return f"differs from A by {_shown(change)}{apart}"


def _shown(value: Interval | None) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}"


def _headline_chart(headline: Compared | None, names: Sequence[str]) -> Chart | None:
    if headline is None:
        return None
    shown = [(name, value) for name, value, _ in _cells(headline, names) if value is not None]
    bars = [
        Bar(
            label=name, role=ROLES[at % len(ROLES)], value=value.estimate,
            low=value.low, high=value.high,
        )
        for at, (name, value) in enumerate(shown)
    ]  # fmt: skip
    what = f"{headline.kpi.replace('_', ' ')} of {headline.algorithm}"
    listed = ", ".join(f"{name} {_shown(value)}" for name, value in shown)
    return Chart(
        slug="headline",
        title=f"{what}, run by run",
        alt=f"Bars of {what}: {listed}.",
        panels=(bar_chart(bars, value_title=f"{what}, {headline.unit}"),),
        table=Table(
            columns=("runs", "value", "from", "to"),
            rows=[(name, value.estimate, value.low, value.high) for name, value in shown],
        ),
        height_px=110 + 40 * len(bars),
    )


def _figures_section(
    records: Sequence[Compared], names: Sequence[str], summary: RunSummary
) -> Section:
    rows = [
        (
            title_of(summary.labels, one.algorithm), one.kpi, one.unit,
            *(_shown(value) for value in one.values),
            *(_shown(change) for change in one.differences[1:]),
        )
        for one in records
    ]  # fmt: skip
    others = tuple(f"{name} less {names[0]}" for name in names[1:])
    table = Table(columns=("row", "figure", "unit", *names, *others), rows=rows)
    return Section(
        slug="figures",
        title="Every key figure",
        intro="Values with 95 % intervals. Runs that differ in the seed only are one column: "
        "interquartile mean and bootstrap over seeds. The difference of single runs has the root "
        "of the sum of both squared half widths.",
        items=(table,),
    )


def _settings_section(groups: Sequence[Sequence[RunFigures]], names: Sequence[str]) -> Section:
    differ = settings_that_differ(groups)
    item: Item = Text("They have the same settings and differ in the seed only.")
    if differ:
        item = Table(columns=("setting", *names), rows=[(name, *values) for name, values in differ])
    return Section(slug="settings", title="What was set differently", items=(item,))


def _learning_section(runs: Runs, summary: RunSummary) -> Section:
    where = {"name": summary.score.metric}
    series, rows = [], []
    for at, (data, own) in enumerate(runs):
        table = data.table("metric", ["algorithm", "update", "value"], where)
        table = table[table["algorithm"] == own.algorithm].sort_values("update")
        if len(table):
            name = f"{data.folder.resolve().name}"
            x, y = table["update"].to_numpy(float), table["value"].to_numpy(float)
            series.append(Series(name=name, role=ROLES[at % len(ROLES)], x=x, y=y))
            rows += [(name, int(a), float(b)) for a, b in zip(x, y, strict=True)]
    if not series:
        return Section(slug="learning", title="How they learned", items=(Text("No metrics."),))
    ends = ", ".join(f"{one.name} {np.asarray(one.y)[-1]:.4g}" for one in series)
    chart = Chart(
        slug="learning-all",
        title=f"{summary.score.title}, while learning",
        alt=f"{summary.score.title} per update; at the end {ends}.",
        panels=(line_chart(series, x_title="update", y_title=summary.score.title),),
        table=Table(columns=("run", "update", summary.score.title), rows=rows),
    )
    return Section(slug="learning", title="How they learned", items=(chart,))


def _runs_section(groups: Sequence[Sequence[RunFigures]], names: Sequence[str]) -> Section:
    rows = [
        (name, run.name, run.seed)
        for name, group in zip(names, groups, strict=True)
        for run in group
    ]
    table = Table(columns=("column", "run", "seed"), rows=rows)
    return Section(slug="made", title="Which runs these are", items=(table,))
