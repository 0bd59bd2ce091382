"""A disk in memory that knows what would survive a loss of power, operation by operation.

What `ss_core.record.atomic` and the clean-up of old files do to the disk is recorded while it is
really done. Content survives once its file was synced, a name (new, replaced or gone) once its
folder was.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


@dataclass(slots=True)
class Inode:
    """A file: what is in it, and what of that was synced."""

    data: bytes = b""
    synced: bytes | None = None


@dataclass(slots=True)
class Disk:
    """Names as programs see them and as they survive; folders exist where a name needs them."""

    seen: dict[str, Inode] = field(default_factory=dict)
    safe: dict[str, Inode] = field(default_factory=dict)
    states: list[tuple[dict[str, bytes], dict[str, bytes]]] = field(default_factory=list)

    def note(self) -> None:
        """Remember what is left if power fails now: without and with names not synced yet."""
        least = {name: node.synced or b"" for name, node in self.safe.items()}
        most = {name: node.synced or b"" for name, node in self.seen.items()}
        self.states.append((least, most))

    def sync_folder(self, folder: str) -> None:
        """Names directly in the folder become safe as they are seen."""
        for name in [n for n in self.safe if os.path.dirname(n) == folder]:
            if name not in self.seen:
                del self.safe[name]
        here = {n: node for n, node in self.seen.items() if os.path.dirname(n) == folder}
        self.safe.update(here)


class Recorder:
    """Stands between programs and the disk; does what it is asked, and notes what survives."""

    def __init__(self, root: Path) -> None:
        self.disk = Disk()
        self._below = str(root) + os.sep
        self._files: dict[int, Inode] = {}  # by descriptor
        self._folders: dict[int, str] = {}
        self._real = {name: getattr(os, name) for name in RECORDED}
        self._unlink, self._rmtree = Path.unlink, shutil.rmtree

    def open(self, path: Any, flags: int, *rest: Any, **named: Any) -> int:
        descriptor = self._real["open"](path, flags, *rest, **named)
        name = str(path)
        if name.startswith(self._below) and os.path.isdir(name):
            self._folders[descriptor] = name
        elif name.startswith(self._below) and flags & os.O_TRUNC:
            self.disk.seen[name] = self._files[descriptor] = Inode()
            self.disk.note()
        return descriptor

    def write(self, descriptor: int, data: Any) -> int:
        count = self._real["write"](descriptor, data)
        if descriptor in self._files:
            self._files[descriptor].data += bytes(data[:count])
            self.disk.note()
        return count

    def fsync(self, descriptor: int) -> None:
        self._real["fsync"](descriptor)
        if descriptor in self._files:
            self._files[descriptor].synced = self._files[descriptor].data
            self.disk.note()
        elif descriptor in self._folders:
            self.disk.sync_folder(self._folders[descriptor])
            self.disk.note()

    def close(self, descriptor: int) -> None:
        self._files.pop(descriptor, None)
        self._folders.pop(descriptor, None)
        self._real["close"](descriptor)

    def replace(self, source: Any, target: Any, **named: Any) -> None:
        self._real["replace"](source, target, **named)
        if str(source) in self.disk.seen:
            self.disk.seen[str(target)] = self.disk.seen.pop(str(source))
            self.disk.note()

    def unlink(self, path: Path, missing_ok: bool = False) -> None:
        self._unlink(path, missing_ok=missing_ok)
        if self.disk.seen.pop(str(path), None) is not None:
            self.disk.note()

    def rmtree(self, path: Any, *rest: Any, **named: Any) -> None:
        self._rmtree(path, *rest, **named)
        for name in [n for n in self.disk.seen if n.startswith(f"{path}{os.sep}")]:
            del self.disk.seen[name]
            self.disk.note()


RECORDED = ("open", "write", "fsync", "close", "replace")


@contextmanager
def recorded(root: Path) -> Iterator[Disk]:
    """Record what happens below `root`."""
    recorder = Recorder(root)
    with pytest.MonkeyPatch.context() as patched:
        for name in RECORDED:
            patched.setattr(os, name, getattr(recorder, name))
        patched.setattr(Path, "unlink", lambda path, **named: recorder.unlink(path, **named))
        patched.setattr(shutil, "rmtree", recorder.rmtree)
        yield recorder.disk


def laid_out(state: dict[str, bytes], old_root: Path, new_root: Path) -> None:
    """Write what was left of `old_root` below `new_root`."""
    for name, data in state.items():
        path = new_root / Path(name).relative_to(old_root)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
