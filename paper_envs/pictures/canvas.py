"""A canvas in logical pixels, drawn large and scaled down for smooth edges; colours; GIF and PNG.

Nothing here knows a game. Equal drawings give equal bytes.
"""

import io
from collections.abc import Sequence
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

Pixels = int | float  # of the finished picture
Point = tuple[Pixels, Pixels]
Anchor = Literal["lm", "mm", "rm", "lt", "mt", "mb"]

SUPERSAMPLING = 3
PAPER, INK, FAINT, RULE = "#fbfaf7", "#23262d", "#7d8087", "#dcdad3"
SUGGESTION = "#e8590c"  # whatever others suggest is this orange
AGENTS = (  # told apart by those who do not tell red from green, too
    "#0072b2",
    "#86e04c",
    "#f3a6e6",
    "#5e0825",
    "#0b168e",
    "#4fa878",
    "#bd0f74",
    "#6d13ec",
    "#a871f4",
    "#7b8794",
)
BRIGHT = 0.3  # relative luminance from which on letters are dark
MAX_COLOURS = 255
SAMPLED_FRAMES = 12  # whose colours make the palette of a GIF
SHEET_GAP = 12


def agent_colour(index: int) -> str:
    """The colour of an agent; after ten they repeat."""
    return AGENTS[index % len(AGENTS)]


def letters_on(colour: str) -> str:
    """Dark or light, whichever can be read on a colour."""
    shares = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    red, green, blue = (share**2.2 for share in shares)
    return INK if 0.2126 * red + 0.7152 * green + 0.0722 * blue > BRIGHT else PAPER


class Canvas:
    """A picture in the making; lengths are pixels of the finished picture."""

    def __init__(self, width: Pixels, height: Pixels, background: str = PAPER) -> None:
        self.width, self.height = width, height
        size = (round(width * SUPERSAMPLING), round(height * SUPERSAMPLING))
        self._image = Image.new("RGB", size, background)
        self._pen = ImageDraw.Draw(self._image)

    def finished(self) -> Image.Image:
        """The picture at its own size."""
        size = (round(self.width), round(self.height))
        return self._image.resize(size, Image.Resampling.LANCZOS)

    def box(
        self,
        corner: Point,
        size: Point,
        fill: str | None = None,
        *,
        radius: Pixels = 0.0,
        outline: str | None = None,
        width: Pixels = 1.0,
    ) -> None:
        """A rectangle, its corners rounded."""
        (x, y), (w, h) = corner, size
        self._pen.rounded_rectangle(
            (_up(x), _up(y), _up(x + w) - 1, _up(y + h) - 1),
            _up(radius),
            fill,
            outline,
            round(_up(width)),
        )

    def disc(
        self,
        centre: Point,
        radius: Pixels,
        fill: str | None,
        *,
        outline: str | None = None,
        width: Pixels = 1.0,
    ) -> None:
        """A circle."""
        x, y = centre
        corners = (_up(x - radius), _up(y - radius), _up(x + radius), _up(y + radius))
        self._pen.ellipse(corners, fill, outline, round(_up(width)))

    def line(self, start: Point, end: Point, colour: str, width: Pixels = 1.0) -> None:
        """A straight line."""
        self._pen.line([*_point(start), *_point(end)], colour, max(1, round(_up(width))))

    def polygon(self, points: Sequence[Point], fill: str) -> None:
        """A filled polygon."""
        self._pen.polygon([_point(point) for point in points], fill)

    def arrow(self, start: Point, end: Point, colour: str, width: Pixels = 2.0) -> None:
        """A line with a head at its end; nothing where it has no length."""
        (x, y), (u, v) = start, end
        length = ((u - x) ** 2 + (v - y) ** 2) ** 0.5
        if length < 1.0:
            return
        along = ((u - x) / length, (v - y) / length)
        head = min(length, 3.2 * width)
        neck = (u - head * along[0], v - head * along[1])
        across = (-along[1] * 0.55 * head, along[0] * 0.55 * head)
        self.line(start, neck, colour, width)
        wings = [(neck[0] + s * across[0], neck[1] + s * across[1]) for s in (1, -1)]
        self.polygon([end, *wings], colour)

    def text(
        self,
        place: Point,
        words: str,
        size: Pixels = 12.0,
        colour: str = INK,
        anchor: Anchor = "lm",
    ) -> None:
        """Words; `anchor` is which point of them lies at `place`, as Pillow names it."""
        font = ImageFont.load_default(_up(size))
        self._pen.text(_point(place), words, fill=colour, font=font, anchor=anchor)


def text_width(words: str, size: Pixels = 12.0) -> float:
    """How wide words will be."""
    return ImageFont.load_default(_up(size)).getlength(words) / SUPERSAMPLING


def _up(length: Pixels) -> float:
    return float(length * SUPERSAMPLING)


def _point(place: Point) -> Point:
    return _up(place[0]), _up(place[1])


def gif_bytes(frames: Sequence[Image.Image], *, fps: float) -> bytes:
    """An endless animation with one palette for all frames."""
    step = max(1, len(frames) // SAMPLED_FRAMES)
    palette = contact_sheet(frames[::step], columns=1).quantize(
        MAX_COLOURS, Image.Quantize.MEDIANCUT
    )
    plain = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    data = io.BytesIO()
    plain[0].save(
        data,
        format="GIF",
        save_all=True,
        append_images=plain[1:],
        duration=round(100 / fps) * 10,  # milliseconds; a GIF counts hundredths of a second
        loop=0,
        optimize=False,
    )
    return data.getvalue()


def png_bytes(picture: Image.Image) -> bytes:
    """The picture as a PNG file."""
    data = io.BytesIO()
    picture.save(data, format="PNG")
    return data.getvalue()


def contact_sheet(frames: Sequence[Image.Image], *, columns: int) -> Image.Image:
    """Frames of equal size side by side, row by row."""
    columns = min(columns, len(frames))
    rows = -(-len(frames) // columns)
    width, height = frames[0].size
    size = (
        columns * width + (columns - 1) * SHEET_GAP,
        rows * height + (rows - 1) * SHEET_GAP,
    )
    sheet = Image.new("RGB", size, RULE)
    for index, frame in enumerate(frames):
        row, column = divmod(index, columns)
        sheet.paste(frame, (column * (width + SHEET_GAP), row * (height + SHEET_GAP)))
    return sheet
