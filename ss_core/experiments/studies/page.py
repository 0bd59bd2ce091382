"""The page of a study: answer, responses, who gains, which policy leads, where no dilemma is."""

from ss_core.experiments.studies.answer import Answer, answer_of, figure_words, shown, verdict_of
from ss_core.experiments.studies.responses import (
    first_above,
)
from ss_core.experiments.studies.results import StudyResults
from ss_core.experiments.studies.sections import (
    axis_section,
    dilemma_sections,
    gains_section,
    ranking_section,
    response_chart,
)
from ss_core.experiments.studies.spec import shown_value
from ss_core.report.labels import title_of
from ss_core.report.page import html_page
from ss_core.report.page_model import (
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

FOOTER = (
    "This file is complete in itself: it loads nothing, sends nothing, and may be mailed. All "
    "values are simulated, none is measured."
)


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
        picture=response_chart(results, scenario, answer, slug="answer"),
        figures=tuple(_key_figures(results, scenario, answer)),
    )
    sections = (
        *(
            section
            for axis in results.axes
            if (section := axis_section(results, scenario, answer, axis)).items
        ),
        gains_section(results, scenario, answer),
        ranking_section(results, scenario),
        *dilemma_sections(results, scenario),
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


def _key_figures(results: StudyResults, scenario: Scenario, answer: Answer) -> list[KeyFigure]:
    above, found = results.spec.above, []
    words = figure_words(answer.figure, scenario)
    for name, series in list(answer.series.items())[:4]:
        at_last = max(at for at, one in enumerate(series) if one is not None)
        value = shown(series[at_last], answer.unit)
        detail = f"{words} at {answer.axis} {answer.levels[at_last].label}"
        if above is not None:
            at = first_above(series, above)
            detail = f"{detail}: {value}"
            value = "never" if at is None else f"from {answer.levels[at].label}"
        found.append(KeyFigure(label=title_of(scenario.labels, name), value=value, detail=detail))
    return found


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
