"""The commit protocol: the one way in which a file of a run is published, and its checksums."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

from ss_core.errors import ResourceError

REMEDIES = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some of your quota or choose another folder",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder on a writable file system",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.EIO: "the disk reports a fault: choose another disk",
}


def atomic_write(path: Path, data: bytes) -> None:
    """Publish `data` as `path`, whole or not at all, and durably.

    Temporary file in the same folder, write, fsync, rename, fsync of the folder. A reader, or a run
    that resumes after a crash, sees the old file or the new one, never a part.

    Raises:
        ResourceError: the disk refused; the old file is untouched and the temporary one is gone.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        make_folder(path.parent)
        try:
            _write_durably(temporary, data)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise ResourceError(disk_message(path, len(data), error)) from error


def _write_durably(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, durably; an `OSError` is the caller's to explain."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # folders cannot be opened for fsync elsewhere
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def disk_message(path: Path, num_bytes: int, error: OSError) -> str:
    """What to tell a user whose disk refused to write `path`."""
    existing = next((folder for folder in path.parents if folder.exists()), Path.cwd())
    try:
        free = f"{shutil.disk_usage(existing).free:,} bytes free there"
    except OSError:
        free = "free space unknown"
    remedy = REMEDIES.get(error.errno or 0, "check the disk and the folder's permissions")
    return (
        f"{path}: cannot write {num_bytes:,} bytes: {error.strerror or error} ({free}). "
        f"What was committed before is intact: {remedy}, then run the same command again."
    )


def sha256_of(*paths: Path) -> str:
    """Hexadecimal SHA-256 of the files' bytes, one after the other."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(2**20):
                digest.update(chunk)
    return digest.hexdigest()


def json_bytes(value: object) -> bytes:
    """`value` as JSON with one fixed layout: equal values give equal bytes."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)
    return (text + "\n").encode()
