"""Progress off a terminal: a line per stage at its start and end, and now and then between."""

import pytest

from cli import render
from cli.render import Progress, duration


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(render, "time", clock)
    return clock


def test_stages_in_flight_together_do_not_talk_more(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress() as progress:
        for done in range(12):  # one a second
            progress("ss", done, 12)
            progress("references", done, 12)
            clock.now_s += 1.0
        progress("ss", 12, 12)
    assert capsys.readouterr().err.splitlines() == [
        "ss: 0 %",
        "references: 0 %",
        "ss: 83 %, about 2 s left",
        "references: 83 %, about 2 s left",
        "ss: 100 %",
    ]


def test_time_left_counts_from_the_first_report_of_a_resumed_stage(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress() as progress:
        progress("ss", 80, 100)
        clock.now_s += 20.0
        progress("ss", 90, 100)  # 10 in 20 s: another 20 s
    assert capsys.readouterr().err.splitlines() == ["ss: 80 %", "ss: 90 %, about 20 s left"]


def test_a_stage_that_does_not_move_promises_nothing(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress() as progress:
        progress("references", 1, 4, "optimum")
        clock.now_s += 11.0
        progress("references", 1, 4, "optimum")
        progress("nothing", 0, 0)
    assert capsys.readouterr().err.splitlines() == [
        "references: 25 %  optimum",
        "references: 25 %  optimum",
        "nothing: 100 %",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.4, "4 s"), (89.0, "89 s"), (170.0, "3 min"), (9000.0, "2.5 h")]
)
def test_durations_are_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
