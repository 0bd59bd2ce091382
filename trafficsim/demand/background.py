"""What a route file holds beside those who decide, as XML for SUMO to drive exactly as written.

Buses with their stops, bicycles, trucks, persons, containers, vehicles that wait for somebody. They
meet the others on the road, and nobody here counts or charges their time.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from trafficsim.demand.route_file import PLACES, WHAT, Choice, RouteFile
from trafficsim.nets.safe_xml import SafeXml

ADDITIONAL = PLACES | {  # of an additional file, what changes how vehicles drive
    *("tlLogic", "WAUT", "wautJunction", "variableSpeedSign", "vaporizer"),
}
WRITES_FILES = frozenset({"file", "output", "dest"})  # attributes of what writes while it runs


def element(tag: str, attributes: Mapping[str, str]) -> str:
    """An element without contents."""
    rest = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<{tag}{rest}/>"


def type_elements(file: RouteFile, defined: Collection[str]) -> list[str]:
    """Vehicle types of a file but those defined elsewhere; then its mixtures, by name."""
    lines = [
        element("vType", {"id": each.name} | each.attributes)
        for each in file.types
        if each.name not in defined
    ]
    return [*lines, *(_mixture(each) for each in file.type_mixtures)]


def _mixture(mixture: Choice) -> str:
    weights = " ".join(option.weight for option in mixture.options)
    names = " ".join(option.name for option in mixture.options)
    given = {"id": mixture.name, "vTypes": names, "probabilities": weights}
    return element("vTypeDistribution", given)


def copied(path: Path, numbers: Collection[int], tags: Collection[str]) -> list[str]:
    """Top elements of a file as written: those with these numbers in its order, or these tags.

    What would write files of its own while SUMO runs is passed over.
    """
    xml = SafeXml(path, WHAT)
    copier = _Copier(frozenset(numbers), frozenset(tags))
    xml.read(copier.take)
    return copier.finished()


class _Copier:
    """Writes elements out again; where one ends is known from the depth of the next."""

    def __init__(self, numbers: frozenset[int], tags: frozenset[str]) -> None:
        self._numbers, self._tags = numbers, tags
        self._lines: list[str] = []
        self._open: list[str] = []  # tags, from depth 2 on
        self._number = -1
        self._copies = False

    def take(self, tag: str, attributes: dict[str, str], depth: int) -> None:
        """The next element of the file."""
        if depth < 2:
            return
        self._close(depth)
        if depth == 2:
            self._number += 1
            wanted = self._number in self._numbers or tag in self._tags
            self._copies = wanted and not WRITES_FILES & attributes.keys()
        if self._copies:
            self._lines.append(element(tag, attributes)[:-2] + ">")
            self._open.append(tag)

    def finished(self) -> list[str]:
        """All that was copied."""
        self._close(2)
        return self._lines

    def _close(self, depth: int) -> None:
        while len(self._open) >= depth - 1:
            self._lines.append(f"</{self._open.pop()}>")


def as_additional(lines: Iterable[str]) -> str:
    """An additional file; "" where there is nothing to put in it."""
    inside: Sequence[str] = list(lines)
    return "\n".join(["<additional>", *inside, "</additional>", ""]) if inside else ""
