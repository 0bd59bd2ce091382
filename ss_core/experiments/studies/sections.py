"""The sections of a study's page: responses, who gains, which policy leads, where no dilemma is."""

from collections.abc import Sequence

from ss_core.experiments.studies.answer import (
    Answer,
    figure_words,
    from_to,
    measure_of,
    numbers,
    unit_words,
)
from ss_core.experiments.studies.responses import (
    Level,
    changes,
    interval_of,
    is_more_better,
    levels_of,
    ranking,
    relative_gap,
    response,
    values_of,
    without_dilemma,
)
from ss_core.experiments.studies.results import GAP, StudyResults
from ss_core.report import charts
from ss_core.report.charts import Bar, Role, bar_chart, line_chart
from ss_core.report.labels import in_order, title_of
from ss_core.report.page_model import (
    Chart,
    Item,
    Section,
    Table,
)
from ss_core.scenario.protocol import Scenario

MOST_FIGURES = 7  # pictures of an axis
LOSERS = "share_of_losers"
STATISTIC = (
    "Lines are interquartile means over seeds and all values of the other axes, bands their 95 % "
    "bootstrap intervals over these runs."
)


def response_chart(
    results: StudyResults, scenario: Scenario, answer: Answer, *, slug: str
) -> Chart:
    """The answer's figure by the levels of its axis, a line for each policy drawn."""
    words, unit = figure_words(answer.figure, scenario), answer.unit
    title_y = f"{words}{unit_words(unit)}"
    said = "; ".join(
        f"{title_of(scenario.labels, name)} {from_to(answer, one)}"
        for name, one in answer.series.items()
    )
    first, last = answer.levels[0].label, answer.levels[-1].label
    above = results.spec.above if answer.figure == results.spec.figure else None
    limit = None if above is None else (above, f"{above:g} {unit}")
    rows = [
        (title_of(scenario.labels, name), level.label, *numbers(one), len(level.runs))
        for name, series in answer.series.items()
        for level, one in zip(answer.levels, series, strict=True)
    ]
    return Chart(
        slug=slug,
        title=f"{words} by {answer.axis}",
        alt=f"{words} from {answer.axis} {first} to {last}: {said}.",
        panels=(_panel(scenario, answer, title_y, limit, results),),
        table=Table(columns=("policy", answer.axis, words, "from", "to", "runs"), rows=rows),
    )


def _panel(
    scenario: Scenario,
    answer: Answer,
    title_y: str,
    limit: tuple[float, str] | None,
    results: StudyResults,
) -> charts.Figure:
    nan = float("nan")
    ends = {
        name: tuple(
            [nan if one is None else getattr(one, end) for one in series]
            for end in ("estimate", "low", "high")
        )
        for name, series in answer.series.items()
    }
    if any(level.x is None for level in answer.levels):
        groups: dict[str, tuple[Role, list[float]]] = {
            title_of(scenario.labels, name): (answer.drawn[name], y)
            for name, (y, _, _) in ends.items()
        }
        whiskers = {
            title_of(scenario.labels, name): (low, high) for name, (_, low, high) in ends.items()
        }
        labels = [level.label for level in answer.levels]
        return charts.grouped_bars(labels, groups, value_title=title_y, intervals=whiskers)
    key = {name: key for key, name in results.spec.columns.items()}[answer.axis]
    is_log = any(axis.log for axis in results.spec.axes if axis.key == key)
    return line_chart(
        [
            charts.Series(
                name=title_of(scenario.labels, name),
                role=answer.drawn[name],
                x=[level.x or 0.0 for level in answer.levels],
                y=y,
                low=low,
                high=high,
            )
            for name, (y, low, high) in ends.items()
        ],
        x_title=answer.axis,
        y_title=title_y,
        limit=limit,
        x_axis={"type": "log"} if is_log else None,
    )


def axis_section(results: StudyResults, scenario: Scenario, answer: Answer, axis: str) -> Section:
    """The response of the world's key figures to one axis."""
    levels = levels_of(results, axis)
    shown = [one.figure for one in scenario.columns if one.figure in results.units]
    figures = list(dict.fromkeys([GAP, answer.figure, *shown]))
    found = [one for one in figures if one in results.units][: MOST_FIGURES + 1]
    items: list[Item] = []
    for figure in found:
        series = {
            name: one
            for name in answer.drawn
            if any(one := response(levels, values_of(results, figure, name)))
        }
        if figure == GAP:
            ends = (scenario.baseline, scenario.best)
            series = {name: one for name, one in series.items() if name not in ends}
        one = Answer(
            figure=figure, unit=results.units[figure], axis=axis, levels=levels,
            drawn=answer.drawn, series=series,
        )  # fmt: skip
        if series and not (figure == answer.figure and axis == answer.axis):
            slug = f"{axis}-{figure}".replace("_", "-").lower()
            items.append(response_chart(results, scenario, one, slug=slug))
    base, best = (title_of(scenario.labels, name) for name in (scenario.baseline, scenario.best))
    scale = f" Gap closed is 0 at {base} and 1 at {best}." if GAP in results.units else ""
    return Section(
        slug=f"axis-{axis}".replace("_", "-").lower(),
        title=f"What {axis} changes",
        intro=f"{STATISTIC}{scale}",
        items=tuple(items),
    )


def gains_section(results: StudyResults, scenario: Scenario, answer: Answer) -> Section:
    """Each policy against the baseline, run by run."""
    figure, base = measure_of(results, scenario), scenario.baseline
    before = values_of(results, figure, base)
    better = 1.0 if is_more_better(figure) else -1.0
    words, unit = figure_words(figure, scenario), unit_words(results.units[figure])
    rows, bars = [], []
    for name in in_order(scenario.rows, results.algorithms):
        found = changes(values_of(results, figure, name), before)
        change = interval_of(list(found.values()))
        if name == base or change is None:
            continue
        gains, losses = (sum(s * better * one > 0 for one in found.values()) for s in (1, -1))
        rows.append(
            (
                title_of(scenario.labels, name), *numbers(change), gains, losses,
                *_losers(results, name),
            )
        )  # fmt: skip
        if name in answer.drawn:
            bars.append(
                Bar(
                    label=title_of(scenario.labels, name), role=answer.drawn[name],
                    value=change.estimate, low=change.low, high=change.high,
                )
            )  # fmt: skip
    title = title_of(scenario.labels, base)
    columns = ("policy", f"change{unit}", "from", "to", "runs that gain", "runs that lose")
    table = Table(
        columns=(*columns, "losers, %") if LOSERS in results.units else columns,
        rows=rows,
        caption=f"{words} less that of {title}",
    )
    items: tuple[Item, ...] = (table,)
    if bars:
        listed = ", ".join(f"{bar.label} {bar.value:.4g}" for bar in bars)
        chart = Chart(
            slug="gains",
            title=f"{words} against {title}",
            alt=f"Change of {words} against {title}: {listed}.",
            panels=(bar_chart(bars, value_title=f"{words} less that of {title}{unit}"),),
            table=table,
            height_px=110 + 40 * len(bars),
        )
        items = (chart, *_losers_chart(results, scenario, answer), table)
    return Section(
        slug="gains-and-losses",
        title="Who gains and who loses",
        intro=f"Every policy against {title}, in the same run: "
        f"{'higher' if better > 0 else 'lower'} is better. Intervals are over runs.",
        items=items,
    )


def _losers(results: StudyResults, name: str) -> tuple[float | None, ...]:
    if LOSERS not in results.units:
        return ()
    one = interval_of(list(values_of(results, LOSERS, name).values()))
    return (None if one is None else round(100 * one.estimate, 1),)


def _losers_chart(results: StudyResults, scenario: Scenario, answer: Answer) -> tuple[Chart, ...]:
    """Who loses, as a response; it is among the pictures of the axis where the table has it."""
    if LOSERS not in results.units or LOSERS in {one.figure for one in scenario.columns}:
        return ()
    series = {
        name: one
        for name in answer.drawn
        if any(one := response(answer.levels, values_of(results, LOSERS, name)))
    }
    one = Answer(
        figure=LOSERS, unit="1", axis=answer.axis, levels=answer.levels, drawn=answer.drawn,
        series=series,
    )  # fmt: skip
    return (response_chart(results, scenario, one, slug="losers"),) if series else ()


def ranking_section(results: StudyResults, scenario: Scenario) -> Section:
    """Which policy leads, ranked within every run."""
    figure = measure_of(results, scenario)
    rows = [
        (
            at, title_of(scenario.labels, one.algorithm), *numbers(one.rank),
            one.first, one.cases,
        )
        for at, one in enumerate(ranking(results, figure), 1)
    ]  # fmt: skip
    table = Table(columns=("place", "policy", "mean rank", "from", "to", "first in", "of"),
                  rows=rows)  # fmt: skip
    direction = "the highest" if is_more_better(figure) else "the lowest"
    return Section(
        slug="ranking",
        title="Which policy leads",
        intro=f"For every seed and point policies are ranked by {figure_words(figure, scenario)}, "
        f"{direction} first; ranks are averaged over these, with 95 % bootstrap intervals. "
        "Policies that only some of them have are left out.",
        items=(table,),
    )


def dilemma_sections(results: StudyResults, scenario: Scenario) -> list[Section]:
    """Where there is nothing to win; worlds without an optimum do not know."""
    if scenario.best is None:
        return []
    figure, items, said = measure_of(results, scenario), list[Item](), list[str]()
    gaps = relative_gap(results, figure, scenario.baseline, scenario.best)
    for axis in results.axes:
        levels = levels_of(results, axis)
        counts = without_dilemma(results, levels)
        series = response(levels, {run: 100 * gap for run, gap in gaps.items()})
        rows = [
            (level.label, none, count, *numbers(one))
            for level, (none, count), one in zip(levels, counts, series, strict=True)
        ]
        said.append(_dilemma_sentence(axis, levels, counts))
        items.append(
            Table(
                columns=(axis, "runs without dilemma", "runs", "to win, %", "from", "to"),
                rows=rows,
                caption=f"By {axis}",
            )
        )
    base, best = (title_of(scenario.labels, name) for name in (scenario.baseline, scenario.best))
    return [
        Section(
            slug="no-dilemma",
            title="Where “no dilemma” begins",
            intro=f"{' '.join(said)} To win: what {best} saves of the "
            f"{figure_words(figure, scenario)} of {base}.",
            items=tuple(items),
        )
    ]


def _dilemma_sentence(axis: str, levels: Sequence[Level], counts: Sequence[tuple[int, int]]) -> str:
    mostly = [
        level.label
        for level, (none, count) in zip(levels, counts, strict=True)
        if count and 2 * none > count
    ]
    if not mostly:
        return f"At every value of {axis} most runs have a dilemma."
    return f"Most runs have none where {axis} is {', '.join(mostly)}."
