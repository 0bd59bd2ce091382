"""Checkpoints: exact, checked, and never unpickled."""

import io
import json
import os
import pickle
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ss_core.errors import CorruptError
from ss_core.record.atomic import json_bytes
from ss_core.record.checkpoint import (
    load_latest,
    prune_checkpoints,
    save_checkpoint,
)
from tests.support.fault_counts import counted, times


def tensors_at(update: int) -> dict[str, Tensor]:
    return {
        "actor.weight": torch.arange(6.0).reshape(2, 3) + update,
        "steps": torch.tensor([update]),
        "mask": torch.tensor([True, False]),
    }


def save(folder: Path, *updates: int) -> None:
    for update in updates:
        save_checkpoint(
            folder, update, tensors_at(update), {"update": update}, parts={"metric": update}
        )


def file_of(folder: Path, update: int, name: str = "tensors.safetensors") -> Path:
    return folder / "checkpoints" / f"{update:06d}" / name


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    save(tmp_path, 10, 20)
    checkpoint = load_latest(tmp_path, expected=tensors_at(0))
    assert checkpoint is not None
    assert (checkpoint.update, checkpoint.state, checkpoint.note) == (20, {"update": 20}, None)
    assert checkpoint.parts == {"metric": 20}
    for name, tensor in tensors_at(20).items():
        torch.testing.assert_close(checkpoint.tensors[name], tensor, rtol=0, atol=0)


def test_without_a_committed_checkpoint_there_is_none(tmp_path: Path) -> None:
    assert load_latest(tmp_path) is None
    file_of(tmp_path, 1).parent.mkdir(parents=True)  # killed before the first commit
    file_of(tmp_path, 1).write_bytes(b"")
    assert load_latest(tmp_path) is None


def test_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    save(tmp_path, 1, 2, 3, 4)
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["000003", "000004"]
    prune_checkpoints(tmp_path, keep=1)
    assert sorted(os.listdir(tmp_path / "checkpoints")) == ["000004"]


def test_shared_and_transposed_tensors_are_saved_by_value(tmp_path: Path) -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    save_checkpoint(tmp_path, 1, {"a": weight, "b": weight.T, "c": weight[0]}, {})
    checkpoint = load_latest(tmp_path)
    assert checkpoint is not None
    assert torch.equal(checkpoint.tensors["b"], weight.T)
    assert torch.equal(checkpoint.tensors["c"], weight[0])


def test_a_checkpoint_that_was_not_committed_is_ignored_and_pruned(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    latest = (tmp_path / "LATEST").read_bytes()
    save(tmp_path, 3)
    (tmp_path / "LATEST").write_bytes(latest)  # killed between the files and the pointer
    checkpoint = load_latest(tmp_path)
    assert checkpoint is not None
    assert (checkpoint.update, checkpoint.note) == (2, None)
    prune_checkpoints(tmp_path)
    assert "000003" not in os.listdir(tmp_path / "checkpoints")


@pytest.mark.parametrize("name", ["tensors.safetensors", "state.json"])
def test_no_flipped_bit_and_no_truncation_is_ever_loaded(tmp_path: Path, name: str) -> None:
    save(tmp_path, 1, 2)
    path = file_of(tmp_path, 2, name)
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    damaged = [good[: len(good) * k // 16] for k in range(16)] + [b"\0" * len(good)]
    for _ in range(times(140, 10_000)):
        position, bit = int(rng.integers(len(good))), int(rng.integers(8))
        damaged.append(
            good[:position] + bytes([good[position] ^ (1 << bit)]) + good[position + 1 :]
        )
    for data in damaged:
        path.write_bytes(data)
        checkpoint = load_latest(tmp_path)
        assert checkpoint is not None
        assert checkpoint.update == 1
        assert checkpoint.note is not None
        assert "went back to update 1" in checkpoint.note
        assert name in checkpoint.note
    counted("F7", len(damaged))


def test_swapped_files_are_noticed(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    for name in ("tensors.safetensors", "state.json"):
        file_of(tmp_path, 2, name).write_bytes(file_of(tmp_path, 1, name).read_bytes())
    checkpoint = load_latest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.update == 1
    counted("F7")


def test_after_going_back_the_damaged_checkpoint_is_replaced(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    file_of(tmp_path, 2).write_bytes(b"")
    save(tmp_path, 2, 3)
    checkpoint = load_latest(tmp_path)
    assert checkpoint is not None
    assert (checkpoint.update, checkpoint.note) == (3, None)


@pytest.mark.parametrize(
    "pointer", [b"", b"{", b"[]", b'{"update": "../../x", "sha256": {}}', b"\xff", b"[" * 9999]
)
def test_a_damaged_pointer_costs_nothing_but_a_note(tmp_path: Path, pointer: bytes) -> None:
    save(tmp_path, 1, 2)
    (tmp_path / "LATEST").write_bytes(pointer)
    checkpoint = load_latest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.update == 2
    assert checkpoint.note is not None
    assert "LATEST" in checkpoint.note
    counted("F7")


def test_with_no_valid_checkpoint_left_the_error_names_them(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    for update in (1, 2):
        file_of(tmp_path, update).write_bytes(b"x")
    with pytest.raises(CorruptError, match=r"000002.*000001") as caught:
        load_latest(tmp_path)
    assert caught.value.exit_code == 5


def test_tensors_that_do_not_fit_the_configuration_are_refused(tmp_path: Path) -> None:
    save(tmp_path, 1)
    for name, wrong in (
        ("steps", torch.zeros(2, dtype=torch.int64)),
        ("steps", torch.zeros(1)),
        ("new", torch.zeros(1)),
    ):
        with pytest.raises(CorruptError, match=f"does not fit.*{name}"):
            load_latest(tmp_path, expected={**tensors_at(1), name: wrong})
    counted("F7")


def plant(folder: Path, data: bytes, **changes: object) -> None:
    """A checkpoint whose checksums are all right, as an attacker would write it."""
    save(folder, 1)
    (folder / "LATEST").unlink()
    body = json.loads(file_of(folder, 1, "state.json").read_bytes())
    body.pop("sha256")
    body |= {"tensors_sha256": sha256(data).hexdigest(), **changes}
    state = {**body, "sha256": sha256(json_bytes(body)).hexdigest()}
    file_of(folder, 1).write_bytes(data)
    file_of(folder, 1, "state.json").write_bytes(json_bytes(state))
    pointer = {"checkpoint": "000001", "update": 1, "parts": {}}
    digests = {
        name: sha256(file_of(folder, 1, name).read_bytes()).hexdigest()
        for name in os.listdir(file_of(folder, 1).parent)
    }
    (folder / "LATEST").write_bytes(json_bytes({**pointer, "sha256": digests}))


class Canary:
    """Creates a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.mkdir, (str(self.path), 0o700)


def test_malicious_tensor_files_are_refused_and_run_nothing(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    entry = b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    twice, beyond = b"{" + entry + b"," + entry + b"}", b"{" + entry + b"}"
    zipped, archive = io.BytesIO(), io.BytesIO()
    torch.save({"a": Canary(canary)}, zipped)
    np.savez(archive, a=np.array([Canary(canary)], dtype=object))
    kind = entry.replace(b"F32", b"O32")
    files = {
        "torch": zipped.getvalue(),
        "numpy": archive.getvalue(),
        "unknown type": (len(kind) + 2).to_bytes(8, "little") + b"{" + kind + b"}" + bytes(4),
        "no object": (4).to_bytes(8, "little") + b"[[]]",
        "pickle": pickle.dumps(Canary(canary)),
        "huge header": (2**40).to_bytes(8, "little") + b"{}",
        "duplicate keys": len(twice).to_bytes(8, "little") + twice + b"\0\0\0\0",
        "empty": b"",
        "deep header": (60_000).to_bytes(8, "little") + b"[" * 60_000,
        "offsets beyond the end": len(beyond).to_bytes(8, "little") + beyond,
    }
    for name, data in files.items():
        folder = tmp_path / name.replace(" ", "_")
        plant(folder, data)
        with pytest.raises(CorruptError):
            load_latest(folder)
    assert not canary.exists()
    counted("F8", len(files))


def test_a_future_format_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, b"", format="ss.checkpoint/2")
    with pytest.raises(CorruptError, match=r"ss\.checkpoint/2"):
        load_latest(tmp_path)
    counted("F7")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"update": "1"}, "'update' is '1'"),
        ({"state": None}, "'state' is None"),
        ({"parts": []}, r"'parts' is \[\]"),
        ({"parts": {"metric": -1}}, "-1 parts of table 'metric'"),
        ({"parts": {"metric": 10**15}}, "parts of table 'metric'"),
    ],
)
def test_right_hashes_of_wrong_content_are_refused(
    tmp_path: Path, change: dict[str, object], what: str
) -> None:
    plant(tmp_path, b"", **change)
    with pytest.raises(CorruptError, match=what):
        load_latest(tmp_path)
    counted("F8")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    file_of(tmp_path, 2).unlink()
    os.mkfifo(file_of(tmp_path, 2))
    state = file_of(tmp_path, 1, "state.json")
    state.rename(tmp_path / "elsewhere.json")
    state.symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(CorruptError, match=r"not a regular file.*not a regular file"):
        load_latest(tmp_path)
    counted("F8", 2)


def test_torch_generators_go_on_exactly_where_they_stopped(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(3)
    torch.randn(5, generator=generator)
    save_checkpoint(tmp_path, 1, {"rng": generator.get_state()}, {})
    expected = torch.randn(5, generator=generator)
    checkpoint = load_latest(tmp_path)
    assert checkpoint is not None
    resumed = torch.Generator()
    resumed.set_state(checkpoint.tensors["rng"])
    assert torch.equal(torch.randn(5, generator=resumed), expected)
