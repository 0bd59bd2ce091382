"""How often each fault was tried: counted by the tests, printed at the end, kept in the docs.

`SS_SOAK=1` (`make soak`) tries the long column.
"""

import os
from collections.abc import Iterator, Mapping

SOAK = bool(os.environ.get("SS_SOAK"))
FAULTS = {
    "F1": "SIGKILL at random moments of a run",
    "F2": "SIGKILL of the whole tree of a grid or traffic run",
    "F3": "SIGINT or SIGTERM, once and twice",
    "F4": "power loss: what was not synced is gone",
    "F5": "the n-th call to the disk fails",
    "F6": "a file cannot grow any more",
    "F7": "damaged checkpoint",
    "F8": "malicious checkpoint",
    "F9": "hostile net, demand or feeder",
    "F10": "malformed configuration",
    "F11": "NaN or infinity in rewards, observations, gradients",
    "F12": "power flow without a solution",
    "F13": "SUMO killed or stopped",
    "F14": "teleports on a jammed net",
    "F15": "malformed, stale or too many suggestions",
    "F16": "eight processes start the same run",
    "F17": "clock set back, other time zones",
    "F18": "injection into the report",
    "F20": "formulas in exported tables",
    "F21": "memory limit, more workers than cores",
    "F22": "other hash seed, folder, locale, number of workers",
    "F24": "pickle, eval, sockets and the like in the packages",
}
_counts: dict[str, int] = {}


def counted(fault: str, times: int = 1) -> None:
    """Add what a test tried."""
    assert fault in FAULTS, fault
    _counts[fault] = _counts.get(fault, 0) + times


def counts() -> dict[str, int]:
    """What this process tried so far."""
    return dict(_counts)


def add(counts_of_another: Mapping[str, int]) -> None:
    """What another process of the same session tried."""
    for fault, tried in counts_of_another.items():
        counted(fault, tried)


def times(quick: int, long: int) -> int:
    """How often to try."""
    return long if SOAK else quick


def table() -> Iterator[str]:
    """Lines of the table of what was tried in this session."""
    for fault, what in FAULTS.items():
        if fault in _counts:
            yield f"{fault:>4}  {_counts[fault]:>6}  {what}"
