"""F4, F5, F6: power fails, a call fails, files cannot grow; then the same run again."""

import errno
import os
import shutil
import subprocess
import sys
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest

from ss_core.errors import ResourceError
from ss_core.record.manifest import read_manifest, verify_run
from tests.ss_core.record.test_run_directory import (  # noqa: F401
    WORKER,
    bytes_of,
    failing_at,
    is_complete,
    quick_folder,
    worker,
)
from tests.support.fault_counts import counted, times
from tests.support.lost_power import laid_out, recorded

SIZE = {"updates": 6, "tasks": ("ss-0",)}  # three commits
ERRNOS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)


def begun(root: Path) -> bool:
    return (root / "run" / "manifest.json").exists()


def test_whatever_a_loss_of_power_leaves_the_run_ends_with_the_same_bytes(
    worker: ModuleType,  # noqa: F811
    quick_folder: Path,  # noqa: F811
) -> None:
    root = quick_folder / "recorded"
    size = SIZE | {"updates": times(6, 40)}
    with recorded(root) as disk:
        worker.train(root, **size)
    expected = bytes_of(root / "run")
    states = [state for pair in disk.states for state in pair]
    assert len(states) > 150
    before: dict[str, bytes] | None = None
    tried = 0
    for number, state in enumerate(states):
        if state == before:
            continue
        before, tried = state, tried + 1
        left = quick_folder / str(number)
        laid_out(state, root, left)
        if begun(left) and read_manifest(left / "run")["ss"]["status"] == "complete":
            found = bytes_of(left / "run")  # beside which a deleted checkpoint may have come back
            assert {name: found.get(name) for name in expected} == expected
        else:
            if not begun(left):
                shutil.rmtree(left, ignore_errors=True)
                left.mkdir()
            worker.train(left, **size)
            assert bytes_of(left / "run") == expected
        shutil.rmtree(left)
    counted("F4", tried)


@pytest.mark.parametrize("number", ERRNOS, ids=[errno.errorcode[n] for n in ERRNOS])
def test_whichever_call_to_the_disk_fails_the_run_survives(
    worker: ModuleType,  # noqa: F811
    quick_folder: Path,  # noqa: F811
    number: int,
) -> None:
    size = SIZE | {"updates": times(4, 20)}
    expected = bytes_of(worker.train(quick_folder / "straight", **size))
    made = 0
    for nth in count(1):
        root = quick_folder / str(nth)
        root.mkdir()
        message = ""
        with pytest.MonkeyPatch.context() as patched:
            calls = failing_at(patched, nth, number)
            try:
                worker.train(root, **size)
            except ResourceError as error:
                message = str(error)
            made = calls()
        if made < nth:
            break
        if not is_complete(root / "run"):
            assert "free" in message
            assert str(root) in message
            worker.train(root, **size)
        assert bytes_of(root / "run") == expected
        counted("F5")
        shutil.rmtree(root)
    assert made >= 60


LIMITED = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
sys.path.insert(0, sys.argv[3])
import kill_worker
from ss_core.errors import ResourceError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    kill_worker.train(Path(sys.argv[1]), updates=6, tasks=("ss-0",))
except ResourceError as error:
    print(error)
    sys.exit(6)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits as POSIX has them")
def test_a_file_that_cannot_grow_is_told_of_and_the_run_goes_on_later(
    worker: ModuleType,  # noqa: F811
    tmp_path: Path,
) -> None:
    expected = bytes_of(worker.train(tmp_path / "straight", **SIZE))
    for limit in (100, 1000, 2500):
        root = tmp_path / str(limit)
        root.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, str(root), str(limit), str(WORKER.parent)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.returncode == 6, done.stderr
        assert "cannot write" in done.stdout
        assert list(root.rglob("*.tmp")) == []
        run = worker.train(root, **SIZE)
        assert bytes_of(run) == expected
        assert verify_run(run) == []
        counted("F6")
