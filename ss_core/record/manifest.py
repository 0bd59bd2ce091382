"""The manifest of a run directory: reading it, and checking a run against the checksums in it."""

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal, get_args

from ss_core.config import config_hash
from ss_core.errors import CorruptError, InputError
from ss_core.record.atomic import sha256_of

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


def read_manifest(run: Path) -> dict[str, Any]:
    """The manifest of the run in folder `run`.

    Raises:
        InputError: there is none.
        CorruptError: it is not one, or its configuration does not match its hash.
    """
    path = run / "manifest.json"
    if not path.is_file():
        raise InputError(f"{run}: no run here (manifest.json is missing); check the path")
    if path.stat().st_size > SIZE_LIMIT_BYTES:
        raise CorruptError(f"{path}: larger than {SIZE_LIMIT_BYTES:,} bytes, so not a manifest")
    try:
        manifest = json.loads(path.read_bytes())
        block = manifest["ss"]
        readable = block["status"] in get_args(Status) and isinstance(manifest["resources"], list)
        matches = config_hash(block["config"]) == block["config_sha256"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptError(f"{path}: not the manifest of a run ({error!r})") from error
    if not (readable and matches):
        reason = "its configuration does not match its hash" if readable else "unknown status"
        raise CorruptError(f"{path}: {reason}; restore the file from a copy or start a new run")
    return manifest


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
