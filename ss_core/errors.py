"""Every exception the packages raise for their users, with the exit code a command line ends with.

An error says what failed, where (file and place), the value seen, and a remedy. Command lines print
`SS-Exxx: message` and exit with `exit_code`; a traceback is shown only under `--debug`.
"""

import errno

OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM)
OUT_OF_MEMORY = (  # how torch, PyArrow, C++ and the loader of libraries say it
    "allocate memory",
    "bad_alloc",
    "failed to map segment",
    "Failed to launch worker thread",
    "malloc of size",
    "not enough memory",
)


class SuggestionSharingError(Exception):
    """Base of all errors meant for users; never raised itself."""

    code = "SS-E001"
    exit_code = 1


class ConfigError(SuggestionSharingError):
    """A configuration value, key or combination is not acceptable."""

    code = "SS-E300"
    exit_code = 3


class InputError(SuggestionSharingError):
    """An input file (net, feeder, profile, trace) is missing, malformed or unphysical."""

    code = "SS-E310"
    exit_code = 3


class SimulatorError(SuggestionSharingError):
    """A simulator failed in a way that retries do not fix."""

    code = "SS-E400"
    exit_code = 4


class CorruptError(SuggestionSharingError):
    """A checkpoint or trace does not match its recorded checksum or schema."""

    code = "SS-E500"
    exit_code = 5


class ResourceError(SuggestionSharingError):
    """Disk, memory or another budget is exhausted or not writable."""

    code = "SS-E600"
    exit_code = 6


class CheckFailedError(SuggestionSharingError):
    """A verification (`verify`, `--check`) ran and its outcome is negative."""

    code = "SS-E700"
    exit_code = 7


class RunLockedError(SuggestionSharingError):
    """Another process is writing this run directory."""

    code = "SS-E800"
    exit_code = 8


class Interrupted(SuggestionSharingError):  # noqa: N818 - what happened is no error
    """A signal stopped the run after a clean checkpoint; `exit_code` is 128 + its number."""

    code = "SS-I130"

    def __init__(self, message: str, signal_number: int = 2) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


def is_want_of_room(error: BaseException) -> bool:
    """Whether an error of any library says that memory or disk ran out."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) in OUT_OF_SPACE:
        return True
    return any(words in str(error) for words in OUT_OF_MEMORY)
