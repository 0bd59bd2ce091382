"""What `ss bench paper` looks at before anything runs: the references it reads and writes."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from paper_envs.bench.results.reference import read_reference
from paper_envs.bench.runs.folder import Cells, registered, run_folder, run_name
from paper_envs.bench.runs.run import RESULT_FILE, RunSpec
from ss_core.errors import ConfigError, InputError, ResourceError
from ss_core.record.atomic import disk_message, make_folder
from ss_core.resources import data_path

LEAST_SEEDS = 2  # of a reference: it tells how seeds differ


def comparable_reference(path: Path | None, profile: str, specs: Sequence[RunSpec]) -> Path:
    """The reference at `path`, or the one that is shipped of a profile.

    Raises:
        InputError: there is none, or it lacks a condition that is to be compared.
        CorruptError: it is not one.
    """
    if path is None:
        try:
            path = data_path(f"bench/paper-{profile}.json")
        except FileNotFoundError as error:
            raise InputError(
                f"--check: no reference is shipped for --profile {profile}; name one with "
                "--reference, as --write-reference leaves it"
            ) from error
    stored = {entry.cell: (entry.num_updates, entry.num_envs) for entry in read_reference(path)}
    for spec in specs:
        wanted = spec.learner.num_updates, spec.learner.num_envs
        if stored.get(spec.cell) != wanted:
            raise InputError(
                f"{path}: has no {spec.cell.slug} of {wanted[0]} updates with {wanted[1]} episodes "
                f"each, so there is nothing to compare it with; name a reference of --profile "
                f"{profile} with --reference, as --write-reference leaves it"
            )
    return path


def check_storable(out: Path, cells: Cells, specs: Sequence[RunSpec]) -> None:
    """Refuse a reference that the runs of the folder `out` could not give, once all have ended.

    Raises:
        ConfigError: a condition with too few seeds, or runs that nobody has asked to end.
    """
    few = [slug for slug, entry in cells.items() if len(entry["seeds"]) < LEAST_SEEDS]
    if few:
        raise ConfigError(
            f"--write-reference: a reference needs {LEAST_SEEDS} seeds of each condition, "
            f"{few[0]} in {out} has fewer; ask for them with --seeds, or choose another folder "
            "with --out"
        )
    asked = {run_name(spec.cell.slug, spec.seed) for spec in specs}
    others = [
        run_name(slug, seed)
        for slug, seed in registered(cells)
        if not (run_folder(out, slug, seed) / RESULT_FILE).exists()
    ]
    others = [name for name in others if name not in asked]
    if others:
        raise ConfigError(
            f"--write-reference: {len(others)} runs that {out} holds besides these are not "
            f"finished, the first of them {others[0]}; ask for them, too, or choose another folder "
            "with --out"
        )


def check_writable(path: Path) -> None:
    """Make the folder of a file that is to be written hours later, and try it.

    Raises:
        ResourceError: the disk refused.
    """
    try:
        make_folder(path.parent)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise ResourceError(disk_message(path, 0, error)) from error
