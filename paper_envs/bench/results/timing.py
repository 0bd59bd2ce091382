"""How long runs took (`timing.json`): beside their results, which hold no clock.

Processor seconds are those of the run's own process, with everything that it did twice because it
was stopped in between.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ss_core.record.atomic import atomic_write, json_bytes

TIMING_FILE = "timing.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds that a run has taken, all its starts together."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    cpu_s_at: dict[int, float] = field(default_factory=dict)  # by updates done, at curve points


def read_timing(path: Path) -> Timing:
    """What `write_timing` wrote; zero where there is nothing, or nothing readable: it is no result.

    A file of a version that knew wall-clock time only is read as such.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        return Timing(
            wall_s=float(document["wall_s"]),
            cpu_s=float(document.get("cpu_s", 0.0)),
            cpu_s_at={int(k): float(v) for k, v in document.get("cpu_s_at", {}).items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Timing()


def write_timing(timing: Timing, path: Path) -> None:
    """Replace `timing.json`.

    Raises:
        ResourceError: the disk refused.
    """
    document = {
        "wall_s": round(timing.wall_s, 2),
        "cpu_s": round(timing.cpu_s, 2),
        "cpu_s_at": {str(k): round(v, 2) for k, v in sorted(timing.cpu_s_at.items())},
    }
    atomic_write(path, json_bytes(document))
