"""Where shipped data lies, and how what is missing gets here.

Data is `data/` beside the packages in a checkout, and a data folder in a wheel.
"""

import sys
from pathlib import Path

DISTRIBUTION = "suggestion-sharing"

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


def install_command(extra: str) -> str:
    """What adds an extra to this installation, as `.venv/bin/pip install "…[analysis]"`."""
    pip = Path(sys.executable).with_name("pip")
    here = pip.relative_to(Path.cwd()) if pip.is_relative_to(Path.cwd()) else pip
    return f'{here} install "{DISTRIBUTION}[{extra}]"'
