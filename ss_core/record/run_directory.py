"""The record door: the run directory, owned by one process at a time.

Every file of it except the `VOLATILE` ones is a function of configuration and seed alone: a run
that was killed and resumed leaves the same bytes as one that was not. Hence no clock and no
directory name enters the manifest, the traces or the checkpoints; those go to `environment.json`.
"""

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from ss_core.config import config_hash, toml_bytes
from ss_core.errors import ConfigError, CorruptError, Interrupted, ResourceError
from ss_core.record.atomic import atomic_write, disk_message, json_bytes, make_folder, sha256_of
from ss_core.record.layout import TASKS
from ss_core.record.locks import acquire_lock, is_locked
from ss_core.record.manifest import (
    RUN_FORMAT,
    Status,
    check_continuable,
    format_of,
    read_manifest,
    sealed_files,
)
from ss_core.record.provenance import environment_facts
from ss_core.record.schema import TRACE_SCHEMA

PACKAGE_SCHEMA = "https://datapackage.org/profiles/2.0/datapackage.json"
TASK_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")


def run_id(task: str, size: str, seed: int, config_sha256: str, now: datetime) -> str:
    """Name of a run directory: UTC time, task, size, seed, start of the configuration's hash."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{task}-{size}-s{seed}-{config_sha256[:4]}"


def trace_run_id(task: str, size: str, seed: int, config_sha256: str) -> str:
    """`run_id` as it stands inside traces: the same for every repetition of a run."""
    return f"{task}-{size}-s{seed}-{config_sha256[:8]}"


class RunDirectory:
    """A run directory held by this process; a context manager that gives the lock back.

    Leaving the block by an exception marks the run `failed`; by a signal or for want of a resource,
    `interrupted`, which `find_resumable` finds. Ending it well is said by `finish`.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock; use `create` or `open`."""
        self.path = path
        self._lock = acquire_lock(path)
        self._manifest: dict[str, Any] = {}

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        task: str,
        size: str,
        seed: int,
        config: Mapping[str, Any],
        environment: Mapping[str, Any] | None = None,
        now: datetime | None = None,
    ) -> "RunDirectory":
        """Start a new run in `path`, a folder that holds no run yet.

        Raises:
            ConfigError: a run is there already.
            RunLockedError: another process is starting one there.
        """
        run = cls(path)
        if (path / "manifest.json").exists():
            run.close()
            raise ConfigError(f"{path}: holds a run already; resume it or choose another folder")
        _sweep(path)
        sha256 = config_hash(config)
        block = {
            "format": RUN_FORMAT,
            "task": task,
            "size": size,
            "seed": seed,
            "config_sha256": sha256,
            "config": config,
        }
        name = trace_run_id(task, size, seed, sha256)
        run._manifest = {
            "$schema": PACKAGE_SCHEMA,
            "name": name,
            "resources": [],
            "ss": {"trace_schema": TRACE_SCHEMA, "run_id": name, "status": "running", **block},
        }
        created = (now or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")
        facts = {
            **environment_facts(),
            **(environment or {}),
            "created": created,
            "directory": path.name,
        }
        atomic_write(path / "config.toml", toml_bytes(config))
        atomic_write(path / "environment.json", json_bytes(facts))
        run._publish()
        return run

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Continue the run in `path`; what a crash left half written is swept away.

        Raises:
            InputError: no run there.
            ConfigError: the run is complete, or of another format.
            CorruptError: the manifest does not hold together.
            RunLockedError: another process is writing it.
        """
        check_continuable(path, read_manifest(path))
        run = cls(path)
        try:
            run._manifest = read_manifest(path)
            if run._manifest["ss"]["status"] == "complete":
                raise ConfigError(f"{path}: this run is complete; start a new one to go on")
            _sweep(path)
            run._manifest["resources"] = []
            run._set_status("running")
        except BaseException:
            run.close()
            raise
        return run

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration the run was started with."""
        return self._manifest["ss"]["config"]

    @property
    def config_sha256(self) -> str:
        """Hash of `config`."""
        return self._manifest["ss"]["config_sha256"]

    @property
    def trace_run_id(self) -> str:
        """The `run_id` to write into traces."""
        return self._manifest["ss"]["run_id"]

    @property
    def status(self) -> Status:
        """Where the run stands."""
        return self._manifest["ss"]["status"]

    def task_folder(self, name: str) -> Path:
        """`tasks/<name>/`: the checkpoints, metrics and traces of one sub-task."""
        if not TASK_NAME.fullmatch(name):
            raise ConfigError(f"task name {name!r} must match {TASK_NAME.pattern}")
        folder = self.path / TASKS / name
        try:
            make_folder(folder)
        except OSError as error:
            raise ResourceError(disk_message(folder, 0, error)) from error
        return folder

    def log_event(self, event: str, detail: Mapping[str, Any] | None = None) -> None:
        """Append one line to `events.jsonl`, below a line that an earlier crash may have torn."""
        record = {"time_utc": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
        line = json.dumps({**record, **(detail or {})}, ensure_ascii=False).encode() + b"\n"
        path = self.path / "events.jsonl"
        try:
            with path.open("a+b", buffering=0) as file:
                if file.seek(0, os.SEEK_END):
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read(1) == b"\n" else b"\n" + line
                file.write(line)
        except OSError as error:
            raise ResourceError(disk_message(path, len(line), error)) from error

    def write_timing(self, timing: Mapping[str, Any]) -> None:
        """Replace `timing.json`: seconds spent where."""
        atomic_write(self.path / "timing.json", json_bytes(timing))

    def finish(
        self,
        status: Status,
        *,
        resources: Sequence[Mapping[str, Any]] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Seal the run: list its tables (see `traces.trace_resources`) and each file's SHA-256."""
        self._manifest["resources"] = list(resources)
        self._manifest["ss"].update(facts or {})
        self._manifest["ss"]["files"] = {
            path.relative_to(self.path).as_posix(): {
                "bytes": path.stat().st_size,
                "sha256": sha256_of(path),
            }
            for path in sealed_files(self.path)
        }
        self._set_status(status)

    def _set_status(self, status: Status) -> None:
        if status == "running":
            self._manifest["ss"].pop("files", None)
        self._manifest["ss"]["status"] = status
        self._publish()

    def _publish(self) -> None:
        atomic_write(self.path / "manifest.json", json_bytes(self._manifest))

    def close(self) -> None:
        """Give the lock back."""
        self._lock.release()

    def __enter__(self) -> "RunDirectory":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is not None and self.status == "running":
                interrupted = issubclass(kind, (KeyboardInterrupt, Interrupted, ResourceError))
                self._set_status("interrupted" if interrupted else "failed")
        except ResourceError:
            pass  # show the first error; `running` without a lock can be resumed just as well
        finally:
            self.close()


def find_resumable(root: Path, config_sha256: str) -> Path | None:
    """The newest free run below `root` that was cut short, of this configuration and format."""
    found: list[tuple[str, str, Path]] = []
    for path in sorted(root.glob("*/manifest.json")):
        try:
            manifest = read_manifest(path.parent)
        except (CorruptError, OSError):
            continue  # not ours to judge here: `verify_run` tells
        block = manifest["ss"]
        asked_for = (format_of(manifest), block["config_sha256"]) == (RUN_FORMAT, config_sha256)
        if asked_for and block["status"] in ("running", "interrupted"):
            found.append((_created(path.parent), path.parent.name, path.parent))
    return next((path for _, _, path in sorted(found, reverse=True) if not is_locked(path)), None)


def _created(path: Path) -> str:
    try:
        return str(json.loads((path / "environment.json").read_bytes())["created"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a run; a line torn by a crash is skipped."""
    events: list[dict[str, Any]] = []
    file = path / "events.jsonl"
    for line in file.read_bytes().splitlines() if file.exists() else ():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events


def _sweep(folder: Path) -> None:
    """Remove what a crash left half written; whoever does so holds the folder's lock."""
    for leftover in folder.rglob(".*.tmp"):
        leftover.unlink(missing_ok=True)
