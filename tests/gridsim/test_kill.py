"""Runs that are killed, interrupted or left by their parent, and the same command again.

The real command line in processes of their own, on five households and two days. Whatever happens
on the way, the files of a finished run are those of a run that nothing happened to.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path

import pytest

from ss_core.record.manifest import VOLATILE, read_manifest, verify_run
from tests.support.fault_counts import counted

UPDATES = 80
COMMAND = (
    *(sys.executable, "-m", "cli.commands.grid", "run"),
    *("--households", "5", "--days", "2", "--budget", f"{UPDATES}updates", "--workers", "2"),
    *("--set", "compare_selfish=false", "--set", "commit_every=3", "--set", "evaluations=3"),
    *("--set", "policy_samples=1", "--set", "learner.num_envs=2", "--set", "audit_steps=3"),
    *("--set", "search.num_perturbations=2", "--set", "search.num_random_starts=1"),
    *("--set", "search.relaxation_sweeps=20", "--set", "trial_days=2", "--set", "most_turns=64"),
)
PATIENCE_S = 120.0

pytestmark = pytest.mark.slow


def start(out: Path) -> subprocess.Popen[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SS_")}
    environment["OMP_NUM_THREADS"] = "1"
    return subprocess.Popen(
        [*COMMAND, "--out", str(out)],
        env=environment,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own: the tree can be killed as one
    )


def finish(process: subprocess.Popen[str], exit_code: int = 0) -> None:
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in errors, errors
    assert process.returncode == exit_code, errors


def kill_tree(process: subprocess.Popen[str]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=PATIENCE_S)


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> bool:
    """Whether it came true while the process ran."""
    deadline_s = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline_s:
        if true():
            return True
        time.sleep(0.01)
    return False


def run_folder(out: Path) -> Path:
    (folder,) = out.iterdir()  # one run, however often it was started
    return folder


def checkpoints(out: Path) -> set[str]:
    return {str(path) for path in out.glob("*/tasks/*/checkpoints/*/state.json")}


def files_of(run: Path) -> dict[str, bytes]:
    return {
        path.relative_to(run).as_posix(): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and not any(fnmatch(path.name, pattern) for pattern in VOLATILE)
    }


def assert_same(out: Path, expected: dict[str, bytes]) -> None:
    run = run_folder(out)
    found = files_of(run)
    assert found.keys() == expected.keys()
    assert [name for name in found if found[name] != expected[name]] == []
    assert verify_run(run) == []


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("uninterrupted")
    finish(start(out))
    return files_of(run_folder(out))


def new_checkpoint(out: Path) -> subprocess.Popen[str]:
    """The command, started and some way beyond one more checkpoint."""
    before = checkpoints(out)
    process = start(out)
    assert wait_until(lambda: bool(checkpoints(out) - before), process)
    return process


def orphan_children(process: subprocess.Popen[str]) -> None:
    """Kill the parent alone."""
    process.kill()
    process.wait(PATIENCE_S)
    assert process.stderr is not None
    process.stderr.close()


def test_whatever_stops_a_run_the_same_command_ends_with_the_same_bytes(
    tmp_path: Path, uninterrupted: dict[str, bytes]
) -> None:
    rng = random.Random(1)
    process = start(tmp_path)
    time.sleep(rng.uniform(0.5, 3.0))  # while it starts up
    kill_tree(process)
    process = new_checkpoint(tmp_path)
    time.sleep(rng.uniform(0.0, 0.3))
    kill_tree(process)
    process = new_checkpoint(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # all of them, as a terminal does
    finish(process, 130)
    assert read_manifest(run_folder(tmp_path))["ss"]["status"] == "interrupted"
    process = new_checkpoint(tmp_path)
    process.terminate()  # the parent alone, as a service manager may
    finish(process, 143)
    orphans = new_checkpoint(tmp_path)
    orphan_children(orphans)
    process = start(tmp_path)  # at once: children of the last may still be at work
    assert wait_until(lambda: any(tmp_path.glob("*/traces/kpi")), process)
    kill_tree(process)  # while it writes the tables
    finish(start(tmp_path))
    assert_same(tmp_path, uninterrupted)
    with pytest.raises(ProcessLookupError):  # nobody is left of those whose parent died
        os.killpg(orphans.pid, 0)
    counted("F2", 4)
    counted("F3", 2)
