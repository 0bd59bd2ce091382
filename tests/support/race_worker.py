"""Eight processes start the same run at the same moment; prints how many held it, race by race."""

import os
import sys
import time
from pathlib import Path

import filelock  # noqa: F401
import tomli_w  # noqa: F401

from ss_core.errors import ConfigError, RunLockedError
from ss_core.record.manifest import verify_run
from ss_core.record.run_directory import RunDirectory

RACERS = 8
HELD, LOCKED, PRESENT = 10, 8, 3


def race(path: Path) -> list[int]:
    """Exit codes of all racers."""
    start_s = time.monotonic() + 0.05
    children = []
    for _ in range(RACERS):
        child = os.fork()
        if child == 0:
            os._exit(_start(path, start_s))
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _start(path: Path, start_s: float) -> int:
    while time.monotonic() < start_s:
        pass
    try:
        with RunDirectory.create(path, task="t", size="n1", seed=0, config={"a": 1}) as run:
            time.sleep(0.4)
            run.finish("complete")
            return HELD
    except RunLockedError:
        return LOCKED
    except ConfigError:
        return PRESENT
    except BaseException:  # noqa: BLE001 - an exit code for the parent
        return 1


def main() -> None:
    """Argument: a folder, and how many races."""
    root = Path(sys.argv[1])
    for number in range(int(sys.argv[2])):
        path = root / str(number)
        codes = race(path)
        assert verify_run(path) == [], number
        sys.stdout.write(" ".join(map(str, sorted(codes))) + "\n")


if __name__ == "__main__":
    main()
