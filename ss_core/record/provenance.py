"""Where and how a run runs: no input of it, but what may explain a difference between machines."""

import importlib.metadata
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

PACKAGES = (
    "suggestion-sharing",
    "torch",
    "numpy",
    "pyarrow",
    "pandapower",
    "numba",
    "eclipse-sumo",
)


def environment_facts() -> dict[str, Any]:
    """Command, versions and machine of this process."""
    packages: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            packages[name] = None
    prefixes = ("SS_", "OMP_", "MKL_", "OPENBLAS_", "NUMBA_", "PYTHONHASHSEED")
    return {
        "command": _command(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "packages": packages,
        "variables": {
            key: os.environ[key] for key in sorted(os.environ) if key.startswith(prefixes)
        },
    }


def _command() -> str:
    """How this process was called, as it may be typed again."""
    program = Path(sys.argv[0]).name
    known = f"python -m {Path(sys.argv[0]).parent.name}" if program == "__main__.py" else program
    return " ".join([known, *map(shlex.quote, sys.argv[1:])])
