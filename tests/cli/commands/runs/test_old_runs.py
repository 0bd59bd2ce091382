"""Runs that version 0.1 left: every reader still reads them, and none is continued."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click import Group

from cli import ss
from cli.app import run
from cli.commands import grid, traffic
from ss_core.adapters.user_envs import make_user_env
from ss_core.record.manifest import RUN_FORMAT, format_of, read_manifest, verify_run
from ss_core.record.run_directory import find_resumable
from ss_core.training.saved_learner import MOVED, load_learner, read_learner_file

OLD_RUNS = Path(__file__).parents[3] / "data" / "runs_0_1"
NUMBERS = {  # of the learned row of each: figure, value, and how a page writes it
    "grid": ("cost_eur_per_household", 3.020787796, "3.021"),
    "traffic": ("mean_travel_time_s", 48.5, "48.5"),
    "signals": ("mean_travel_time_s", 43 / 3, "14.33"),
    "train": ("averaged_return", -259 / 30, "−8.633"),
}
COMMANDS: dict[str, tuple[Group, list[str]]] = {
    "grid": (grid.cli, ["run"]),
    "traffic": (traffic.cli, ["run"]),
    "signals": (traffic.cli, ["signals"]),
    "train": (ss.cli, ["train", "predation"]),
}
Streams = pytest.CaptureFixture[str]
kinds = pytest.mark.parametrize("kind", NUMBERS)


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A copy of the old run of a kind; whatever is written lies beside it."""
    monkeypatch.chdir(tmp_path)
    return lambda kind: Path(shutil.copytree(OLD_RUNS / kind, tmp_path / kind))


def ss_run(*words: object) -> int:
    return run(ss.cli, "ss", [str(word) for word in words])


def cut_short(path: Path) -> Path:
    """The run as a signal would have left it."""
    file = path / "manifest.json"
    manifest = json.loads(file.read_bytes())
    del manifest["ss"]["files"]
    manifest["ss"]["status"] = "interrupted"
    file.write_text(json.dumps(manifest))
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@kinds
def test_the_page_of_an_old_run_shows_its_figure(old: Callable[[str], Path], kind: str) -> None:
    path = old(kind)
    assert ss_run("report", path) == 0
    assert f">{NUMBERS[kind][2]}<" in (path / "report.html").read_text()
    assert ss_run("report", path, path, "--out", "both.html") == 0
    assert NUMBERS[kind][2] in Path("both.html").read_text()


@kinds
def test_an_old_run_answers_sql(old: Callable[[str], Path], kind: str, capsys: Streams) -> None:
    path, (kpi, value, _) = old(kind), NUMBERS[kind]
    asked = f"select value from kpi where algorithm = 'ss' and kpi = '{kpi}'"
    assert ss_run("sql", path, asked, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["value"] for row in rows] == pytest.approx([value] * len(rows))
    assert rows
    assert ss_run("sql", path) == 0
    assert re.search(r"^kpi +\d+ ", capsys.readouterr().out, re.MULTILINE)


@kinds
@pytest.mark.parametrize("view", ["public", "full"])
def test_an_old_run_is_exported(old: Callable[[str], Path], kind: str, view: str) -> None:
    path, (kpi, value, _) = old(kind), NUMBERS[kind]
    assert ss_run("export", path, "--view", view, "--format", "csv", "--out", "out") == 0
    rows = pd.read_csv("out/kpi.csv")
    found = rows[(rows.algorithm == "ss") & (rows.kpi == kpi)].value
    assert found.tolist() == pytest.approx([value] * len(found))
    assert len(found)
    assert ss_run("export", path, "--view", view, "--format", "xlsx", "--out", "out.xlsx") == 0
    assert ss_run("export", path, "--format", "tensorboard", "--out", "curves") == 0


@kinds
def test_old_runs_are_compared(old: Callable[[str], Path], kind: str, capsys: Streams) -> None:
    path, (kpi, value, _) = old(kind), NUMBERS[kind]
    assert ss_run("compare", path, path, "--json") == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    (found,) = (one for one in figures if (one["row"], one["figure"]) == ("ss", kpi))
    (intervals,) = (entry for entry in found.values() if isinstance(entry, list))
    assert intervals[0] == pytest.approx(value)


@kinds
def test_an_old_run_is_verified_and_shown(
    old: Callable[[str], Path], kind: str, capsys: Streams
) -> None:
    path, (kpi, value, _) = old(kind), NUMBERS[kind]
    assert ss_run("runs", "verify", path) == 0
    assert "every file is as it was written" in capsys.readouterr().out
    assert ss_run("runs", "show", path, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    (found,) = (one for one in shown["figures"] if (one["row"], one["figure"]) == ("ss", kpi))
    assert found["value"] == pytest.approx(value)
    (path / "config.toml").write_text("")
    assert ss_run("runs", "verify", path) == 7


@pytest.mark.parametrize(
    "kind", ["grid", "traffic", pytest.param("signals", marks=pytest.mark.sumo), "train"]
)
def test_an_old_run_that_is_complete_shows_its_result_again(
    old: Callable[[str], Path], kind: str, capsys: Streams
) -> None:
    path, (cli, words) = old(kind), COMMANDS[kind]
    before = files_of(path)
    assert run(cli, "ss", [*words, "--resume", str(path), "--no-report", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["notes"][-1] == "this run was complete already; nothing was computed again"
    assert files_of(path) == before


@kinds
def test_an_old_run_that_was_cut_short_is_refused_before_anything_is_written(
    old: Callable[[str], Path], kind: str, tmp_path: Path, capsys: Streams
) -> None:
    path, (cli, words) = cut_short(old(kind)), COMMANDS[kind]
    before = files_of(tmp_path)
    assert run(cli, "ss", [*words, "--resume", str(path), "--quiet"]) == 3
    assert capsys.readouterr().err == (
        f"SS-E300: {path}: a run of format 1, written by version 0.1.0, and this version continues "
        "format 2 only; start anew with --resume never, or use version 0.1 to finish it\n"
    )
    assert files_of(tmp_path) == before


@kinds
def test_auto_never_finds_an_old_run(old: Callable[[str], Path], kind: str) -> None:
    path = cut_short(old(kind))
    manifest = read_manifest(path)
    assert format_of(manifest) == 1
    sha256 = manifest["ss"]["config_sha256"]
    assert find_resumable(path.parent, sha256) is None
    manifest["ss"]["format"] = RUN_FORMAT
    (path / "manifest.json").write_text(json.dumps(manifest))
    assert find_resumable(path.parent, sha256) == path


@kinds
def test_the_checksums_of_an_old_run_hold(kind: str) -> None:
    assert verify_run(OLD_RUNS / kind) == []
    assert "format" not in read_manifest(OLD_RUNS / kind)["ss"]


def test_agents_of_an_old_run_are_drawn(old: Callable[[str], Path], capsys: Streams) -> None:
    words = ("watch", "predation", "--run", old("train"), "--out", "sheet.png", "--json", "--quiet")
    assert ss_run(*words) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 30


@pytest.mark.parametrize("learner", ["ss", "independent"])
def test_old_targets_of_learners_lead_to_where_they_are_now(learner: str) -> None:
    folder = OLD_RUNS / "signals" / "tasks" / learner
    written = json.loads((folder / "learner.json").read_bytes())["learner"]["task"]
    assert read_learner_file(folder).task == MOVED[written]


@pytest.mark.sumo
def test_lights_of_an_old_run_can_be_played() -> None:
    folder = OLD_RUNS / "signals" / "tasks" / "ss"
    saved = read_learner_file(folder)
    env = make_user_env(saved.task, 1, horizon=6, options=saved.options)
    learner = load_learner(folder, saved, env.spec)
    assert learner.spec.num_agents == saved.num_agents == 4
    env.close()
