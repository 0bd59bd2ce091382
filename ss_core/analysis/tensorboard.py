"""The learners' numbers as TensorBoard event files, for those who watch curves there."""

import importlib
from pathlib import Path
from typing import Any

from ss_core.analysis.queries import part_files
from ss_core.errors import InputError
from ss_core.resources import install_command


def write_events(run: Path, folder: Path) -> int:
    """Write the `metric` rows of a run below `folder`, a sub-folder per algorithm.

    Returns:
        How many curves there are.

    Raises:
        InputError: no run, no metrics, or the `tensorboard` package is missing.
    """
    import pyarrow.dataset

    files = part_files(run).get("metric", [])
    if not files:
        raise InputError(f"{run}: no metrics (trace level off, or nothing was learned)")
    rows = pyarrow.dataset.dataset([str(path) for path in files], format="parquet").to_table()
    writer_of = _summary_writer()
    by_algorithm: dict[str, list[dict[str, Any]]] = {}
    for row in rows.select(["algorithm", "update", "name", "agent_id", "value"]).to_pylist():
        by_algorithm.setdefault(row["algorithm"], []).append(row)
    curves = set()
    for algorithm, own in sorted(by_algorithm.items()):
        writer = writer_of(log_dir=str(folder / algorithm))
        for row in own:
            tag = row["name"] if row["agent_id"] is None else f"{row['name']}/{row['agent_id']}"
            curves.add((algorithm, tag))
            if row["value"] is not None:
                writer.add_scalar(tag, row["value"], row["update"])
        writer.close()
    return len(curves)


def _summary_writer() -> Any:
    try:
        return importlib.import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError as error:
        raise InputError(
            f"TensorBoard is not installed: {install_command('tensorboard')}"
        ) from error
