"""Checkpoints: safetensors and JSON with checksums behind one pointer; never pickle.

Layout of a task folder: `checkpoints/<update>/{tensors.safetensors,state.json}` and `LATEST`.
Replacing `LATEST` is the commit point: a checkpoint it does not name may be incomplete or ahead of
the traces.
"""

import json
import os
import re
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from ss_core.errors import CorruptError
from ss_core.record.atomic import atomic_write, json_bytes

FORMAT = "ss.checkpoint/1"
POINTER_LIMIT_BYTES = 2**20
STATE_LIMIT_BYTES = 2**26
HEADER_LIMIT_BYTES = 2**24
TENSORS_LIMIT_BYTES = 2**36
FIELDS = {"update": int, "state": dict, "parts": dict, "tensors_sha256": str}  # of state.json
MAX_PARTS = 10**6  # of one table's trace
FOLDER_NAME = re.compile(r"[0-9]{6,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Everything a run needs to go on from the end of `update`."""

    update: int
    tensors: Mapping[str, Tensor]  # on the CPU
    state: Mapping[str, Any]
    parts: Mapping[str, int] = field(
        default_factory=dict
    )  # trace files published before it, by table
    note: str | None = None  # why this is not the newest one, where it is not


def save_checkpoint(
    folder: Path,
    update: int,
    tensors: Mapping[str, Tensor],
    state: Mapping[str, Any],
    *,
    parts: Mapping[str, int] | None = None,
    keep: int = 2,
) -> None:
    """Commit a checkpoint of the task in `folder`; the last `keep` stay.

    Publish trace parts first and give their counts as `parts`: whoever resumes discards later ones.
    The updates at which this is called must not depend on the clock, or equal runs leave different
    files.

    Raises:
        ResourceError: the disk refused; the previous checkpoint stays the latest.
    """
    detached = {
        name: tensors[name].detach().to("cpu", copy=True).contiguous() for name in sorted(tensors)
    }
    tensor_data = safetensors.torch.save(detached)
    body = {
        "format": FORMAT,
        "update": update,
        "tensors_sha256": sha256(tensor_data).hexdigest(),
        "parts": dict(parts or {}),
        "state": dict(state),
    }
    state_data = json_bytes({**body, "sha256": sha256(json_bytes(body)).hexdigest()})
    target = folder / "checkpoints" / f"{update:06d}"
    atomic_write(target / "tensors.safetensors", tensor_data)
    atomic_write(target / "state.json", state_data)
    pointer = {
        "checkpoint": target.name,
        "update": update,
        "parts": body["parts"],
        "sha256": {
            "state.json": sha256(state_data).hexdigest(),
            "tensors.safetensors": body["tensors_sha256"],
        },
    }
    atomic_write(folder / "LATEST", json_bytes(pointer))
    prune_checkpoints(folder, keep=keep)


def result_of(task: Path) -> Checkpoint:
    """The result that a finished task left in its folder `task`.

    Raises:
        FileNotFoundError: it has not finished.
        CorruptError: as `load_latest`.
    """
    result = load_latest(task / "result")
    if result is None:
        raise FileNotFoundError(f"{task / 'result'}: the task has not finished")
    return result


def load_latest(folder: Path, *, expected: Mapping[str, Tensor] | None = None) -> Checkpoint | None:
    """The newest valid checkpoint of the task in `folder`; None where none was committed.

    A damaged newest one is passed over for the one before it; `note` then says so. With `expected`
    the names, shapes and dtypes of the tensors must agree with it.

    Raises:
        CorruptError: checkpoints were committed but none is valid, or `expected` does not fit.
    """
    problems: list[str] = []
    newest, digests = _read_pointer(folder, problems)
    updates = [update for update in _updates(folder) if newest is None or update <= newest]
    committed = newest is not None or bool(problems) or len(updates) > 1
    for update in reversed(updates):
        try:
            checkpoint = _load(
                folder / "checkpoints" / f"{update:06d}", digests if update == newest else {}
            )
        except (CorruptError, OSError) as error:
            problems.append(str(error))
            continue
        if expected is not None:
            _check_expected(checkpoint, expected, folder)
        note = f"went back to update {update}: {'; '.join(problems)}" if problems else None
        return replace(checkpoint, note=note)
    if committed:
        reasons = "; ".join(problems) or "LATEST names a checkpoint that is gone"
        raise CorruptError(f"{folder}: no valid checkpoint ({reasons}); start a new run")
    return None


def prune_checkpoints(folder: Path, *, keep: int = 2) -> None:
    """Delete all but the last `keep` committed checkpoints, and leftovers ahead of `LATEST`."""
    newest, _ = _read_pointer(folder, [])
    if newest is None:
        return
    committed = [update for update in _updates(folder) if update <= newest]
    for update in set(_updates(folder)) - set(committed[-max(keep, 1) :]):
        shutil.rmtree(folder / "checkpoints" / f"{update:06d}", ignore_errors=True)


def _updates(folder: Path) -> list[int]:
    root = folder / "checkpoints"
    names = os.listdir(root) if root.is_dir() else []
    return sorted(
        int(name) for name in names if FOLDER_NAME.fullmatch(name) and name == f"{int(name):06d}"
    )


def _read_pointer(folder: Path, problems: list[str]) -> tuple[int | None, dict[str, str]]:
    path = folder / "LATEST"
    if not os.path.lexists(path):
        return None, {}
    try:
        pointer = _parse_json(path, _read_bounded(path, POINTER_LIMIT_BYTES))
        update, digests = pointer["update"], pointer["sha256"]
        if type(update) is not int or pointer["checkpoint"] != f"{update:06d}":
            raise CorruptError(f"{path}: does not name a checkpoint")
        return update, {name: str(digests[name]) for name in ("state.json", "tensors.safetensors")}
    except (CorruptError, OSError, KeyError, TypeError) as error:
        problems.append(
            str(error) if isinstance(error, CorruptError) else f"{path}: unreadable ({error!r})"
        )
        return None, {}


def _load(folder: Path, digests: Mapping[str, str]) -> Checkpoint:
    """One checkpoint, its checksums verified before anything is parsed in full."""
    state_path, tensor_path = folder / "state.json", folder / "tensors.safetensors"
    state_data = _read_bounded(state_path, STATE_LIMIT_BYTES)
    body = _parse_json(state_path, state_data)
    if body.get("format") != FORMAT:
        raise CorruptError(f"{state_path}: format {body.get('format')!r}, expected {FORMAT!r}")
    recorded, digest = body.pop("sha256", None), sha256(state_data).hexdigest()
    if recorded != sha256(json_bytes(body)).hexdigest() or digest != digests.get(
        "state.json", digest
    ):
        raise CorruptError(f"{state_path}: SHA-256 differs from the recorded one")
    for key, kind in FIELDS.items():  # right hashes prove no right content: anybody can hash
        if type(body.get(key)) is not kind:
            raise CorruptError(
                f"{state_path}: {key!r} is {body.get(key)!r:.80}, not {kind.__name__}"
            )
    for table, count in body["parts"].items():
        if type(count) is not int or not 0 <= count <= MAX_PARTS:
            raise CorruptError(f"{state_path}: {count!r:.80} parts of table {table!r:.80}")
    tensor_data = _read_bounded(tensor_path, TENSORS_LIMIT_BYTES)
    digest = sha256(tensor_data).hexdigest()
    if digest != body["tensors_sha256"] or digest != digests.get("tensors.safetensors", digest):
        raise CorruptError(f"{tensor_path}: SHA-256 differs from the recorded one")
    if body["update"] != int(folder.name):
        raise CorruptError(f"{state_path}: is of update {body['update']}, not {int(folder.name)}")
    tensors = _parse_tensors(tensor_path, tensor_data)
    return Checkpoint(
        update=body["update"], tensors=tensors, state=body["state"], parts=body["parts"]
    )


def _read_bounded(path: Path, limit_bytes: int) -> bytes:
    """Bytes of a regular file of acceptable size: no link, no pipe, no device."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode):
        raise CorruptError(f"{path}: not a regular file")
    if status.st_size > limit_bytes:
        raise CorruptError(
            f"{path}: {status.st_size:,} bytes, more than the {limit_bytes:,} allowed"
        )
    return path.read_bytes()


def _parse_json(path: Path, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise CorruptError(f"{path}: not valid JSON ({error})") from error
    if not isinstance(value, dict):
        raise CorruptError(f"{path}: not a JSON object")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a key occurs twice")
    return mapping


def _parse_tensors(path: Path, data: bytes) -> dict[str, Tensor]:
    length = int.from_bytes(data[:8], "little") if len(data) >= 8 else -1
    if not 0 < length <= min(len(data) - 8, HEADER_LIMIT_BYTES):
        raise CorruptError(f"{path}: header of {length:,} bytes in a file of {len(data):,}")
    _parse_json(path, data[8 : 8 + length])
    try:
        return safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise CorruptError(f"{path}: not a valid safetensors file ({error})") from error


def _check_expected(checkpoint: Checkpoint, expected: Mapping[str, Tensor], folder: Path) -> None:
    found = {
        name: (tuple(tensor.shape), tensor.dtype) for name, tensor in checkpoint.tensors.items()
    }
    wanted = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in expected.items()}
    problems = [
        f"{name}: found {found.get(name, 'nothing')}, expected {wanted.get(name, 'nothing')}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    ]
    if problems:
        raise CorruptError(
            f"{folder}: the checkpoint does not fit this configuration "
            f"({'; '.join(problems[:5])}); resume with the configuration it was written under"
        )
