"""Tasks in child processes: order, progress, errors, deaths, orphans, locks and signals."""

import os
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ss_core.errors import InputError, Interrupted, ResourceError, RunLockedError
from ss_core.processes import child_tasks as workers
from ss_core.processes.child_tasks import Report, Stop, Task, interruptible, run_tasks

# what children do; imported by them under this module's name


def count_to(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    for done in range(arguments["total"] + 1):
        report(done, arguments["total"], "")
    (Path(arguments["folder"]) / "finished").touch()
    return not stop()


def fail(arguments: Mapping[str, Any], _report: Report, _stop: Stop) -> bool:
    match arguments["how"]:
        case "input":
            raise InputError("feeder.json: line 3")
        case "bug":
            raise KeyError("nobody foresaw this")
        case "disk":
            raise OSError(28, "No space left on device")
        case _:
            raise MemoryError


def die(arguments: Mapping[str, Any], report: Report, _stop: Stop) -> bool:
    """Dies without a word until it has been started often enough."""
    starts = Path(arguments["folder"]) / "starts"
    count = int(starts.read_text()) + 1 if starts.exists() else 1
    starts.write_text(str(count))
    if count <= arguments["deaths"]:
        os.kill(os.getpid(), signal.SIGKILL)
    report(1, 1, f"start {count}")
    return True


def work_until_stopped(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    report(0, 1, "under way")
    while not stop():
        time.sleep(0.01)
    (Path(arguments["folder"]) / "committed").touch()
    return False


def task(target: Any, folder: Path, name: str = "task", **arguments: Any) -> Task:
    return Task(
        name=name,
        target=f"ss_core_test_workers:{target.__name__}",
        arguments={"folder": str(folder), **arguments},
        folder=str(folder),
    )


@pytest.fixture(autouse=True)
def importable(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children import this file under a name that is no test module's."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "ss_core_test_workers.py").write_bytes(Path(__file__).read_bytes())
    monkeypatch.syspath_prepend(str(folder))


def ignore(_task: str, _done: float, _total: float, _note: str) -> None:
    pass


def test_tasks_report_and_reach_their_end(tmp_path: Path) -> None:
    seen: list[tuple[str, float, float, str]] = []
    tasks = [task(count_to, tmp_path / name, name, total=3) for name in ("a", "b", "c")]
    run_tasks(tasks, 2, lambda *report: seen.append(report))
    for name in ("a", "b", "c"):
        assert [done for who, done, _, _ in seen if who == name] == [0, 1, 2, 3]
        assert (tmp_path / name / "finished").exists()


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("input", InputError, "feeder.json: line 3"),
        ("bug", RuntimeError, "nobody foresaw this"),
        ("disk", ResourceError, "No space left"),
        ("memory", ResourceError, "out of memory"),
    ],
)
def test_an_error_of_a_task_is_raised_where_it_was_started(
    tmp_path: Path, how: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        run_tasks([task(fail, tmp_path, how=how)], 1, ignore)


def test_a_task_that_dies_is_started_again(tmp_path: Path) -> None:
    notes: list[str] = []
    run_tasks([task(die, tmp_path, deaths=2)], 1, lambda *report: notes.append(report[3]))
    assert notes == ["start 3"]


def test_a_task_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(ResourceError, match=r"'task' died 3 times .*exit code -9.*same command"):
        run_tasks([task(die, tmp_path, deaths=9)], 1, ignore)
    assert (tmp_path / "starts").read_text() == "3"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_tasks_commit_and_names_the_exit_code(tmp_path: Path, number: int) -> None:
    def interrupt(_name: str, _done: float, _total: float, _note: str) -> None:
        threading.Timer(0.1, os.kill, (os.getpid(), number)).start()

    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught:
        run_tasks([task(work_until_stopped, tmp_path)], 1, interrupt)
    assert caught.value.exit_code == 128 + number
    assert (tmp_path / "committed").exists()
    assert signal.getsignal(number) is before


def test_a_failure_of_one_task_lets_the_others_commit(tmp_path: Path) -> None:
    tasks = [task(work_until_stopped, tmp_path / "a", "a")]
    tasks += [task(die, tmp_path / "b", "b", deaths=9)]  # long enough for the other to begin
    with pytest.raises(ResourceError):
        run_tasks(tasks, 2, ignore)
    assert (tmp_path / "a" / "committed").exists()


def test_a_task_waits_for_the_lock_of_its_folder(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / ".lock", thread_local=False)
    lock.acquire()
    notes: list[str] = []

    def let_go(_name: str, _done: float, _total: float, note: str) -> None:
        notes.append(note)
        if "waiting" in note:
            assert not (tmp_path / "finished").exists()
            lock.release()

    run_tasks([task(count_to, tmp_path, total=1)], 1, let_go)
    assert "waiting" in notes[0]
    assert (tmp_path / "finished").exists()


def test_a_folder_that_stays_locked_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "LOCK_WAIT_S", 0.1)
    reports: list[str] = []
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(RunLockedError, match="still works here"),
    ):
        workers._lock_folder(tmp_path, lambda _done, _total, note: reports.append(note))
    assert len(reports) == 1


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="cannot write"):
        run_tasks([task(count_to, tmp_path / "file" / "folder", total=1)], 1, ignore)


def test_interruptible_leaves_signals_of_other_threads_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def body() -> None:
        with interruptible():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [before]
