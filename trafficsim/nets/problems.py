"""What is wrong with a file, gathered to be reported at once."""

from pathlib import Path

from ss_core.errors import InputError

MAX_SHOWN = 20


class Problems:
    """Sentences with the line they are about; the first `MAX_SHOWN` are kept, the rest counted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shown: list[tuple[int, str]] = []
        self._count = 0

    def add(self, line: int, sentence: str) -> None:
        """Note that something about the line is wrong."""
        self._count += 1
        if len(self._shown) < MAX_SHOWN:
            self._shown.append((line, sentence))

    @property
    def count(self) -> int:
        """How many were noted."""
        return self._count

    def forget_since(self, count: int) -> None:
        """Take back what was noted after the first `count`."""
        self._shown = self._shown[:count]
        self._count = count

    def raise_any(self) -> None:
        """End here if anything was wrong.

        Raises:
            InputError: one line for each problem, in the order of the file.
        """
        lines = [f"{self._path}:{line}: {sentence}" for line, sentence in sorted(self._shown)]
        if self._count == 1:
            raise InputError(lines[0])
        if self._count > len(lines):
            lines.append(f"and {self._count - len(lines)} more")
        if lines:
            raise InputError("\n  ".join([f"{self._path}: {self._count} problems", *lines]))
