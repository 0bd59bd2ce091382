"""Algorithms, one file each: what is exchanged, and whose advantages the passes of `update` get.

`ALGORITHMS` maps their names to their records; it imports torch, `names.py` does not.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ss_core.algorithms.registry import ALGORITHMS

__all__ = ["ALGORITHMS"]


def __getattr__(name: str) -> object:
    if name == "ALGORITHMS":
        from ss_core.algorithms.registry import ALGORITHMS

        return ALGORITHMS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
