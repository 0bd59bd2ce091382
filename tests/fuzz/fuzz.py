"""Fuzz one reader with atheris: `python tests/fuzz/fuzz.py TARGET [-max_total_time=1800 …]`.

Starts from `corpus/<target>/` and keeps what reaches new code in a folder of its own below
`.fuzz/`; a find is written there as `crash-…`. `make fuzz` runs every target for a while.
"""

import sys
from pathlib import Path

import atheris

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

with atheris.instrument_imports(include=["ss_core", "gridsim", "trafficsim", "cli"]):
    import targets


def main() -> None:
    """Arguments: the target, then libFuzzer's."""
    name = sys.argv[1]
    found = HERE.parents[1] / ".fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    options = [
        f"-artifact_prefix={found}/",
        "-max_len=65536",
        "-timeout=10",
        "-rss_limit_mb=2048",
        *sys.argv[2:],
    ]
    atheris.Setup([sys.argv[0], *options, str(found), str(HERE / "corpus" / name)],
                  targets.TARGETS[name])  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main()
