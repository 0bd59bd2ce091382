"""Fuzz one reader with atheris: `python -m tests.fuzz.fuzz TARGET [-max_total_time=1800 …]`.

Starts from the corpus and keeps what reaches new code below `.fuzz/<target>/`; a find is written
there as `crash-…`. `make fuzz` runs every target for a while; `python -m tests.fuzz.keep TARGET`
adds to the corpus what it kept.
"""

import io
import operator
import random
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import atheris  # pyright: ignore[reportMissingModuleSource] - an extra, for Linux

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

library: Any = atheris  # its stubs know little of it

with library.instrument_imports(include=["ss_core", "gridsim", "trafficsim", "cli"]):
    import targets


def within_archive(data: bytes, longest: int, seed: int) -> bytes:
    """Damage inside one member of a zip archive, whose checksums stay right.

    Nothing else would get past them to the arrays; one in eight is damaged from outside.
    """
    rng = random.Random(seed)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:  # noqa: BLE001 - no archive any more
        members = {}
    if not members or rng.randrange(8) == 0:
        return atheris.Mutate(data, longest)
    chosen = rng.choice(list(members))
    members[chosen] = atheris.Mutate(members[chosen], len(members[chosen]) + 64)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()[:longest]


MUTATORS = {"compiled": within_archive}


COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)


def trace_scalars_only(target: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Trace comparisons of numbers and texts only, from the first input on.

    atheris 3.0.0 never frees what a traced comparison of arrays or tensors gives; instrumented code
    looks `_trace_cmp` up in the module, where `Fuzz` has put libFuzzer's by then.
    """

    def first(data: bytes) -> None:
        nonlocal run
        run, native = target, library._trace_cmp

        def trace(left: Any, right: Any, which: int, *rest: object) -> object:
            if isinstance(left, int | str | bytes) and isinstance(right, int | str | bytes):
                return native(left, right, which, *rest)
            return COMPARISONS[which](left, right)

        library._trace_cmp = trace
        target(data)

    run = first
    return lambda data: run(data)


def main() -> None:
    """Arguments: the target, then libFuzzer's."""
    name = sys.argv[1]
    found = HERE.parents[1] / ".fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    for key, data in targets.found_before(name).items():
        targets.written(str(found / key), data)
    options = [
        f"-artifact_prefix={found}/",
        "-max_len=65536",
        "-timeout=10",
        "-rss_limit_mb=2048",
        *sys.argv[2:],
    ]
    atheris.Setup([sys.argv[0], *options, str(found), str(HERE / "corpus" / name)],
                  trace_scalars_only(targets.TARGETS[name]),
                  **({"custom_mutator": MUTATORS[name]} if name in MUTATORS else {}))  # fmt: skip
    atheris.Fuzz()


if __name__ == "__main__":
    main()
