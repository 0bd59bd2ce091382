"""`ss bench trust` and `ss bench privacy`, smallest profile: in this process, and in their own."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from cli import ss
from cli.app import run
from gridsim.privacy.leakage import DIFFERENCED
from ss_core.processes.child_tasks import Task, perform
from ss_core.processes.pool import Failure, Observe

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[4]


def bench(*arguments: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "ss", "bench", *arguments, "--profile", "smoke", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run_here(tasks: Sequence[Task], _workers: int, observe: Observe) -> list[Failure]:
    """In place of `pool.run_pool`: one trial after the other, in this process."""
    for task in tasks:
        assert perform(task, lambda *_: None, lambda: False) == ("done",)
        observe(task.name, "done", 1, 1, "")
    return []


@pytest.mark.sumo
def test_lies_are_tried_in_all_worlds_and_what_is_done_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ss_core.scenario.short_runs.run_pool", run_here)
    out = str(tmp_path / "bench")

    def bench_here() -> dict[str, object]:
        words = ["bench", "trust", "--profile", "smoke", "--json", "--out", out]
        assert run(ss.cli, "ss", words) == 0
        return json.loads(capsys.readouterr().out)

    first = bench_here()
    tables = first["tables"]
    assert isinstance(tables, dict)
    assert [name.split(":")[0] for name in tables] == ["predation", "grid", "traffic"]
    for rows in tables.values():
        assert [row["lie"] for row in rows] == ["selfish"]
        assert 0.0 <= rows[0]["weight of liars"] < rows[0]["weight of honest"] <= 1.0
    done = {path: path.stat().st_mtime_ns for path in Path(out).rglob("trial.json")}
    assert len(done) == 2 * 6 * 3
    again = bench_here()
    assert again["tables"] == tables
    assert {path: path.stat().st_mtime_ns for path in Path(out).rglob("trial.json")} == done


def test_a_curious_neighbour_is_measured_method_by_method(tmp_path: Path) -> None:
    tables = bench("privacy", "--out", str(tmp_path / "bench"))["tables"]
    assert isinstance(tables, dict)
    learned, cost, curve = tables.values()
    received = {(row["method"], row["heard"]) for row in learned}
    assert {
        ("selfish", "public data only"),
        *((method, DIFFERENCED) for method in ("selfish", "ss", "vps", "vs", "ps", "cl")),
        ("ss", "announcements"),
        ("ss", "policies and suggestions"),
        ("vps", "critic_parameters"),
        ("vs", "advantages"),
        ("ps", "policy_parameters"),
        ("cl", "rewards"),
    } <= received
    assert {row["method"]: row["kB/household"] > 0 for row in cost} == {
        "selfish": False, "selfish, one at a time": False,
        "ss": True, "vps": True, "vs": True, "ps": True, "cl": True,
    }  # fmt: skip
    assert curve[0]["epsilon of a run"] == "∞"
    assert float(curve[1]["epsilon of a run"]) > 0
