"""Colours are told apart by those who do not see all of them (Machado et al., 2009)."""

from itertools import combinations

import numpy as np
import pytest
from jaxtyping import Float

from paper_envs.pictures.canvas import AGENTS, INK, PAPER, Canvas, letters_on
from paper_envs.pictures.line import AWAY, TOWARDS
from paper_envs.pictures.parts import draw_key, key_height
from paper_envs.pictures.symbols import APPLE, WASTE

SEEN = {  # linear red, green and blue as they are seen
    "all colours": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
}
LEAST = 0.07  # in Oklab, in which black and white are 1 apart


def linear(colour: str) -> Float[np.ndarray, " 3"]:
    shares = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def oklab(light: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    """Ottosson (2020)."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    axes = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return axes @ np.cbrt(cones @ np.clip(light, 0, 1))


def apart(one: str, other: str, how: str) -> float:
    first, second = (oklab(SEEN[how] @ linear(colour)) for colour in (one, other))
    return float(np.linalg.norm(first - second))


@pytest.mark.parametrize("how", SEEN)
def test_agents_are_told_apart(how: str) -> None:
    pairs = {(a, b): apart(a, b, how) for a, b in combinations(AGENTS, 2)}
    assert min(pairs.values()) > LEAST, min(pairs, key=lambda pair: pairs[pair])


@pytest.mark.parametrize("how", SEEN)
@pytest.mark.parametrize("pair", [(APPLE, WASTE), (TOWARDS, AWAY)])
def test_what_lies_about_and_where_one_goes_are_told_apart(pair: tuple[str, str], how: str) -> None:
    assert apart(*pair, how) > 2 * LEAST


@pytest.mark.parametrize("colour", AGENTS)
def test_numbers_on_agents_can_be_read(colour: str) -> None:
    luminances = [float(np.array([0.2126, 0.7152, 0.0722]) @ linear(c)) for c in (INK, PAPER)]
    mine = float(np.array([0.2126, 0.7152, 0.0722]) @ linear(colour))
    letters = luminances[0] if letters_on(colour) == INK else luminances[1]
    assert (max(mine, letters) + 0.05) / (min(mine, letters) + 0.05) > 3


def test_a_key_takes_as_many_lines_as_it_needs() -> None:
    entries = [("#000000", "a meaning of some length")] * 4
    assert key_height(entries, 2000) < key_height(entries, 400) < key_height(entries, 250)
    canvas = Canvas(250, 200)
    draw_key(canvas, entries)
    pixels = np.asarray(canvas.finished())
    marks = (np.abs(pixels.astype(int)).max(axis=2) < 60)[:, 16:30].sum(axis=1)
    assert len(np.flatnonzero(np.diff((marks > 5).astype(int)) == 1)) == 4
