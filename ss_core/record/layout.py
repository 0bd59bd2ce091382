"""Where the tables of a run lie: below the run itself and below each of its sub-tasks."""

from pathlib import Path

TASKS = "tasks"  # folder of the sub-tasks
PART_NAME = "part-{:06d}.parquet"
PARTS = "part-*.parquet"


def table_folder(folder: Path, table: str) -> Path:
    """Where a run or sub-task keeps the parts of a table."""
    return folder / "metrics" if table == "metric" else folder / "traces" / table


def table_parts(run: Path, table: str) -> list[Path]:
    """Every part of a table of a run, those of its sub-tasks included, in order."""
    pattern = (table_folder(Path(), table) / PARTS).as_posix()
    return sorted([*run.glob(pattern), *run.glob(f"{TASKS}/*/{pattern}")])
