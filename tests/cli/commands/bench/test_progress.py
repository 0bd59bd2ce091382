"""How far a benchmark is: its lines, its table on a terminal, and how seldom they come."""

import os
from dataclasses import replace

import pytest
from rich.console import Console

from cli.commands.bench.progress import BenchProgress, cell_of, line_of, table_of
from paper_envs.bench.runs.progress import Group, Row, RunsProgress, start_progress
from tests.support.small_bench import SMALL


def progress_of_three() -> RunsProgress:
    moral = replace(SMALL, algorithm="imr", num_agents=8)
    rows = [Row("a", SMALL, 1.0), Row("b", SMALL, 1.0), Row("c", moral, 2.0)]
    clock = iter([0.0, 60.0, 60.0, 60.0])
    so_far = start_progress(rows, ["a"], lambda: next(clock))
    so_far.note("b", "working", 0, 2, "")
    so_far.note("b", "working", 1, 2, "-1.42")
    return so_far


def test_a_line_says_share_counts_and_time_left() -> None:
    assert line_of(progress_of_three()) == "runs: 38 %, 1 of 3, about 5 min left  b -1.42"


def test_the_table_has_tasks_down_and_algorithms_across() -> None:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with console.file:
        console.print(table_of(progress_of_three()))
        text = console.export_text()
    assert "38 %, 1 of 3, about 5 min left" in text
    two, eight = (
        next(line for line in text.splitlines() if name in line) for name in ("2 t", "8 t")
    )
    assert two.split() == ["predation", "2", "tuned", "1/2", "-1.42"]
    assert eight.split() == ["predation", "8", "tuned", "0/1"]


def test_failures_and_what_is_under_way_stand_out_in_the_table() -> None:
    assert cell_of(None) == ""
    assert cell_of(Group(total=5, done=2)) == "2/5"
    assert cell_of(Group(total=5, done=2, failed=1)) == "2/5 [red]1 failed[/red]"
    assert cell_of(Group(total=5, under_way=1, last_return="-2")) == "[bold]0/5 -2[/bold]"


def test_lines_stay_rare_but_failures_and_the_end_are_told_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [Row(name, SMALL, 1.0) for name in "abc"]
    so_far = start_progress(rows, [])
    with BenchProgress() as progress:
        progress(so_far)
        for name in "abc":
            so_far.note(name, "working", 1, 2, "")
            progress(so_far)
            so_far.note(name, "failed" if name == "b" else "done", 1, 1, "broken")
            progress(so_far)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition("  ")[0] for line in lines] == [
        "runs: 0 %, 0 of 3",
        "runs: 67 %, 1 of 3, 1 failed, about 0 s left",
        "runs: 100 %, 2 of 3, 1 failed",
    ]
    with BenchProgress(quiet=True) as progress:
        progress(so_far)
    assert capsys.readouterr().err == ""
