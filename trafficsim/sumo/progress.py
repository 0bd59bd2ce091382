"""How far a child process has come, in memory that its parent reads while the child is busy.

libsumo holds the interpreter while it computes a second, so that a child whose second never ends
cannot say so. Standard library only: the child imports it.
"""

import mmap
import os
import struct
import tempfile
import time
from dataclasses import dataclass

VARIABLE = "SS_PROGRESS"  # of the child's environment: the descriptor of the memory
WORDS = 400  # bytes
HEAD = struct.Struct("<dd")  # when it was marked, and the simulated second
NOT_SIMULATING = -1.0


@dataclass(frozen=True, slots=True)
class Mark:
    """The simulated second that a child began last, and when it did."""

    since_s: float  # of the machine's monotonic clock
    time_s: float  # of the simulation
    words: str  # what was done just before


class Progress:
    """A place for one mark; the child writes, the parent reads."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, HEAD.size + WORDS)

    @classmethod
    def new(cls) -> "Progress":
        """For the parent, which closes it."""
        with tempfile.TemporaryFile() as file:
            file.write(HEAD.pack(0.0, NOT_SIMULATING) + bytes(WORDS))
            file.flush()
            return cls(os.dup(file.fileno()))

    @classmethod
    def of_this_process(cls) -> "Progress":
        """For the child; a place that nobody reads where no parent gave one."""
        given = os.environ.get(VARIABLE)
        return cls(int(given)) if given else cls.new()

    def tell(self, words: str) -> None:
        """What is done, for whoever asks why the next second does not end."""
        encoded = words.encode()[:WORDS]
        self._memory[HEAD.size : HEAD.size + WORDS] = encoded.ljust(WORDS, b"\0")

    def begin_second(self, time_s: float) -> None:
        """The simulation goes on from here."""
        HEAD.pack_into(self._memory, 0, time.monotonic(), time_s)

    def rest(self) -> None:
        """No second is being simulated; loading a net, for one, takes as long as it takes."""
        HEAD.pack_into(self._memory, 0, time.monotonic(), NOT_SIMULATING)

    def mark(self) -> Mark | None:
        """The second that is being simulated, if one is."""
        since_s, time_s = HEAD.unpack_from(self._memory, 0)
        if time_s == NOT_SIMULATING:
            return None
        words = self._memory[HEAD.size : HEAD.size + WORDS].rstrip(b"\0").decode(errors="ignore")
        return Mark(since_s, time_s, words)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.descriptor)
