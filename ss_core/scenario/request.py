"""What a command line that starts a run needs besides the run: folder, device, disk, settings.

Everything here is asked before anything is written, or about a run that is complete.
"""

import itertools
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ss_core.config import config_hash, to_dict
from ss_core.errors import ConfigError, CorruptError, ResourceError
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.manifest import check_continuable, read_manifest
from ss_core.record.run_directory import RunDirectory, find_resumable, run_id

Config = TypeVar("Config")

MIN_FREE_BYTES = 200_000_000
DEFAULT_WORKERS, MAX_WORKERS = 2, 256
SAID_OF_EXCHANGE = {"privacy": "noise", "liars": "liars"}  # facts of learners, and their setting
NAMED_LIARS = 10  # in a note; the manifest has all
CHOICES_OF_RESUME = ("auto", "never")  # else a path


def checked_workers(value: Any) -> int:
    """How many processes at a time.

    Raises:
        ConfigError: no such number.
    """
    if not isinstance(value, int) or not 1 <= value <= MAX_WORKERS:
        raise ConfigError(f"workers={value!r}: an integer from 1 to {MAX_WORKERS}")
    return value


def dry_run_result(
    config: Any, origins: Mapping[str, str], notes: Sequence[str] = ()
) -> dict[str, Any]:
    """What `--dry-run` shows."""
    settings = settings_table(to_dict(config), origins)
    return {"tables": {"settings": settings}, "notes": list(notes), "run_dir": ""}


def seal_run(run: RunDirectory, result: Mapping[str, Any]) -> dict[str, Any]:
    """Write the result and complete the run; returns the result as written, without NaN."""
    from ss_core.record.trace_writer import trace_resources

    exchange = run.config.get("learner", {}).get("exchange", {})
    asked = [kind for kind, key in SAID_OF_EXCHANGE.items() if exchange.get(key)]
    found = {kind: entries for kind in asked if (entries := _of_learners(run, kind))}
    added = [_privacy_note(task, each) for task, each in found.get("privacy", {}).items()]
    added += [_liars_note(task, each) for task, each in found.get("liars", {}).items()]
    written: dict[str, Any] = without_nan({**result, "notes": [*result["notes"], *added]} | found)
    atomic_write(run.path / "result.json", json_bytes(written))
    run.finish("complete", resources=trace_resources(run.path), facts=without_nan(found))
    run.log_event("complete")
    return written


def _of_learners(run: RunDirectory, kind: str) -> dict[str, dict[str, Any]]:
    """That entry of the result of every learner of the run that has it, by task."""
    from ss_core.record.checkpoint import load_latest

    found = {}
    for folder in sorted(path for path in (run.path / "tasks").iterdir() if path.is_dir()):
        result = load_latest(folder / "result")
        if result is not None and kind in result.state:
            found[folder.name] = dict(result.state[kind])
    return found


def _privacy_note(task: str, spent: Mapping[str, Any]) -> str:
    return (
        f"{task}: (ε = {spent['epsilon']:.4g}, δ = {spent['delta']:g}) for the agent that sent "
        f"most, {spent['releases']} distributions with noise; announcements and actions are not "
        "covered"
    )


def _liars_note(task: str, liars: Mapping[str, Any]) -> str:
    names = liars["names"]
    listed = ", ".join(names[:NAMED_LIARS]) + (", ..." if len(names) > NAMED_LIARS else "")
    refused = liars["messages_refused"]
    taken = f"; {refused:,} messages were not taken (table incident)" if refused else ""
    return (
        f"{task}: {len(names)} of {liars['num_agents']} agents sent lies ({liars['lie']}): "
        f"{listed}{taken}"
    )


def stored_config(resume: str) -> dict[str, Any] | None:
    """The configuration of the run that `--resume PATH` names; None for `auto` and `never`.

    Raises:
        ConfigError: there is no run, or one of another format that is not complete.
    """
    if resume in CHOICES_OF_RESUME:
        return None
    path = Path(resume)
    if not (path / "manifest.json").is_file():
        raise ConfigError(f"--resume {path}: holds no run (no manifest.json); give a run directory")
    manifest = read_manifest(path)
    check_continuable(path, manifest)
    config: dict[str, Any] = manifest["ss"]["config"]
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
    return RunDirectory.create(_free(out, name), task=task, size=size, seed=seed, config=config)


def _free(out: Path, name: str) -> Path:
    """A folder that is not there yet: clocks may stand still, or be set back."""
    names = (name if k == 1 else f"{name}-{k}" for k in itertools.count(1))
    return next(path for path in map(out.joinpath, names) if not path.exists())


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
        {"setting": key, "value": value, "from": _origin(key, origins)}
        for key, value in _flat(config)
    ]


def _origin(key: str, origins: Mapping[str, str]) -> str:
    """Who gave a setting, or the table that it stands in."""
    while key and key not in origins:
        key = key.rpartition(".")[0]
    return origins.get(key, "preset or default")


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
