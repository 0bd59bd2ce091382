"""What a command line that starts a run needs besides the run: folder, device, disk, settings.

Everything here is asked before anything is written, or about a run that is complete.
"""

import json
import math
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ss_core.config import config_hash
from ss_core.errors import ConfigError, CorruptError, ResourceError
from ss_core.runs import RunDirectory, find_resumable, read_manifest, run_id

MIN_FREE_BYTES = 200_000_000
CHOICES_OF_RESUME = ("auto", "never")  # else a path


def stored_config(resume: str) -> dict[str, Any] | None:
    """The configuration of the run that `--resume PATH` names; None for `auto` and `never`.

    Raises:
        ConfigError: there is no run.
    """
    if resume in CHOICES_OF_RESUME:
        return None
    path = Path(resume)
    if not (path / "manifest.json").is_file():
        raise ConfigError(f"--resume {path}: holds no run (no manifest.json); give a run directory")
    config: dict[str, Any] = read_manifest(path)["ss"]["config"]
    return config


def finished_result(resume: str) -> dict[str, Any] | None:
    """The result of the run that `--resume PATH` names, if it is complete.

    Raises:
        CorruptError: it is complete, but its result cannot be read.
    """
    if resume in CHOICES_OF_RESUME or read_manifest(Path(resume))["ss"]["status"] != "complete":
        return None
    path = Path(resume) / "result.json"
    try:
        result: dict[str, Any] = json.loads(path.read_bytes())
        notes = [*result["notes"], "this run was complete already; nothing was computed again"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            f"{path}: not the result of a run ({error}); `ss verify {resume}` lists what changed"
        ) from error
    return result | {"notes": notes, "run_dir": resume}


def open_run(
    out: Path, resume: str, *, task: str, size: str, seed: int, config: Mapping[str, Any]
) -> RunDirectory:
    """The run to continue, or a new one below `out`.

    Raises:
        ConfigError, CorruptError, RunLockedError: the run to continue cannot be.
        ResourceError: there is too little room for a new one.
    """
    if resume not in CHOICES_OF_RESUME:
        return RunDirectory.open(Path(resume))
    sha256 = config_hash(config)
    found = find_resumable(out, sha256) if resume == "auto" and out.is_dir() else None
    if found is not None:
        return RunDirectory.open(found)
    check_disk(out)
    name = run_id(task, size, seed, sha256, datetime.now(UTC))
    return RunDirectory.create(out / name, task=task, size=size, seed=seed, config=config)


def check_disk(out: Path) -> None:
    """Refuse to start where a run would soon fill the disk."""
    existing = next(p for p in (out.absolute(), *out.absolute().parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE_BYTES:
        raise ResourceError(
            f"{existing}: {free / 1e6:.0f} MB free, a run may need {MIN_FREE_BYTES / 1e6:.0f} MB; "
            "free some or choose another folder with --out"
        )


def check_device(device: str) -> None:
    """Refuse a device that torch does not find."""
    if device == "cpu":
        return
    import torch

    kind, _, number = device.partition(":")
    if kind != "cuda" or not (number or "0").isdecimal():
        raise ConfigError(f"device={device!r}: cpu, cuda or cuda:N")
    if not torch.cuda.is_available():
        raise ConfigError(f"device={device!r}: torch finds no CUDA device here; use --device cpu")
    if int(number or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device={device!r}: torch finds {torch.cuda.device_count()} CUDA devices, counted "
            "from 0"
        )


def settings_table(config: Mapping[str, Any], origins: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every setting with who gave it, for `--dry-run`."""
    return [
        {"setting": key, "value": value, "from": origins.get(key, "preset or default")}
        for key, value in _flat(config)
    ]


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in table.items():
        nested = isinstance(value, Mapping)
        flat += _flat(value, f"{prefix}{key}.") if nested else [(f"{prefix}{key}", value)]
    return flat


def without_nan(value: Any) -> Any:
    """JSON has no word for NaN; where there is no figure it is null."""
    if isinstance(value, Mapping):
        return {key: without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
