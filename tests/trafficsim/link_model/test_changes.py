"""Changed days that begin and end at pictures of the day as it is are changed days."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import NOISY, small_game, trips
from tests.trafficsim.link_model.crossing import MAIN, SIDE, SIGNAL, crossing_scene, crossing_text
from trafficsim.demand.trips import VehicleType
from trafficsim.link_model.model import FEW_VEHICLES, LinkModel, Noise

MANY = FEW_VEHICLES + 10


def differences(
    model: LinkModel, row: np.ndarray, mover: int, route: int, noise: Noise
) -> np.ndarray:
    """Of all vehicles' times, by days driven in whole."""
    changed = row.copy()
    changed[mover] = route
    before, after = model.play(np.stack([row, changed]), noise).times_s
    return after - before


@pytest.mark.parametrize("headway_s", [2.5, 7.0, 20.0])
def test_with_many_vehicles_changes_are_what_whole_days_say(
    tmp_path: Path, headway_s: float
) -> None:
    game = small_game(tmp_path, trips(MANY, headway_s=headway_s, kind=NOISY))
    model = LinkModel.of(game.scene)
    noise, rng = model.noise(2, 0), np.random.default_rng(0)
    row = game.routes_of(rng.integers(game.option_count)[None])[0]
    movers = np.array([0, 1, 70, MANY - 1])
    everybody = np.tile(np.arange(MANY), (len(movers), 1))
    found = model.alternatives(row, movers, game.options[movers], everybody, noise)
    assert found.times_s == pytest.approx(model.play(row[None], noise).times_s[0])
    for at, mover in enumerate(movers):
        for k, route in enumerate(game.options[mover]):
            expected = differences(model, row, mover, route, noise)
            assert found.theirs_s[at, :, k] == pytest.approx(expected, abs=1e-6)
            assert found.own_s[at, k] == pytest.approx(expected[mover], abs=1e-6)
            assert found.total_s[at, k] == pytest.approx(expected.sum(), abs=1e-6)
    assert np.abs(found.total_s).max() > 1.0


@pytest.mark.parametrize("kind", ["static", "actuated"])
def test_changes_at_lights_are_what_whole_days_say(tmp_path: Path, kind: str) -> None:
    signal = SIGNAL.format(kind=kind, offset=0, first="Gr", second="rG")
    text = crossing_text(junction="traffic_light", signal=signal)
    depart_s = [11.3 * at for at in range(MANY)]
    noisy = VehicleType("car", (("sigma", "0.5"),))
    model = LinkModel.of(crossing_scene(tmp_path, depart_s, text=text, kind=noisy))
    noise, row = model.noise(1, 0), np.array([MAIN, SIDE, MAIN, MAIN] * MANY)[:MANY]
    movers, options = np.array([2, 100]), np.array([[MAIN, SIDE]] * 2)
    found = model.alternatives(row, movers, options, np.tile(np.arange(MANY), (2, 1)), noise)
    for at, mover in enumerate(movers):
        expected = differences(model, row, mover, SIDE, noise)
        assert found.theirs_s[at, :, 1] == pytest.approx(expected, abs=1e-6)
