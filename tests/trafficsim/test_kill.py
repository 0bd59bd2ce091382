"""Runs that are killed, interrupted or left by their parent, and the same command again.

The real command line in processes of their own, on two roads and six drivers with driver noise.
Whatever happens on the way, to the run or to a SUMO of it, and however many processes there are:
the files of a finished run are the same, and no process is left.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ss_core.record.manifest import read_manifest
from tests.gridsim.test_kill import assert_same, checkpoints, files_of, run_folder
from tests.support.fault_counts import counted
from tests.support.small_nets import NOISY
from tests.support.traffic_runs import two_routes

COMMAND = (
    *(sys.executable, "-m", "cli.commands.traffic", "run", "--net", "two.net.xml"),
    *("--days", "2", "--budget", "40updates", "--set", "compare_selfish=false"),
    *("--set", "commit_every=3", "--set", "evaluations=2", "--set", "evaluation_days=2"),
    *("--set", "learner.num_envs=2", "--set", "search.optimum_simulations=12"),
    *("--set", "search.max_sweeps=2"),
    *("--set", "search.days=2", "--set", "search.deviations=2", "--set", "search.draws=2"),
    *("--set", "search.model_days=400", "--set", "search.candidates=2"),
)
PATIENCE_S = 180.0

pytestmark = [pytest.mark.slow, pytest.mark.sumo]
Run = subprocess.Popen[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all runs are started: configurations name their files as they were given."""
    folder = tmp_path_factory.mktemp("kill")
    two_routes(folder, kind=NOISY)
    return folder


def start(folder: Path, out: str, workers: int = 2) -> Run:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SS_")}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [*COMMAND, "--out", out, "--workers", str(workers)],
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # all its processes can be found, and killed as one
    )


def finish(run: Run, exit_code: int = 0) -> None:
    _, errors = run.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in errors, errors
    assert run.returncode == exit_code, errors


def processes_of(run: Run, name: str = "") -> list[int]:
    """Processes of the run's session that have not ended; only those with `name` in the command."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # ended meanwhile
            state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            if int(session) == run.pid and state != "Z" and name in command:
                found.append(int(entry.name))
    return found


def wait_until(true: Callable[[], object], run: Run | None = None) -> bool:
    """Whether it came true (while the run went on)."""
    deadline_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline_s and (run is None or run.poll() is None):
        if true():
            return True
        time.sleep(0.01)
    return False


def assert_nothing_left(*runs: Run) -> None:
    for run in runs:
        assert wait_until(lambda run=run: not processes_of(run)), processes_of(run)


def kill_tree(run: Run) -> None:
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate(timeout=PATIENCE_S)


def new_checkpoint(folder: Path, out: str) -> Run:
    """The command, started and some way beyond one more checkpoint."""
    before = checkpoints(folder / out)
    run = start(folder, out)
    assert wait_until(lambda: checkpoints(folder / out) - before, run)
    return run


@pytest.fixture(scope="module")
def uninterrupted(folder: Path) -> dict[str, bytes]:
    run = start(folder, "uninterrupted")
    finish(run)
    assert_nothing_left(run)
    return files_of(run_folder(folder / "uninterrupted"))


def test_one_worker_leaves_the_bytes_of_two(folder: Path, uninterrupted: dict[str, bytes]) -> None:
    finish(start(folder, "alone", workers=1))
    assert_same(folder / "alone", uninterrupted)
    counted("F22")


def test_killed_sumos_change_nothing(folder: Path, uninterrupted: dict[str, bytes]) -> None:
    run = start(folder, "sumos", workers=4)  # with more processes than there is room for
    killed: set[int] = set()
    rng = random.Random(2)

    def kill_one() -> bool:
        for pid in set(processes_of(run, "trafficsim.sumo.server")) - killed:
            killed.add(pid)
            time.sleep(rng.uniform(0.0, 0.4))  # while it starts, waits or simulates
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            break
        return len(killed) == 3

    assert wait_until(kill_one, run)
    finish(run)
    assert_same(folder / "sumos", uninterrupted)
    assert_nothing_left(run)
    counted("F13", 3)


def test_whatever_stops_a_run_the_same_command_ends_with_the_same_bytes(
    folder: Path, uninterrupted: dict[str, bytes]
) -> None:
    rng, out = random.Random(1), "stopped"
    starting = start(folder, out)
    time.sleep(rng.uniform(0.5, 3.0))
    kill_tree(starting)
    learning = new_checkpoint(folder, out)
    time.sleep(rng.uniform(0.0, 0.3))
    kill_tree(learning)
    interrupted = new_checkpoint(folder, out)
    os.killpg(interrupted.pid, signal.SIGINT)  # all of them, as a terminal does
    finish(interrupted, 130)
    assert read_manifest(run_folder(folder / out))["ss"]["status"] == "interrupted"
    orphans = new_checkpoint(folder, out)
    orphans.kill()  # the parent alone
    orphans.wait(PATIENCE_S)
    assert orphans.stderr is not None
    orphans.stderr.close()
    writing = start(folder, out)  # at once: children of the last may still be at work
    assert wait_until(lambda: any((folder / out).glob("*/tasks/optimum")), writing)
    kill_tree(writing)  # while it looks for the optimum
    last = start(folder, out)
    finish(last)
    assert_same(folder / out, uninterrupted)
    assert_nothing_left(starting, learning, interrupted, orphans, writing, last)
    counted("F2", 4)
    counted("F3")
