"""What a study answers: the figure it is about, the policies drawn, and its verdict in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ss_core.errors import ConfigError
from ss_core.experiments.studies.responses import (
    Level,
    Series,
    first_above,
    levels_of,
    response,
    stays_above,
    values_of,
)
from ss_core.experiments.studies.results import GAP, StudyResults
from ss_core.report.charts import Role
from ss_core.report.labels import SELFISH, in_order, label_of, title_of
from ss_core.scenario.protocol import Scenario
from ss_core.statistics import Interval

MOST_DRAWN = 6  # policies in a picture
ROLES: tuple[Role, ...] = ("ours", "equilibrium", "selfish", "best", "planner", "uncontrolled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the page is about: a figure, the policies that are drawn, and its response."""

    figure: str
    unit: str
    axis: str
    levels: Sequence[Level]
    drawn: Mapping[str, Role]  # policy and its colour
    series: Mapping[str, Series]  # by policy


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
    above, words = results.spec.above, figure_words(answer.figure, scenario)
    if above is not None:
        said = [
            f"{title_of(scenario.labels, name)} {_threshold_words(answer, name, above)}"
            for name in answer.series
        ]
        limit = f"{above:g} {answer.unit}".strip()
        return f"{words[:1].upper()}{words[1:]} is above {limit}: {'; '.join(said)}."
    first, last = answer.levels[0].label, answer.levels[-1].label
    said = [
        f"{title_of(scenario.labels, name)} {from_to(answer, one)}"
        for name, one in answer.series.items()
    ]
    unit = unit_words(answer.unit)
    begin = f"{words[:1].upper()}{words[1:]}{unit}"
    return f"{begin}, from {answer.axis} {first} to {last}: {'; '.join(said)}."


def table_of(scenario: Scenario, answer: Answer) -> dict[str, list[dict[str, str]]]:
    """The answer as a table for a terminal: levels down, policies across."""
    rows = [
        {
            answer.axis: level.label,
            **{
                title_of(scenario.labels, name): shown(series[at])
                for name, series in answer.series.items()
            },
        }
        for at, level in enumerate(answer.levels)
    ]
    unit = unit_words(answer.unit)
    return {f"{figure_words(answer.figure, scenario)}{unit}": rows}


def _threshold_words(answer: Answer, name: str, above: float) -> str:
    series, labels = answer.series[name], [level.label for level in answer.levels]
    at = first_above(series, above)
    if at is None:
        return f"at no {answer.axis} up to {labels[-1]}"
    one = series[at]
    on = "on" if stays_above(series, above, at) else "on, but not at every value"
    known = "" if one is None or one.low > above else ", within noise"
    return f"from {answer.axis} {labels[at]} {on} ({shown(one)}{known})"


def from_to(answer: Answer, series: Series) -> str:
    """A response from its first level to its last, of those that have one."""
    known = [at for at, one in enumerate(series) if one is not None]
    first, last = known[0], known[-1]
    if first == last:
        return f"{shown(series[first])} at {answer.levels[first].label}"
    return f"{shown(series[first])} to {shown(series[last])}"


def figure_words(figure: str, scenario: Scenario) -> str:
    """A figure's name for people; its unit stands beside it."""
    endings = [end for end in scenario.units if end.startswith("_") and figure.endswith(end)]
    return figure.removesuffix(max(endings, key=len, default="")).replace("_", " ")


def unit_words(unit: str) -> str:
    """A unit behind the name of a figure; a pure number has none."""
    return "" if unit in ("", "1") else f", {unit}"


def shown(one: Interval | None, unit: str = "") -> str:
    """An estimate with its interval, in three digits."""
    if one is None:
        return "–"
    return f"{one:.3g} {unit}".strip() if unit not in ("", "1") else f"{one:.3g}"


def numbers(one: Interval | None) -> tuple[float | None, float | None, float | None]:
    """Estimate and ends of an interval, for a table."""
    return (None, None, None) if one is None else (one.estimate, one.low, one.high)
