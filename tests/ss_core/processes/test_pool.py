"""A pool of processes that stay: order, failures set aside, deaths tried again, signals, logs."""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ss_core.errors import InputError, Interrupted, ResourceError
from ss_core.processes.child_tasks import Report, Stop, Task
from ss_core.processes.pool import FAILURE_LOG, run_pool

# what children do; imported by them under this module's name


def name_process(arguments: Mapping[str, Any], report: Report, _stop: Stop) -> bool:
    report(1, 1, "")
    (Path(arguments["folder"]) / "process").write_text(str(os.getpid()))
    return True


def fail(arguments: Mapping[str, Any], _report: Report, _stop: Stop) -> bool:
    sys.stderr.write("last words\n")
    match arguments["how"]:
        case "input":
            raise InputError("map.txt: line 3")
        case "bug":
            raise KeyError("nobody foresaw this")
        case _:
            raise OSError(28, "No space left on device")


def die(arguments: Mapping[str, Any], _report: Report, _stop: Stop) -> bool:
    """Dies until it has been started often enough."""
    starts = Path(arguments["folder"]) / "starts"
    count = int(starts.read_text()) + 1 if starts.exists() else 1
    starts.write_text(str(count))
    sys.stderr.write(f"start {count}\n")
    sys.stderr.flush()
    if count <= arguments["deaths"]:
        os.kill(os.getpid(), signal.SIGABRT)
    return True


def work_until_stopped(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    report(0, 1, "under way")
    while not stop():
        time.sleep(0.01)
    (Path(arguments["folder"]) / "committed").touch()
    return False


def task(target: Any, folder: Path, name: str, **arguments: Any) -> Task:
    return Task(
        name=name,
        target=f"ss_core_test_pool:{target.__name__}",
        arguments={"folder": str(folder / name), **arguments},
        folder=str(folder / name),
        log="stderr.log",
    )


@pytest.fixture(autouse=True)
def importable(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children import this file under a name that is no test module's."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "ss_core_test_pool.py").write_bytes(Path(__file__).read_bytes())
    monkeypatch.syspath_prepend(str(folder))


def ignore(_task: str, _stage: str, _done: float, _total: float, _note: str) -> None:
    pass


def test_processes_stay_from_task_to_task_and_tasks_are_taken_in_order(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []
    names = [f"t{i}" for i in range(5)]
    tasks = [task(name_process, tmp_path, name) for name in names]
    failures = run_pool(tasks, 1, lambda name, stage, *_: seen.append((name, stage)))
    assert failures == []
    assert seen == [(name, stage) for name in names for stage in ("working", "done")]
    assert len({(tmp_path / name / "process").read_text() for name in names}) == 1
    assert not list(tmp_path.glob("*/stderr.log"))  # nothing was written to it


@pytest.mark.parametrize(
    ("how", "words"), [("input", "map.txt: line 3"), ("bug", "KeyError: 'nobody foresaw this'")]
)
def test_a_task_that_fails_is_set_aside_with_a_log(tmp_path: Path, how: str, words: str) -> None:
    tasks = [task(fail, tmp_path, "bad", how=how), task(name_process, tmp_path, "good")]
    (failure,) = run_pool(tasks, 1, ignore)
    assert (failure.task, words in failure.reason) == ("bad", True)
    assert failure.log == str(tmp_path / "bad" / FAILURE_LOG)
    log = Path(failure.log).read_text()
    assert "last words" in log
    assert ("Traceback" in log) is (how == "bug")
    assert (tmp_path / "good" / "process").exists()


def test_a_task_whose_process_died_is_tried_again(tmp_path: Path) -> None:
    stages: list[str] = []
    tasks = [task(die, tmp_path, "late", deaths=1), task(name_process, tmp_path, "good")]
    assert run_pool(tasks, 1, lambda _task, stage, *_: stages.append(stage)) == []
    assert stages == ["again", "done", "working", "done"]
    assert not (tmp_path / "late" / FAILURE_LOG).exists()


def test_a_task_that_dies_twice_is_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    tasks = [task(die, tmp_path, "dead", deaths=9), task(name_process, tmp_path, "good")]
    (failure,) = run_pool(tasks, 1, ignore)
    assert "died 2 times (exit code -6" in failure.reason
    log = Path(failure.log).read_text()
    assert "start 2" in log
    assert "Fatal Python error: Aborted" in log
    assert (tmp_path / "good" / "process").exists()


def test_a_later_success_takes_the_log_away(tmp_path: Path) -> None:
    dying = task(die, tmp_path, "late", deaths=1)
    assert len(run_pool([dying], 1, ignore, retries=0)) == 1
    assert (tmp_path / "late" / FAILURE_LOG).exists()
    assert run_pool([dying], 1, ignore, retries=0) == []
    assert not (tmp_path / "late" / FAILURE_LOG).exists()


def test_a_full_disk_stops_everything_and_lets_the_others_commit(tmp_path: Path) -> None:
    tasks = [task(work_until_stopped, tmp_path, "a"), task(fail, tmp_path, "b", how="disk")]
    tasks += [task(name_process, tmp_path, "never")]
    with pytest.raises(ResourceError, match="No space left"):
        run_pool(tasks, 2, ignore)
    assert not (tmp_path / "never").exists()


def test_once_the_time_is_up_tasks_commit_and_no_other_begins(tmp_path: Path) -> None:
    under_way: list[str] = []
    tasks = [task(work_until_stopped, tmp_path, "a"), task(name_process, tmp_path, "never")]

    def note(name: str, *_: Any) -> None:
        under_way.append(name)

    assert run_pool(tasks, 1, note, time_is_up=lambda: bool(under_way)) == []
    assert set(under_way) == {"a"}
    assert (tmp_path / "a" / "committed").exists()
    assert not (tmp_path / "never").exists()
    assert run_pool(tasks, 1, note, time_is_up=lambda: True) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_tasks_commit_and_names_the_exit_code(tmp_path: Path, number: int) -> None:
    def interrupt(*_: Any) -> None:
        threading.Timer(0.1, os.kill, (os.getpid(), number)).start()

    with pytest.raises(Interrupted) as caught:
        run_pool([task(work_until_stopped, tmp_path, "a")], 2, interrupt)
    assert caught.value.exit_code == 128 + number
    assert (tmp_path / "a" / "committed").exists()
