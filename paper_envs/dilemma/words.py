"""A Schelling diagram in words and rows: for a terminal, a program, a spreadsheet."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from paper_envs.dilemma.schelling import Diagram, Question
from ss_core.statistics import Interval

_ANSWERS = {
    "yes": "yes, by {}",
    "no": "no: {}",
    "undecided": "undecided: {}",
}
_FAILED = (  # what holds where a condition of a dilemma is not met
    "defecting never pays",
    "all together are no better off if all cooperate than if all defect",
    "who cooperates is no better off among cooperators than alone",
)


def rows_of(diagram: Diagram) -> list[dict[str, Any]]:
    """A row per number of other cooperators, intervals in words."""
    return [
        {
            "others_cooperating": point.others,
            "one_cooperates": shown(point.cooperates),
            "one_defects": shown(point.defects),
            "defecting_gains": shown(point.temptation),
            "mean_of_all": shown(point.all_agents),
        }
        for point in diagram.points
    ]


def numbers_of(diagram: Diagram) -> list[dict[str, float]]:
    """The same as numbers, each interval in three columns."""
    return [
        {
            "others_cooperating": point.others,
            **_columns("one_cooperates", point.cooperates),
            **_columns("one_defects", point.defects),
            **_columns("defecting_gains", point.temptation),
            **_columns("mean_of_all", point.all_agents),
        }
        for point in diagram.points
    ]


def _columns(name: str, interval: Interval) -> dict[str, float]:
    return {
        name: interval.estimate,
        f"{name}_low": interval.low,
        f"{name}_high": interval.high,
    }


def csv_of(rows: Iterable[dict[str, Any]]) -> bytes:
    """Rows of equal columns as a CSV file."""
    records, text = list(rows), io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def shown(interval: Interval) -> str:
    """An estimate and its interval; no interval where nothing varies."""
    if interval.low == interval.high:
        return f"{interval.estimate:z.1f}"
    return f"{interval:z.1f}"  # z: no minus before a zero


def answer(question: Question) -> str:
    """`fear: does …? yes, by 7.2 [6.1, 8.3]`."""
    answered = _ANSWERS[question.verdict].format(shown(question.difference))
    return f"{question.name}: {question.words} {answered}"


def conclusion(diagram: Diagram) -> str:
    """Whether it is a dilemma, and why or why not."""
    if diagram.is_dilemma:
        when = f"defecting pays while {_listed(diagram.tempted_at)} of the others cooperate"
        return f"a social dilemma: {when}, and all together are better off if all cooperate"
    for condition, why in zip(diagram.conditions, _FAILED, strict=True):
        if condition == "no":
            return f"no dilemma between these two ways to play: {why}"
    return "undecided between these two ways to play: intervals include 0; play more --episodes"


def _listed(numbers: tuple[int, ...]) -> str:
    """`0`, `0 or 1`, `1 to 3`, `0, 2 or 5`."""
    first, last = numbers[0], numbers[-1]
    if len(numbers) > 2 and last - first == len(numbers) - 1:
        return f"{first} to {last}"
    head = ", ".join(str(number) for number in numbers[:-1])
    return f"{head} or {last}" if head else str(last)
