"""The folder of a benchmark: `bench.json`, a folder per run, and what is still to be done.

bench.json                     what the runs in here have in common, and every condition
runs/<cell>/seed<k>/           one run: result.json (or partial.json), metrics/, checkpoints/
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from paper_envs.bench.results.results import RunResult, read_result
from paper_envs.bench.runs.run import PARTIAL_FILE, RESULT_FILE, RunSpec
from ss_core.config import config_hash
from ss_core.errors import ConfigError, CorruptError
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.locks import acquire_lock
from ss_core.record.provenance import environment_facts

BENCH_SCHEMA = "ss.bench/1"

Cells = Mapping[str, Mapping[str, Any]]  # by slug: hash of the settings, seeds


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What all runs of a folder share."""

    profile: str
    device: str
    package: str  # version


class BenchFolder:
    """The folder of a benchmark, held by this process; a context manager that gives it back."""

    def __init__(self, path: Path, conditions: Conditions) -> None:
        """Take the lock and read what is there.

        Raises:
            ConfigError: the folder holds something else, or runs of other conditions.
            RunLockedError: another process works in it.
            CorruptError: its `bench.json` is none.
        """
        self.path = path
        self._conditions = conditions
        known_cells(path, conditions)  # a folder that is refused is left as it is
        self._lock = acquire_lock(path)
        try:
            self._cells = known_cells(path, conditions)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def register(self, specs: Sequence[RunSpec]) -> None:
        """Add the specs' conditions to those of the folder.

        Raises:
            ConfigError: a condition of that name has run here with other settings.
        """
        cells = self._cells = joined(self.path, self._cells, specs)
        common = self._conditions
        document = {
            "schema": BENCH_SCHEMA,
            "package": common.package,
            "profile": common.profile,
            "device": common.device,
            "plan_sha256": config_hash(cells),
            "cells": cells,
        }
        atomic_write(self.path / "bench.json", json_bytes(document))
        atomic_write(self.path / "environment.json", json_bytes(environment_facts()))

    def run_folder(self, slug: str, seed: int) -> Path:
        """Where one run lies."""
        return run_folder(self.path, slug, seed)

    def results(self) -> tuple[list[RunResult], list[str]]:
        """The results of every registered run that has one, and the names of those without.

        Of a run that is not finished it is what an early end of the benchmark left, if any.

        Raises:
            CorruptError: a result is not readable.
        """
        found: list[RunResult] = []
        missing: list[str] = []
        for slug, seed in registered(self._cells):
            folder = self.run_folder(slug, seed)
            paths = [folder / name for name in (RESULT_FILE, PARTIAL_FILE)]
            present = [path for path in paths if path.exists()]
            if present:
                found.append(read_result(present[0]))
            else:
                missing.append(run_name(slug, seed))
        return found, missing


def known_cells(path: Path, conditions: Conditions) -> Cells:
    """What the folder at `path` remembers; nothing if it is new.

    Raises:
        ConfigError: it holds something else, or runs of other conditions.
        CorruptError: its `bench.json` is none.
    """
    if path.exists() and not (path / "bench.json").exists():
        _check_empty(path)
    return _read_cells(path / "bench.json", conditions)


def joined(path: Path, cells: Cells, specs: Sequence[RunSpec]) -> Cells:
    """The cells that the folder at `path` knows and those of the specs.

    Raises:
        ConfigError: a condition of that name has run there with other settings.
    """
    both = {slug: dict(entry) for slug, entry in cells.items()}
    for spec in specs:
        slug, digest = spec.cell.slug, spec.condition_sha256
        entry = both.setdefault(slug, {"sha256": digest, "seeds": []})
        if entry["sha256"] != digest:
            raise ConfigError(
                f"{path}: the runs of {slug} in there have other settings than this "
                "version gives them; choose another folder with --out, or --fresh"
            )
        entry["seeds"] = sorted({*entry["seeds"], spec.seed})
    return both


def check_of_profile(path: Path, cells: Cells, specs: Iterable[RunSpec], profile: str) -> None:
    """Refuse a folder that holds conditions other than those of a profile, whose specs are given.

    Raises:
        ConfigError: results of different plans would come into one table.
    """
    known = {spec.cell.slug: spec.condition_sha256 for spec in specs}
    strange = sorted(slug for slug in cells if slug not in known)
    changed = sorted(
        slug for slug in cells if slug in known and cells[slug]["sha256"] != known[slug]
    )
    remedy = "choose another folder with --out, or --fresh to begin beside it"
    if strange:
        more = f" and {len(strange) - 1} more conditions" if len(strange) > 1 else ""
        raise ConfigError(
            f"{path}: holds runs of {strange[0]}{more}, which the profile {profile!r} of this "
            f"version does not have; results of different plans are never mixed: {remedy}"
        )
    if changed:
        raise ConfigError(
            f"{path}: the runs of {changed[0]} in there have other settings than the profile "
            f"{profile!r} of this version gives them; {remedy}"
        )


def registered(cells: Cells) -> Iterable[tuple[str, int]]:
    """Every run of some cells: slug and seed."""
    return ((slug, seed) for slug in sorted(cells) for seed in cells[slug]["seeds"])


def run_folder(bench: Path, slug: str, seed: int) -> Path:
    """Where one run lies below the folder of a benchmark."""
    return bench / "runs" / run_name(slug, seed)


def run_name(slug: str, seed: int) -> str:
    """One run in one word; its folder below `runs`."""
    return f"{slug}/seed{seed}"


def fresh_folder(path: Path) -> Path:
    """`path` if nothing is there yet, else the first of `path-2`, `path-3`, … that is free."""
    number, candidate = 1, path
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.name}-{number}")
    return candidate


def _check_empty(path: Path) -> None:
    if not path.is_dir():
        raise ConfigError(f"{path}: is a file; choose another folder with --out")
    if any(not entry.name.startswith(".") for entry in path.iterdir()):
        raise ConfigError(
            f"{path}: holds other files and no benchmark (bench.json is missing); "
            "choose another folder with --out"
        )


def _read_cells(path: Path, conditions: Conditions) -> Cells:
    if not path.exists():
        return {}
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        schema, cells = document["schema"], document["cells"]
        found = Conditions(**{name: document[name] for name in Conditions.__slots__})
        if config_hash(cells) != document["plan_sha256"]:
            raise ValueError("its cells do not match their hash")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptError(
            f"{path}: not the description of a benchmark ({error}); restore it from a copy, or "
            "choose another folder with --out"
        ) from error
    if schema != BENCH_SCHEMA:
        raise ConfigError(
            f"{path}: of schema {schema!r}, not {BENCH_SCHEMA!r}; choose another --out"
        )
    for name in Conditions.__slots__:
        if getattr(found, name) != getattr(conditions, name):
            raise ConfigError(
                f"{path.parent}: was begun with {name} {getattr(found, name)!r}, not "
                f"{getattr(conditions, name)!r}; choose another folder with --out, or --fresh"
            )
    return cells
