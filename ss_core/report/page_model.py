"""What a report page is made of: plain data that `page` turns into HTML.

A world says what there is to see (`Part`); nothing here knows households, roads or HTML.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Cell = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows for people; units stand in the column headings."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A picture, what it says in words, and the numbers behind it."""

    slug: str  # unique on the page
    title: str  # what to see in it, as a sentence
    alt: str  # the same for those who do not see it, with the figures that matter
    panels: tuple[Mapping[str, Any], ...]  # plotly's `data` and `layout` each; see `charts`
    table: Table
    note: str = ""
    height_px: int = 380  # of a panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that was drawn before, inside the page."""

    slug: str  # unique on the page
    title: str
    alt: str  # what it shows, for those who do not see it
    kind: Literal["png", "svg+xml"]
    data: bytes
    caption: str = ""

    @property
    def source(self) -> str:
        """The picture as an address that loads nothing."""
        return f"data:image/{self.kind};base64,{base64.b64encode(self.data).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """One number of the first screen."""

    label: str
    value: str  # with its unit
    detail: str = ""  # interval, or what it is compared with


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Something to copy: a command, a query."""

    text: str


Item = Chart | Picture | Table | Text | Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A chapter of the page."""

    slug: str  # unique on the page
    title: str
    intro: str = ""
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What a world has to say about a run: the first screen, and chapters of its own."""

    question: str
    verdict: str  # one sentence with its interval
    picture: Chart | None  # before and after
    figures: tuple[KeyFigure, ...]  # four
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A whole page."""

    title: str
    part: Part
    sections: tuple[Section, ...]
    footer: str
