"""One writer per run directory: a kernel lock, and beside it who holds it."""

import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ss_core.errors import ResourceError, RunLockedError
from ss_core.record.atomic import atomic_write, disk_message, json_bytes, make_folder

if TYPE_CHECKING:
    from filelock import FileLock


def acquire_lock(path: Path) -> "FileLock":
    """Lock `path` for this process; the kernel gives the lock back when the process dies."""
    from filelock import FileLock, Timeout

    lock = FileLock(path / ".lock", thread_local=False)
    owner = path / ".lock.json"
    try:
        make_folder(path)
        lock.acquire(timeout=0.2, poll_interval=0.02)  # outlasts a probe by `is_locked`
    except Timeout as error:
        raise RunLockedError(
            f"{path}: another process is writing this run ({_describe_owner(owner)}); "
            "wait for it, stop it, or choose another folder"
        ) from error
    except OSError as error:
        raise ResourceError(disk_message(path / ".lock", 0, error)) from error
    start = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        atomic_write(
            owner, json_bytes({"pid": os.getpid(), "host": socket.gethostname(), "start": start})
        )
    except ResourceError:
        lock.release()
        raise
    return lock


def _describe_owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_bytes())
        return f"process {owner['pid']} on {owner['host']} since {owner['start']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "owner unknown"


def is_locked(path: Path) -> bool:
    """Whether a live process holds the run in `path`."""
    from filelock import FileLock, Timeout

    if not (path / ".lock").exists():
        return False
    try:
        with FileLock(path / ".lock", timeout=0, thread_local=False):
            return False
    except Timeout:
        return True
    except OSError:
        return False  # a folder we may only read: nobody we could disturb
