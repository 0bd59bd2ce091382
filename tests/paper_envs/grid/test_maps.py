import re
from collections import Counter

import numpy as np
import pytest

from paper_envs.grid.cleanup import CLEANUP, SMALL_CLEANUP
from paper_envs.grid.harvest import HARVEST, SMALL_HARVEST
from paper_envs.grid.maps import CLEANUP_DRAWING, HARVEST_DRAWING, parse_map
from ss_core.errors import ConfigError


def test_cleanup_map_has_the_published_size_and_counts() -> None:
    counts = Counter("".join(CLEANUP_DRAWING))
    assert {kind: counts[kind] for kind in "HRBSP"} == {"H": 22, "R": 26, "B": 40, "S": 12, "P": 5}
    assert {len(row) for row in CLEANUP_DRAWING} == {18}
    assert len(CLEANUP_DRAWING) == 11


def test_harvest_map_has_the_published_size_and_counts() -> None:
    counts = Counter("".join(HARVEST_DRAWING))
    assert {kind: counts[kind] for kind in "AP"} == {"A": 68, "P": 4}
    assert {len(row) for row in HARVEST_DRAWING} == {38}
    assert len(HARVEST_DRAWING) == 7


def test_cleanup_starts_just_above_depletion() -> None:
    assert len(CLEANUP.grid_map.river_cells) == 48
    assert CLEANUP.grid_map.waste.sum() / 48 == pytest.approx(0.4583, abs=1e-4)


@pytest.mark.parametrize("game", [CLEANUP, SMALL_CLEANUP, HARVEST, SMALL_HARVEST])
def test_arrays_of_a_map_say_what_its_drawing_shows(game) -> None:
    grid_map = game.grid_map
    flat = "".join(grid_map.drawing)
    assert [flat[cell] == "@" for cell in range(len(flat))] == grid_map.walls.tolist()
    assert {flat[cell] for cell in grid_map.apple_cells} <= set("AB")
    assert {flat[cell] for cell in grid_map.river_cells} <= set("HR")
    assert {flat[cell] for cell in grid_map.spawn_cells} == {"P"}
    assert {flat[cell] for cell in grid_map.ground_cells} == {" "}
    assert sorted(grid_map.places[grid_map.places >= 0]) == list(range(grid_map.interior))


def test_places_number_interior_cells_in_reading_order() -> None:
    places = parse_map(("@@@@", "@ P@", "@A @", "@@@@")).places.reshape(4, 4)
    assert places[1:3, 1:3].tolist() == [[0, 1], [2, 3]]
    assert (places[[0, 3]] == -1).all()


@pytest.mark.parametrize(
    ("drawing", "said"),
    [
        (("@@@", "@  ", "@@@"), "row 1, column 2: ' ' on the border"),
        (("@@@@", "@ A@", "@ x@", "@@@@"), "row 2, column 2: 'x' means nothing"),
        (("@@@@", "@ @", "@@@@"), "row 1: 3 symbols, row 0 has 4"),
        (("@@", "@@"), "at least three rows of three symbols"),
    ],
)
def test_a_map_that_is_none_is_refused_with_its_row_and_column(
    drawing: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        parse_map(drawing)


def test_steps_are_up_right_down_left() -> None:
    assert np.array_equal(CLEANUP.grid_map.offsets, [-18, 1, 18, -1])
