"""Where and how a run runs: no input of it, but what may explain a difference between machines."""

import importlib.metadata
import os
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

from ss_core.resources import DISTRIBUTION

PACKAGES = (
    DISTRIBUTION,
    "torch",
    "numpy",
    "pyarrow",
    "pandapower",
    "numba",
    "libsumo",
)


def installed_version(distribution: str = DISTRIBUTION) -> str | None:
    """Version of an installed distribution, this one by default, found without importing it."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def environment_facts() -> dict[str, Any]:
    """Command, versions and machine of this process."""
    prefixes = ("SS_", "OMP_", "MKL_", "OPENBLAS_", "NUMBA_", "PYTHONHASHSEED")
    return {
        "command": _command(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpu_count": os.cpu_count(),
        "packages": {name: installed_version(name) for name in PACKAGES},
        "variables": {
            key: os.environ[key] for key in sorted(os.environ) if key.startswith(prefixes)
        },
    }


def _command() -> str:
    """How this process was called, as it may be typed again."""
    program = Path(sys.argv[0]).name
    known = f"python -m {Path(sys.argv[0]).parent.name}" if program == "__main__.py" else program
    return " ".join([known, *map(shlex.quote, sys.argv[1:])])
