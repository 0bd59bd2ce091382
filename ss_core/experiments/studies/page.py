"""The page of a study: answer, responses, who gains, which policy leads, where no dilemma is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ss_core.errors import ConfigError
from ss_core.experiments.studies.responses import (
    Level,
    Series,
    changes,
    first_above,
    interval_of,
    is_more_better,
    levels_of,
    ranking,
    relative_gap,
    response,
    stays_above,
    values_of,
    without_dilemma,
)
from ss_core.experiments.studies.results import GAP, StudyResults
from ss_core.experiments.studies.spec import shown_value
from ss_core.report import charts
from ss_core.report.charts import Bar, Role, bar_chart, line_chart
from ss_core.report.labels import SELFISH, in_order, label_of, title_of
from ss_core.report.page import html_page
from ss_core.report.page_model import (
    Chart,
    Code,
    Item,
    KeyFigure,
    Page,
    Part,
    Section,
    Table,
    Text,
)
from ss_core.scenario.protocol import Scenario
from ss_core.statistics import Interval

MOST_DRAWN = 6  # policies in a picture
MOST_FIGURES = 7  # pictures of an axis
LOSERS = "share_of_losers"
ROLES: tuple[Role, ...] = ("ours", "equilibrium", "selfish", "best", "planner", "uncontrolled")
FOOTER = (
    "This file is complete in itself: it loads nothing, sends nothing, and may be mailed. All "
    "values are simulated, none is measured."
)
STATISTIC = (
    "Lines are interquartile means over seeds and all values of the other axes, bands their 95 % "
    "bootstrap intervals over these runs."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the page is about: a figure, the policies that are drawn, and its response."""

    figure: str
    unit: str
    axis: str
    levels: Sequence[Level]
    drawn: Mapping[str, Role]  # policy and its colour
    series: Mapping[str, Series]  # by policy


def study_page(results: StudyResults, scenario: Scenario, source: str, statement: str) -> bytes:
    """The page as a file; `statement` is a line of SQL that gives the answer again.

    Raises:
        ConfigError: the file names a key figure that no run has.
        InputError: plotly is not installed.
    """
    spec = results.spec
    if not results.rows:
        return html_page(_empty(results, source))
    answer = answer_of(results, scenario)
    part = Part(
        question=spec.question
        or f"How do {len(results.plan)} runs of {spec.command} respond to "
        f"{', '.join(results.axes)}?",
        verdict=verdict_of(results, scenario, answer),
        picture=_response_chart(results, scenario, answer, slug="answer"),
        figures=tuple(_key_figures(results, scenario, answer)),
    )
    sections = (
        *(
            section
            for axis in results.axes
            if (section := _axis_section(results, scenario, answer, axis)).items
        ),
        _gains_section(results, scenario, answer),
        _ranking_section(results, scenario),
        *_dilemma_sections(results, scenario),
        _runs_section(results),
        _made_section(source, statement),
    )
    title = spec.title or f"Study {spec.name}"
    return html_page(Page(title=title, part=part, sections=sections, footer=FOOTER))


def _empty(results: StudyResults, source: str) -> Page:
    part = Part(
        question=results.spec.question or "What became of the runs?",
        verdict=f"None of {len(results.plan)} runs is complete.",
        picture=None,
        figures=(),
    )
    sections = (_runs_section(results), _made_section(source, ""))
    title = results.spec.title or f"Study {results.spec.name}"
    return Page(title=title, part=part, sections=sections, footer=FOOTER)


def measure_of(results: StudyResults, scenario: Scenario) -> str:
    """The figure that policies are ranked by: the first of the world's table."""
    known = [one.figure for one in scenario.columns if one.figure in results.units]
    return next(iter([*known, *results.units]))


def answer_of(results: StudyResults, scenario: Scenario) -> Answer:
    """The figure that the study asks about, over its first axis.

    Raises:
        ConfigError: no run has a key figure of that name.
    """
    asked = results.spec.figure
    if asked and asked not in results.units:
        raise ConfigError(
            f"[study] figure = {asked!r}: no run has such a key figure; known: "
            f"{', '.join(results.units)}. The runs are kept: correct it and run the same command "
            "again"
        )
    gap = GAP if GAP in results.units else ""
    figure = asked or gap or measure_of(results, scenario)
    axis = results.axes[0]
    levels = levels_of(results, axis)
    drawn = drawn_policies(results, scenario)
    series = {name: response(levels, values_of(results, figure, name)) for name in drawn}
    return Answer(
        figure=figure,
        unit=results.units[figure],
        axis=axis,
        levels=levels,
        drawn=drawn,
        series={
            name: one
            for name, one in series.items()
            if any(one) and (figure != GAP or name not in (scenario.baseline, scenario.best))
        },
    )


def drawn_policies(results: StudyResults, scenario: Scenario) -> dict[str, Role]:
    """The policies that pictures show, each in a colour of its own: learned ones first.

    Raises:
        ConfigError: the file asks for one that no run has.
    """
    if asked := results.spec.policies:
        unknown = next((name for name in asked if name not in results.algorithms), None)
        if unknown is not None:
            raise ConfigError(
                f"[study] policies: no run has {unknown!r}; known: "
                f"{', '.join(results.algorithms)}. The runs are kept: correct it and run the same "
                "command again"
            )
        return dict(zip(asked, ROLES, strict=False))
    learned = [k for run in results.plan for k in run.config.learners if k != SELFISH]
    ends = [SELFISH, scenario.baseline, *([scenario.best] if scenario.best else [])]
    placed = in_order(scenario.rows, results.algorithms)
    others = [k for k in placed if label_of(scenario.labels, k).role != "uncontrolled"]
    found: dict[str, Role] = {}
    for at, name in enumerate(dict.fromkeys([*learned, *ends, *others])):
        if name not in results.algorithms or len(found) == MOST_DRAWN:
            continue
        role = label_of(scenario.labels, name).role
        is_end = at < len({*learned, *ends})
        free: Role = next(one for one in ROLES if one not in found.values())
        if role not in found.values() or is_end:
            taken = role in found.values() or role not in ROLES
            found[name] = free if taken else role
    return found


def verdict_of(results: StudyResults, scenario: Scenario, answer: Answer) -> str:
    """The answer in one or two sentences."""
    above, words = results.spec.above, _words(answer.figure, scenario)
    if above is not None:
        said = [
            f"{title_of(scenario.labels, name)} {_threshold_words(answer, name, above)}"
            for name in answer.series
        ]
        limit = f"{above:g} {answer.unit}".strip()
        return f"{words[:1].upper()}{words[1:]} is above {limit}: {'; '.join(said)}."
    first, last = answer.levels[0].label, answer.levels[-1].label
    said = [
        f"{title_of(scenario.labels, name)} {_ends(answer, one)}"
        for name, one in answer.series.items()
    ]
    unit = _unit(answer.unit)
    begin = f"{words[:1].upper()}{words[1:]}{unit}"
    return f"{begin}, from {answer.axis} {first} to {last}: {'; '.join(said)}."


def table_of(scenario: Scenario, answer: Answer) -> dict[str, list[dict[str, str]]]:
    """The answer as a table for a terminal: levels down, policies across."""
    rows = [
        {
            answer.axis: level.label,
            **{
                title_of(scenario.labels, name): _shown(series[at])
                for name, series in answer.series.items()
            },
        }
        for at, level in enumerate(answer.levels)
    ]
    unit = _unit(answer.unit)
    return {f"{_words(answer.figure, scenario)}{unit}": rows}


def _threshold_words(answer: Answer, name: str, above: float) -> str:
    series, labels = answer.series[name], [level.label for level in answer.levels]
    at = first_above(series, above)
    if at is None:
        return f"at no {answer.axis} up to {labels[-1]}"
    one = series[at]
    on = "on" if stays_above(series, above, at) else "on, but not at every value"
    known = "" if one is None or one.low > above else ", within noise"
    return f"from {answer.axis} {labels[at]} {on} ({_shown(one)}{known})"


def _key_figures(results: StudyResults, scenario: Scenario, answer: Answer) -> list[KeyFigure]:
    above, found = results.spec.above, []
    words = _words(answer.figure, scenario)
    for name, series in list(answer.series.items())[:4]:
        at_last = max(at for at, one in enumerate(series) if one is not None)
        value = _shown(series[at_last], answer.unit)
        detail = f"{words} at {answer.axis} {answer.levels[at_last].label}"
        if above is not None:
            at = first_above(series, above)
            detail = f"{detail}: {value}"
            value = "never" if at is None else f"from {answer.levels[at].label}"
        found.append(KeyFigure(label=title_of(scenario.labels, name), value=value, detail=detail))
    return found


def _response_chart(
    results: StudyResults, scenario: Scenario, answer: Answer, *, slug: str
) -> Chart:
    words, unit = _words(answer.figure, scenario), answer.unit
    title_y = f"{words}{_unit(unit)}"
    said = "; ".join(
        f"{title_of(scenario.labels, name)} {_ends(answer, one)}"
        for name, one in answer.series.items()
    )
    first, last = answer.levels[0].label, answer.levels[-1].label
    above = results.spec.above if answer.figure == results.spec.figure else None
    limit = None if above is None else (above, f"{above:g} {unit}")
    rows = [
        (title_of(scenario.labels, name), level.label, *_numbers(one), len(level.runs))
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


def _axis_section(results: StudyResults, scenario: Scenario, answer: Answer, axis: str) -> Section:
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
            items.append(_response_chart(results, scenario, one, slug=slug))
    base, best = (title_of(scenario.labels, name) for name in (scenario.baseline, scenario.best))
    scale = f" Gap closed is 0 at {base} and 1 at {best}." if GAP in results.units else ""
    return Section(
        slug=f"axis-{axis}".replace("_", "-").lower(),
        title=f"What {axis} changes",
        intro=f"{STATISTIC}{scale}",
        items=tuple(items),
    )


def _gains_section(results: StudyResults, scenario: Scenario, answer: Answer) -> Section:
    """Each policy against the baseline, run by run."""
    figure, base = measure_of(results, scenario), scenario.baseline
    before = values_of(results, figure, base)
    better = 1.0 if is_more_better(figure) else -1.0
    words, unit = _words(figure, scenario), _unit(results.units[figure])
    rows, bars = [], []
    for name in in_order(scenario.rows, results.algorithms):
        found = changes(values_of(results, figure, name), before)
        change = interval_of(list(found.values()))
        if name == base or change is None:
            continue
        gains, losses = (sum(s * better * one > 0 for one in found.values()) for s in (1, -1))
        rows.append(
            (
                title_of(scenario.labels, name), *_numbers(change), gains, losses,
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
    return (_response_chart(results, scenario, one, slug="losers"),) if series else ()


def _ranking_section(results: StudyResults, scenario: Scenario) -> Section:
    figure = measure_of(results, scenario)
    rows = [
        (
            at, title_of(scenario.labels, one.algorithm), *_numbers(one.rank),
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
        intro=f"For every seed and point policies are ranked by {_words(figure, scenario)}, "
        f"{direction} first; ranks are averaged over these, with 95 % bootstrap intervals. "
        "Policies that only some of them have are left out.",
        items=(table,),
    )


def _dilemma_sections(results: StudyResults, scenario: Scenario) -> list[Section]:
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
            (level.label, none, count, *_numbers(one))
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
            f"{_words(figure, scenario)} of {base}.",
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


def _runs_section(results: StudyResults) -> Section:
    complete = {row.run for row in results.rows}
    names = results.spec.columns
    rows = [
        (
            *(shown_value(run.point[key]) for key in names), run.seed,
            "complete" if run.name in complete else "failed", run.name,
            results.reasons.get(run.name, ""),
        )
        for run in sorted(results.plan, key=lambda run: run.name in complete)
    ]  # fmt: skip
    columns = (*results.axes, "seed", "status", "folder below runs/", "reason")
    missing = len(results.plan) - len(complete)
    return Section(
        slug="runs",
        title="Which runs these are",
        intro=f"{missing} of {len(results.plan)} runs failed; they are in no figure above."
        if missing
        else f"All {len(results.plan)} runs are complete.",
        items=(Table(columns=columns, rows=rows),),
    )


def _made_section(source: str, statement: str) -> Section:
    again: tuple[Item, ...] = ()
    if statement:
        again = (
            Text("The data set, asked with DuckDB in the study’s folder:"),
            Code(statement),
        )
    return Section(
        slug="made",
        title="How this was made",
        items=(
            Text("By ss study from this file; with equal versions it gives the same bytes."),
            Code(source),
            *again,
        ),
    )


def _ends(answer: Answer, series: Series) -> str:
    """A response from its first level to its last, of those that have one."""
    known = [at for at, one in enumerate(series) if one is not None]
    first, last = known[0], known[-1]
    if first == last:
        return f"{_shown(series[first])} at {answer.levels[first].label}"
    return f"{_shown(series[first])} to {_shown(series[last])}"


def _words(figure: str, scenario: Scenario) -> str:
    """A figure's name for people; its unit stands beside it."""
    endings = [end for end in scenario.units if end.startswith("_") and figure.endswith(end)]
    return figure.removesuffix(max(endings, key=len, default="")).replace("_", " ")


def _unit(unit: str) -> str:
    """A unit behind the name of a figure; a pure number has none."""
    return "" if unit in ("", "1") else f", {unit}"


def _shown(one: Interval | None, unit: str = "") -> str:
    if one is None:
        return "–"
    return f"{one:.3g} {unit}".strip() if unit not in ("", "1") else f"{one:.3g}"


def _numbers(one: Interval | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if one is None else (one.estimate, one.low, one.high)
