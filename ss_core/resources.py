"""Where shipped data lies: `data/` beside the packages in a checkout, a data folder in a wheel."""

from pathlib import Path

WHEEL_FOLDER = "suggestion_sharing_data"


def data_path(relative: str) -> Path:
    """Path of a shipped data file or folder.

    Raises:
        FileNotFoundError: nothing of that name was shipped.
    """
    root = Path(__file__).resolve().parent.parent
    for folder in (root / WHEEL_FOLDER, root / "data"):
        path = folder / relative
        if path.exists():
            return path
    raise FileNotFoundError(
        f"no shipped data {relative!r} under {root / WHEEL_FOLDER} or {root / 'data'}"
    )
