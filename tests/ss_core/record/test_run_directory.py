"""The run directory: atomic, locked, resumable, and the same bytes however often it was killed."""

import errno
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest

from ss_core.config import config_hash
from ss_core.errors import (
    ConfigError,
    CorruptError,
    InputError,
    Interrupted,
    ResourceError,
    RunLockedError,
)
from ss_core.record.atomic import atomic_write, sha256_of
from ss_core.record.locks import is_locked
from ss_core.record.manifest import (
    RUN_FORMAT,
    Status,
    read_manifest,
    sealed_files,
    verify_run,
)
from ss_core.record.run_directory import (
    RunDirectory,
    find_resumable,
    read_events,
    run_id,
    trace_run_id,
)

WORKER = Path(__file__).parents[2] / "support" / "kill_worker.py"
CONFIG = {"learner": {"rho": 0.5, "clip_eps": None}, "households": 50}


@pytest.fixture(scope="module")
def worker() -> ModuleType:
    spec = spec_from_file_location("kill_worker", WORKER)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: fsync costs nothing there."""
    memory = Path("/dev/shm")
    if not (memory.is_dir() and os.access(memory, os.W_OK)):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def uninterrupted(worker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worker.train(tmp_path_factory.mktemp("uninterrupted"))


def create(path: Path) -> RunDirectory:
    return RunDirectory.create(path, task="grid", size="h50", seed=0, config=CONFIG)


def bytes_of(run: Path) -> dict[str, bytes]:
    """Everything that may not differ between equal runs."""
    paths = [*sealed_files(run), run / "manifest.json"]
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in paths}


def test_a_run_is_named_by_utc_time_task_size_seed_and_configuration() -> None:
    now = datetime.fromisoformat("2026-11-22T12:06:39+01:00")
    digest = "7f3abcde" + 56 * "0"
    assert run_id("grid", "h50", 0, digest, now) == "20261122T110639Z-grid-h50-s0-7f3a"
    assert trace_run_id("grid", "h50", 0, digest) == "grid-h50-s0-7f3abcde"


def test_a_file_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "file"
    for data in (b"old", b"", b"n" * 100_000):
        atomic_write(path, data)
        assert path.read_bytes() == data
        assert os.listdir(path.parent) == ["file"]


def test_sha256_of_nothing_and_of_two_files_is_that_of_their_bytes(tmp_path: Path) -> None:
    for name, data in (("a", b"ab"), ("b", b"c"), ("c", b"")):
        (tmp_path / name).write_bytes(data)
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "a", tmp_path / "b", tmp_path / "c") == abc


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "free some space"), (errno.EROFS, "writable"), (errno.EMFILE, "ulimit")],
)
def test_a_disk_that_refuses_gives_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, remedy: str
) -> None:
    path = tmp_path / "file"
    atomic_write(path, b"old")

    def refuse(descriptor: int, data: memoryview) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(ResourceError, match=f"bytes free.*{remedy}") as caught:
        atomic_write(path, b"new")
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 6
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_in_place_of_a_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ResourceError, match="cannot write"):
        atomic_write(tmp_path / "file" / "below", b"x")
    with pytest.raises(ResourceError, match="cannot write"):
        create(tmp_path / "file" / "run")


def test_a_new_run_holds_its_configuration_and_surroundings(tmp_path: Path) -> None:
    now = datetime(2026, 11, 22, 11, 6, 39, tzinfo=UTC)
    with RunDirectory.create(
        tmp_path / "r", task="grid", size="h50", seed=0, config=CONFIG, now=now
    ) as run:
        assert (run.status, run.config, run.config_sha256) == (
            "running",
            CONFIG,
            config_hash(CONFIG),
        )
        run.finish("complete", facts={"n_incident": 0})
    config = tomllib.loads((tmp_path / "r" / "config.toml").read_text())
    assert config == {"learner": {"rho": 0.5}, "households": 50}  # TOML has no null
    environment = json.loads((tmp_path / "r" / "environment.json").read_bytes())
    assert environment["created"] == "2026-11-22T11:06:39+00:00"
    assert environment["directory"] == "r"
    manifest = read_manifest(tmp_path / "r")
    assert manifest["ss"]["status"] == "complete"
    assert manifest["ss"]["n_incident"] == 0
    assert list(manifest["ss"]["files"]) == ["config.toml"]
    assert verify_run(tmp_path / "r") == []


def test_what_a_crash_left_of_a_beginning_is_swept_away(tmp_path: Path) -> None:
    leftover = tmp_path / "run" / ".config.toml.733.tmp"
    leftover.parent.mkdir()
    leftover.write_bytes(b"seed = 0")  # killed before there was a manifest
    RunDirectory.create(tmp_path / "run", task="t", size="n1", seed=0, config={"seed": 0}).close()
    assert not leftover.exists()


def test_a_folder_with_a_run_or_without_one_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run here"):
        RunDirectory.open(tmp_path / "r")
    create(tmp_path / "r").close()
    with pytest.raises(ConfigError, match="holds a run already"):
        create(tmp_path / "r")
    with RunDirectory.open(tmp_path / "r") as run:
        run.finish("complete")
    with pytest.raises(ConfigError, match="complete"):
        RunDirectory.open(tmp_path / "r")
    assert not is_locked(tmp_path / "r")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"ss": {"status": "done"}}'])
def test_a_damaged_manifest_is_refused(tmp_path: Path, data: bytes) -> None:
    create(tmp_path / "r").close()
    (tmp_path / "r" / "manifest.json").write_bytes(data)
    with pytest.raises(CorruptError, match=r"manifest\.json"):
        RunDirectory.open(tmp_path / "r")
    assert find_resumable(tmp_path, config_hash(CONFIG)) is None


def test_a_configuration_changed_by_hand_is_refused(tmp_path: Path) -> None:
    create(tmp_path / "r").close()
    path = tmp_path / "r" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"rho": 0.5', b'"rho": 0.6'))
    with pytest.raises(CorruptError, match="does not match its hash"):
        RunDirectory.open(tmp_path / "r")


def renumbered(run: Path, number: str) -> Path:
    """The run with another format in its manifest, as JSON writes it; none if empty."""
    path = run / "manifest.json"
    entry = f'"format": {number},' if number else ""
    path.write_text(path.read_text().replace(f'"format": {RUN_FORMAT},', entry))
    return run


def test_a_run_written_today_has_the_format_of_today_and_is_continued(tmp_path: Path) -> None:
    create(tmp_path / "r").close()
    assert read_manifest(tmp_path / "r")["ss"]["format"] == RUN_FORMAT
    assert find_resumable(tmp_path, config_hash(CONFIG)) == tmp_path / "r"
    with RunDirectory.open(tmp_path / "r") as run:
        run.finish("complete")
    assert read_manifest(tmp_path / "r")["ss"]["format"] == RUN_FORMAT


@pytest.mark.parametrize(
    "number", ["null", "true", '"2"', "2.0", "0", "-1", "10000", "9" * 400, "1e999", "[]", "NaN"]
)
def test_a_format_that_is_no_number_is_refused(tmp_path: Path, number: str) -> None:
    create(tmp_path / "r").close()
    renumbered(tmp_path / "r", number)
    with pytest.raises(CorruptError, match=r"manifest\.json: its format is not an integer from 1"):
        RunDirectory.open(tmp_path / "r")
    assert find_resumable(tmp_path, config_hash(CONFIG)) is None


@pytest.mark.parametrize(
    ("number", "facts", "told"),
    [
        ("", b"", "format 1, and this version .* use version 0.1 to finish it"),
        ("3", b"", "format 3, and this version .* use the version that wrote it to finish it"),
        (
            "3",
            b'{"packages": {"suggestion-sharing": "0.3.0"}}',
            "format 3, written by version 0.3.0, and .* use version 0.3.0 to finish it",
        ),
        ("3", b'{"packages": {"suggestion-sharing": "a\\nb"}}', "format 3, and .* that wrote it"),
        ("3", b'{"packages": []}', "format 3, and .* that wrote it"),
        ("3", b"[" * 100_000, "format 3, and .* that wrote it"),
    ],
)
def test_a_run_of_another_format_is_not_continued(
    tmp_path: Path, number: str, facts: bytes, told: str
) -> None:
    create(tmp_path / "r").close()
    (tmp_path / "r" / "environment.json").write_bytes(facts)
    before = bytes_of(renumbered(tmp_path / "r", number))
    with pytest.raises(ConfigError, match=told) as caught:
        RunDirectory.open(tmp_path / "r")
    assert "\n" not in str(caught.value)
    assert find_resumable(tmp_path, config_hash(CONFIG)) is None
    assert bytes_of(tmp_path / "r") == before


def test_only_one_process_writes_a_run(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from ss_core.record.run_directory import RunDirectory\n"
        "run = RunDirectory.open(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    create(tmp_path / "r").close()
    command = [sys.executable, "-c", code, str(tmp_path / "r")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert is_locked(tmp_path / "r")
        assert find_resumable(tmp_path, config_hash(CONFIG)) is None
        with pytest.raises(RunLockedError, match=f"process {holder.pid} on .* since") as caught:
            RunDirectory.open(tmp_path / "r")
        assert caught.value.exit_code == 8
        holder.kill()
    assert not is_locked(tmp_path / "r")  # no stale lock
    assert find_resumable(tmp_path, config_hash(CONFIG)) == tmp_path / "r"


def test_the_same_process_cannot_open_a_run_twice(tmp_path: Path) -> None:
    with create(tmp_path / "r"), pytest.raises(RunLockedError):
        RunDirectory.open(tmp_path / "r")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("x"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (Interrupted("x"), "interrupted"),
        (ResourceError("x"), "interrupted"),
    ],
)
def test_a_run_left_by_an_exception_says_so(
    tmp_path: Path, error: BaseException, status: str
) -> None:
    with pytest.raises(type(error)), create(tmp_path / "r"):
        raise error
    assert read_manifest(tmp_path / "r")["ss"]["status"] == status
    assert not is_locked(tmp_path / "r")


def test_the_newest_run_that_was_cut_short_is_found(tmp_path: Path) -> None:
    outcomes: list[Status] = ["interrupted", "running", "complete", "failed"]
    for hour, (name, outcome) in enumerate(zip("dcba", outcomes, strict=True)):
        now = datetime(2026, 1, 1, hour, tzinfo=UTC)
        with RunDirectory.create(
            tmp_path / name, task="grid", size="h50", seed=0, config=CONFIG, now=now
        ) as run:
            if outcome != "running":
                run.finish(outcome)
    assert find_resumable(tmp_path, config_hash(CONFIG)) == tmp_path / "c"
    assert find_resumable(tmp_path, config_hash({})) is None
    assert find_resumable(tmp_path / "nowhere", config_hash(CONFIG)) is None


def test_a_torn_last_event_is_skipped_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    with create(tmp_path / "r") as run:
        run.log_event("start", {"households": 50})
        with (tmp_path / "r" / "events.jsonl").open("ab") as file:
            file.write('{"event": "torn Überl'.encode()[:-1])
        run.log_event("resumed")
    events = read_events(tmp_path / "r")
    assert [event["event"] for event in events] == ["start", "resumed"]
    assert events[0]["households"] == 50
    assert events[0]["time_utc"].endswith("+00:00")


@pytest.mark.parametrize("name", ["../x", "", "A", "a/b", ".hidden", "x" * 81])
def test_a_task_cannot_leave_its_run(tmp_path: Path, name: str) -> None:
    with create(tmp_path / "r") as run, pytest.raises(ConfigError, match="task name"):
        run.task_folder(name)


def test_verification_finds_every_kind_of_change(uninterrupted: Path, tmp_path: Path) -> None:
    run = tmp_path / "moved and renamed"
    for path in uninterrupted.rglob("*"):
        if path.is_file():
            atomic_write(run / path.relative_to(uninterrupted), path.read_bytes())
    assert verify_run(run) == []
    metrics = run / "tasks" / "ss-0" / "metrics"
    data = (metrics / "part-000003.parquet").read_bytes()
    (metrics / "part-000003.parquet").write_bytes(data[:-9] + b"x" + data[-8:])
    (run / "tasks" / "ss-0" / "LATEST").unlink()
    (run / "stray").write_bytes(b"")
    (run / "report.html").write_bytes(b"made later")
    assert verify_run(run) == [
        "tasks/ss-0/LATEST: missing",
        "stray: not part of the run",
        "tasks/ss-0/metrics/part-000003.parquet: SHA-256 differs from the manifest; "
        "the file was changed",
        "table 'metric': hash differs from the manifest",
    ]


def test_two_equal_runs_leave_the_same_bytes(
    worker: ModuleType, uninterrupted: Path, tmp_path: Path
) -> None:
    assert bytes_of(worker.train(tmp_path)) == bytes_of(uninterrupted)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the harness forks")
def test_a_run_killed_at_random_moments_leaves_the_same_bytes(
    uninterrupted: Path, quick_folder: Path
) -> None:
    delays_s = np.random.default_rng(0).uniform(0.0, 0.01, size=10)
    result = subprocess.run(
        [sys.executable, str(WORKER), str(quick_folder), *map(str, delays_s)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= 3
    assert bytes_of(quick_folder / "run") == bytes_of(uninterrupted)
    assert verify_run(quick_folder / "run") == []


def failing_at(monkeypatch: pytest.MonkeyPatch, nth: int, number: int) -> Callable[[], int]:
    """Let the n-th call that changes the disk fail; returns how many calls there were."""
    num_calls = 0

    def wrap(name: str) -> None:
        original = getattr(os, name)

        def call(*arguments: object) -> object:
            nonlocal num_calls
            num_calls += 1
            if num_calls == nth:
                raise OSError(number, os.strerror(number))
            return original(*arguments)

        monkeypatch.setattr(os, name, call)

    for name in ("write", "fsync", "replace", "mkdir"):
        wrap(name)
    return lambda: num_calls


def is_complete(run: Path) -> bool:
    return (run / "manifest.json").exists() and read_manifest(run)["ss"]["status"] == "complete"


def test_whichever_write_fails_the_run_goes_on_to_the_same_bytes(
    worker: ModuleType, quick_folder: Path
) -> None:
    size = {"updates": 4, "tasks": ("ss-0",)}
    expected = bytes_of(worker.train(quick_folder / "straight", **size))
    num_calls = 0
    for nth in count(1):
        root = quick_folder / str(nth)
        root.mkdir()
        failed = False
        with pytest.MonkeyPatch.context() as monkeypatch:
            calls = failing_at(monkeypatch, nth, (errno.ENOSPC, errno.EIO)[nth % 2])
            try:
                worker.train(root, **size)
            except ResourceError:
                failed = True
            num_calls = calls()
        if num_calls < nth:
            break
        for path in root.rglob("*.parquet"):
            assert pq.read_metadata(path).num_rows == 2
        if not is_complete(root / "run"):
            assert failed
            worker.train(root, **size)
        assert bytes_of(root / "run") == expected
    assert num_calls >= 60
