"""F1, F3, F16, F22: processes that are killed, asked to stop, or that race for one run."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ss_core.record.manifest import read_manifest, sealed_files, verify_run
from tests.gridsim import test_kill as grid
from tests.ss_core.record.test_run_directory import WORKER, bytes_of, quick_folder  # noqa: F401
from tests.support.fault_counts import counted, times

RACE = Path(__file__).parents[1] / "support" / "race_worker.py"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the harnesses fork"),
]


def worker(script: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        capture_output=True,
        text=True,
        timeout=3000,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_sixty_kills_leave_the_same_bytes(
    quick_folder: Path,  # noqa: F811
) -> None:
    wanted, kills, runs = times(60, 2000), 0, 0
    worker(WORKER, str(quick_folder / "straight"))
    expected = bytes_of(quick_folder / "straight" / "run")
    while kills < wanted:
        root = quick_folder / f"killed-{runs}"
        delays_s = np.random.default_rng(runs).uniform(0.0, 0.012, size=18)
        kills += int(worker(WORKER, str(root), *map(str, delays_s)))
        runs += 1
        assert bytes_of(root / "run") == expected
        assert verify_run(root / "run") == []
    counted("F1", kills)


def test_of_eight_processes_one_holds_the_run_and_the_others_say_so(
    quick_folder: Path,  # noqa: F811
) -> None:
    races = times(20, 500)
    lines = worker(RACE, str(quick_folder), str(races)).splitlines()
    assert len(lines) == races
    assert all(line.split()[-1] == "10" and line.split()[-2] == "8" for line in lines), lines
    assert all(set(line.split()) <= {"3", "8", "10"} for line in lines), lines
    counted("F16", races)


def test_asked_to_stop_at_any_moment_a_run_ends_with_the_same_bytes(tmp_path: Path) -> None:
    rng = random.Random(5)
    grid.finish(grid.start(tmp_path / "straight"))
    expected = grid.files_of(grid.run_folder(tmp_path / "straight"))
    out, asked = tmp_path / "asked", 0
    for number in (signal.SIGINT, signal.SIGTERM) * times(1, 25):
        for twice in (False, True):
            process = grid.start(out)
            before = grid.checkpoints(out)
            moved = grid.wait_until(lambda b=before: bool(grid.checkpoints(out) - b), process)
            if not moved:
                break  # it has ended
            time.sleep(rng.uniform(0.0, 0.2))
            process.send_signal(number)
            if twice:
                time.sleep(rng.uniform(0.0, 0.1))
                process.send_signal(number)
            grid.finish(process, 128 + number)
            asked += 1
            assert read_manifest(grid.run_folder(out))["ss"]["status"] in ("interrupted", "running")
    grid.finish(grid.start(out))
    grid.assert_same(out, expected)
    assert asked >= 3
    counted("F3", asked)


SURROUNDINGS = (
    {"PYTHONHASHSEED": "0", "TZ": "Asia/Kathmandu"},
    {"PYTHONHASHSEED": "1", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
    {"PYTHONHASHSEED": "random", "TZ": "America/St_Johns", "PYTHONUTF8": "1"},
)


def test_the_surroundings_of_a_run_change_no_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for number, variables in enumerate(SURROUNDINGS):
        out = tmp_path / f"somewhere else {number}" / "runs"
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            patched.setattr(grid, "COMMAND", with_workers(1 + number % 2))
            grid.finish(grid.start(out))
        run = grid.run_folder(out)
        found.append({p.relative_to(run).as_posix(): p.read_bytes() for p in sealed_files(run)})
        counted("F22")
    assert all(each == found[0] for each in found[1:])


def with_workers(workers: int) -> tuple[str, ...]:
    command = list(grid.COMMAND)
    command[command.index("--workers") + 1] = str(workers)
    return tuple(command)
