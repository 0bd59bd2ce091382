"""The clock of one run: processor and wall-clock seconds, which add up over its starts."""

import time
from collections.abc import Callable
from pathlib import Path

from paper_envs.bench.results.timing import Timing, read_timing, write_timing

Clock = Callable[[], float]


class RunClock:
    """Begins where the file at `path` ends; what was not written before a kill is lost."""

    def __init__(
        self, path: Path, *, cpu: Clock = time.process_time, wall: Clock = time.monotonic
    ) -> None:
        self._path, self._cpu, self._wall = path, cpu, wall
        self._before = read_timing(path)
        self._began = cpu(), wall()
        self._marks = dict(self._before.cpu_s_at)

    @property
    def cpu_s(self) -> float:
        """Processor seconds of all starts so far."""
        return self._before.cpu_s + self._cpu() - self._began[0]

    def mark(self, update: int) -> None:
        """Note the processor seconds at a point of the learning curve."""
        self._marks[update] = self.cpu_s

    def write(self) -> None:
        """Publish what was noted.

        Raises:
            ResourceError: the disk refused.
        """
        wall_s = self._before.wall_s + self._wall() - self._began[1]
        timing = Timing(wall_s=wall_s, cpu_s=self.cpu_s, cpu_s_at=self._marks)
        write_timing(timing, self._path)
