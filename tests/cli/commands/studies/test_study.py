"""`ss study` on households, smallest size: dry run, run, JSON; its example and its refusals."""

import json
from pathlib import Path

import duckdb
import pytest

from cli import ss
from cli.app import run
from cli.commands.studies.progress import StudyTable, line_of, table_of
from cli.commands.studies.study import EXAMPLES
from cli.settings import parse_budget
from cli.worlds import WORLDS
from ss_core.experiments.studies.runs import StudyProgress
from ss_core.experiments.studies.spec import plan_of, read_spec
from ss_core.processes import pool
from ss_core.resources import data_path
from ss_core.scenario.protocol import load_scenario
from tests.support.small_studies import pool_here

SMALL = """
[study]
command = "grid"
seeds = 1
figure = "trafo_overload_h"
above = 0.1

[base]
households = 8
days = 1
trial_days = 2
budget = 2
compare_selfish = false
evaluations = 1
policy_samples = 1
learner.num_envs = 2
search.num_random_starts = 0

[axes]
population.ev_ownership = [1.0]
"""
Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder to work in, and runs in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pool, "run_pool", pool_here)
    (tmp_path / "cars.toml").write_text(SMALL)
    return tmp_path


@pytest.mark.slow
def test_a_study_says_what_it_will_take_runs_and_answers(here: Path, capsys: Capsys) -> None:
    words = ["study", "cars.toml", "--workers", "1", "--quiet", "--json"]
    assert run(ss.cli, "ss", [*words, "--dry-run"]) == 0
    expected = json.loads(capsys.readouterr().out)
    assert expected["runs"] == expected["calibrated_on"] == 1
    assert expected["total_s"] > 0.0
    assert run(ss.cli, "ss", words) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["complete"], found["failed"]) == (1, [])
    assert found["folder"] == "studies/cars"
    assert (here / found["report"]).is_file()
    rows = {row[0]: row[1] for row in duckdb.connect().execute(found["statement"]).fetchall()}
    assert rows["optimum"] is None
    assert run(ss.cli, "ss", ["study", "cars.toml"]) == 0
    shown = capsys.readouterr().out
    assert "trafo overload, h/day" in shown
    assert "1 of 1 runs complete in studies/cars" in shown
    assert "(expected" in shown
    assert 'duckdb -c "SELECT algorithm, min(ev_ownership)' in shown


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_a_study_whose_settings_fit(name: str) -> None:
    spec = read_spec(data_path("studies") / f"{name}.toml", tuple(WORLDS))
    plan = plan_of(spec, load_scenario(WORLDS[spec.command].scenario), parse_budget)
    assert len(plan) == spec.num_runs > 1


def test_the_example_has_twenty_households_and_five_shares_by_five_seeds() -> None:
    spec = read_spec(data_path("studies") / "ev-share.toml", tuple(WORLDS))
    assert spec.base["households"] == 20
    assert (spec.num_points, len(spec.seeds)) == (5, 5)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a file, or an example"),
        (["cars.toml", "--example", "ev-share"], "name a file, or an example"),
        (["--example", "ev-share"], "ev-share.toml: is here already and differs"),
        (["nowhere.toml"], "nowhere.toml: no such file"),
    ],
)
def test_what_to_run_must_be_clear(here: Path, capsys: Capsys, words: list[str], said: str) -> None:
    (here / "ev-share.toml").write_text("[study]\n")
    assert run(ss.cli, "ss", ["study", *words]) == 3
    assert said in capsys.readouterr().err
    assert not (here / "studies").exists()


def test_progress_is_one_line_where_there_is_no_terminal(capsys: Capsys) -> None:
    so_far = StudyProgress(("a", "b", "c"), {"a"}, at_start=1)
    with StudyTable() as table:
        table(so_far)
        table(so_far)  # not yet due
        so_far.seen("b", "failed", 0, 1, "no such net")
        table(so_far)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "study: 33 %, 1 of 3 runs"
    assert "1 failed" in lines[1]
    assert "last failure b: no such net" in lines[1]
    assert len(lines) == 2
    with StudyTable(quiet=True) as silent:
        silent(so_far)
    assert capsys.readouterr().err == ""


def test_the_table_shows_what_is_under_way_and_what_failed() -> None:
    so_far = StudyProgress(("a", "b", "c"), set())
    so_far.seen("a", "working", 300, 1000, "learning")
    so_far.seen("b", "failed", 0, 1, "no such net")
    table = table_of(so_far)
    assert table.row_count == 2
    assert table.title == line_of(so_far)
