"""The manifest of a run directory: reading it, and checking a run against the checksums in it."""

import json
import re
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, get_args

from ss_core.config import config_hash
from ss_core.errors import ConfigError, CorruptError, InputError
from ss_core.record.atomic import sha256_of
from ss_core.record.provenance import DISTRIBUTION

Status = Literal["running", "complete", "interrupted", "failed"]

VOLATILE = (
    "events.jsonl",
    "timing.json",
    "environment.json",
    ".lock*",
    "report*.html",
)  # differ between equal runs
UNSEALED = (
    *VOLATILE,
    "manifest.json",
    "events.out.tfevents.*",  # of `ss export --format tensorboard`
    ".*.tmp",
)  # carry no checksum in the manifest
SIZE_LIMIT_BYTES = 256 * 2**20
RUN_FORMAT = 2  # of what a run goes on from: settings, sub-tasks, checkpoints
FIRST_FORMAT, LAST_FORMAT = 1, 9999  # version 0.1 wrote no number, which reads as 1
FIRST_VERSION = "0.1"
VERSION = re.compile(r"[0-9][0-9A-Za-z.+!-]{0,39}")


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest of the run in folder `run`.

    Raises:
        InputError: there is none.
        CorruptError: it is not one, or its format is no number, or its configuration does not
            match its hash.
    """
    path = run / "manifest.json"
    if not path.is_file():
        raise InputError(
            f"{run}: no run here (manifest.json is missing); `ss runs ls` lists the runs there are"
        )
    if path.stat().st_size > SIZE_LIMIT_BYTES:
        raise CorruptError(f"{path}: larger than {SIZE_LIMIT_BYTES:,} bytes, so not a manifest")
    try:
        manifest = json.loads(path.read_bytes())
        block = manifest["ss"]
        readable = block["status"] in get_args(Status) and isinstance(manifest["resources"], list)
        matches = config_hash(block["config"]) == block["config_sha256"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptError(f"{path}: not the manifest of a run ({error!r})") from error
    number = block.get("format", FIRST_FORMAT)
    numbered = type(number) is int and FIRST_FORMAT <= number <= LAST_FORMAT
    problems = {
        "unknown status": readable,
        f"its format is not an integer from {FIRST_FORMAT} to {LAST_FORMAT}": numbered,
        "its configuration does not match its hash": matches,
    }
    for reason, holds in problems.items():
        if not holds:
            raise CorruptError(f"{path}: {reason}; restore the file from a copy or start a new run")
    return manifest


def format_of(manifest: Mapping[str, Any]) -> int:
    """The format of a run that `read_manifest` read."""
    return int(manifest["ss"].get("format", FIRST_FORMAT))


def check_continuable(run: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse to continue a run of another format; complete ones are for reading, whatever theirs.

    Raises:
        ConfigError: it is of another format, and not complete.
    """
    number = format_of(manifest)
    if number == RUN_FORMAT or manifest["ss"]["status"] == "complete":
        return
    version = _written_by(run)
    by = "" if version is None else f", written by version {version}"
    other = FIRST_VERSION if number == FIRST_FORMAT else version
    raise ConfigError(
        f"{run}: a run of format {number}{by}, and this version continues format {RUN_FORMAT} "
        "only; start anew with --resume never, or use "
        f"{'the version that wrote it' if other is None else f'version {other}'} to finish it"
    )


def _written_by(run: Path) -> str | None:
    """The version in `environment.json`, if it tells one."""
    path = run / "environment.json"
    try:
        if path.stat().st_size > SIZE_LIMIT_BYTES:
            return None
        version = json.loads(path.read_bytes())["packages"][DISTRIBUTION]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return version if isinstance(version, str) and VERSION.fullmatch(version) else None


def sealed_files(run: Path) -> list[Path]:
    """Files of a run that are a function of configuration and seed alone, in order of name."""
    return sorted(
        path
        for path in run.rglob("*")
        if path.is_file() and not any(fnmatch(path.name, pattern) for pattern in UNSEALED)
    )


def verify_run(run: Path) -> list[str]:
    """Recompute every SHA-256 of the manifest; returns the problems found, one sentence each."""
    manifest = read_manifest(run)
    files: dict[str, Any] | None = manifest["ss"].get("files")
    if files is None:
        return [f"the run is {manifest['ss']['status']!r}, not sealed: nothing to check it against"]
    present = {path.relative_to(run).as_posix() for path in sealed_files(run)}
    problems = [f"{name}: missing" for name in sorted(files.keys() - present)]
    problems += [f"{name}: not part of the run" for name in sorted(present - files.keys())]
    for name in sorted(files.keys() & present):
        if sha256_of(run / name) != files[name]["sha256"]:
            problems.append(f"{name}: SHA-256 differs from the manifest; the file was changed")
    for resource in manifest["resources"]:
        paths = [run / name for name in resource["path"]]
        if not all(name in present for name in resource["path"]):
            problems.append(f"table {resource['name']!r}: part files are missing")
        elif f"sha256:{sha256_of(*paths)}" != resource["hash"]:
            problems.append(f"table {resource['name']!r}: hash differs from the manifest")
    return problems
