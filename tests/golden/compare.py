"""Do two versions compute the same numbers? `python -m tests.golden.compare BASE [--only NAME …]`.

Carries out the golden runs with the code of the commit BASE and with the code of this checkout, on
this machine, and compares every number of their results, tables and checkpoints, bit by bit. Names
may differ: `names.json` translates those of BASE. `new.json` lists, run by run, numbers that BASE
has not. Exits with 1 where a number differs.

Random streams were renewed in this version, with `ss_core/random_streams.py`: commits before that
one differ everywhere. The base is the commit that added it, or a later one:

    git log --diff-filter=A --format=%h -- ss_core/random_streams.py
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from tests.golden.runs import GOLDEN, run_golden

ROOT = Path(__file__).resolve().parents[2]
NAMES = Path(__file__).with_name("names.json")
NEW = Path(__file__).with_name("new.json")
NOT_COMPARED = {"run_id", "config_sha256", "ss_version", "code_version"}  # differ by intent
DIFFERENCES_SHOWN = 12

Numbers = dict[str, np.ndarray]  # a path such as `ss/metrics/value` → the numbers it holds


def numbers_of_run(run: Path) -> Numbers:
    """Every number (and every text in a table) of a finished run, by where it stands."""
    found: dict[str, np.ndarray] = {}
    found |= _flatten("result", json.loads((run / "result.json").read_bytes()))
    for file in sorted(run.rglob("*.safetensors")):
        task = file.relative_to(run).parts[1]
        place = "result" if "result" in file.relative_to(run).parts[2:-1] else "checkpoint"
        tensors = load_file(file)
        found |= {f"{task}/{place}/{file.parent.name}/{k}": v for k, v in tensors.items()}
    for file in sorted(run.rglob("*.parquet")):
        for name, column in _columns(file).items():
            found[f"{'/'.join(file.relative_to(run).with_suffix('').parts)}/{name}"] = column
    return found


def _columns(file: Path) -> Numbers:
    table = pq.read_table(file)
    return {
        name: np.asarray(table[name].to_pandas())
        for name in table.column_names
        if name not in NOT_COMPARED
    }


def _flatten(place: str, value: object) -> Numbers:
    if isinstance(value, Mapping):
        pairs: Iterator[tuple[object, object]] = iter(value.items())
    elif isinstance(value, list):
        pairs = enumerate(value)
    else:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return {place: np.asarray(value)} if is_number else {}
    found: Numbers = {}
    for key, entry in pairs:
        found |= _flatten(f"{place}/{key}", entry)
    return found


def translated(numbers: Numbers, names: Mapping[str, str]) -> Numbers:
    """The same numbers under new names: whole paths first, then each part of a path, and texts."""
    found: Numbers = {}
    for path, values in numbers.items():
        place = names.get(path) or "/".join(names.get(part, part) for part in path.split("/"))
        if values.dtype == object:
            values = np.array([names.get(str(v), v) for v in values], dtype=object)
        found[place] = values
    return found


def without_new(base: Numbers, head: Numbers, new: Collection[str]) -> tuple[Numbers, Numbers]:
    """Both without those paths that are new by intent: BASE has nothing there, or empty columns."""
    left_out = {path for path in new if path not in base or _is_empty(base[path])}
    return (
        {path: values for path, values in base.items() if path not in left_out},
        {path: values for path, values in head.items() if path not in left_out},
    )


def _is_empty(values: np.ndarray) -> bool:
    return {str(value) for value in values.ravel()} <= {"None", "nan"}


def differences(base: Numbers, head: Numbers) -> list[str]:
    """One line for each path that is missing, new or holds other numbers."""
    lines = [f"{path}: missing" for path in sorted(base.keys() - head.keys())]
    lines += [f"{path}: new" for path in sorted(head.keys() - base.keys())]
    for path in sorted(base.keys() & head.keys()):
        old, new = base[path], head[path]
        if old.shape != new.shape:
            lines.append(f"{path}: shape {old.shape} → {new.shape}")
        elif not _same(old, new):
            lines.append(f"{path}: {_first_difference(old, new)}")
    return lines


def _same(old: np.ndarray, new: np.ndarray) -> bool:
    if old.dtype == object or new.dtype == object:
        return [str(v) for v in old.ravel()] == [str(v) for v in new.ravel()]
    return bool(np.array_equal(old, new, equal_nan=old.dtype.kind in "fc"))


def _first_difference(old: np.ndarray, new: np.ndarray) -> str:
    for before, after in zip(old.ravel(), new.ravel(), strict=True):
        if str(before) != str(after):
            return f"{before} → {after}"
    return "other types"


def main() -> int:
    """Compare, print, and tell whether nothing differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="a commit, or a folder with a checkout")
    parser.add_argument("--only", nargs="+", choices=[*GOLDEN], default=[*GOLDEN])
    parser.add_argument(
        "--keep", type=Path, help="keep the runs of BASE in this folder, and use them again"
    )
    options = parser.parse_args()
    names, added = json.loads(NAMES.read_text()), json.loads(NEW.read_text())
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        base = _checkout(options.base, Path(scratch) / "checkout")
        failed = 0
        for name in options.only:
            old = numbers_of_run(_once(name, base, folder / "base"))
            new = numbers_of_run(run_golden(name, ROOT, Path(scratch) / "head"))
            lines = differences(*without_new(translated(old, names), new, added.get(name, ())))
            failed += bool(lines)
            count = sum(values.size for values in old.values())
            print(f"{name}: {count:,} numbers, {len(lines)} differences", flush=True)
            for line in lines[:DIFFERENCES_SHOWN]:
                print(f"  {line}")
        if not Path(options.base).is_dir():
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", base], check=True)
    return int(failed > 0)


def _once(name: str, checkout: Path, folder: Path) -> Path:
    """The golden run of BASE, carried out unless `folder` holds it already."""
    there = [*(folder / name / "out").glob("*/result.json")]
    return there[0].parent if there else run_golden(name, checkout, folder)


def _checkout(base: str, folder: Path) -> Path:
    if Path(base).is_dir():
        return Path(base).resolve()
    command = ["git", "-C", ROOT, "worktree", "add", "--quiet", "--detach", folder, base]
    subprocess.run(command, check=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
