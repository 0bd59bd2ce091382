"""Runs three runs on a local Ray cluster that loses a worker: `python -m … FOLDER`; for a test."""

import sys
from pathlib import Path

from ss_core.processes.ray_pool import run_on_ray
from tests.support.small_bench import small_spec, small_task


def main() -> None:
    """Print what became of each run."""
    folder = Path(sys.argv[1])
    dying = small_task(small_spec(folder / "a"), "tests.support.small_bench:die_once")
    good = small_task(small_spec(folder / "b", seed=101))
    bad = small_task(small_spec(folder / "c", seed=102), "tests.support.small_bench:nothing")

    lines: list[str] = []

    def observe(name: str, stage: str, *_: object) -> None:
        lines.append(f"{name.rpartition('/')[2]} {stage}")

    failures = run_on_ray([dying, good, bad], 1, observe)
    lines += [failure.log for failure in failures]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    main()
