"""Drivers found from vehicles counted on links: of the model itself, and of SUMO."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import NOISY, TWO_ROUTE, small_game, trips
from tests.trafficsim.link_model.crossing import MAIN, PLAIN, SIDE, crossing_scene
from trafficsim.link_model.calibration import (
    LEAST,
    MOST,
    NARROW,
    SPREAD,
    CalibrationConfig,
    PublicDays,
    calibrate,
    link_error,
    public_days,
)
from trafficsim.link_model.model import LinkModel
from trafficsim.link_model.tables import Drivers
from trafficsim.sumo.simulation import Outcome, Simulator, travel_times_s

QUICK = CalibrationConfig(rounds=6, guesses=12, elite=4, draws=2)


def modelled(folder: Path, drivers: Drivers) -> tuple[LinkModel, PublicDays]:
    """A model, and days that it says were driven by these drivers."""
    model = LinkModel.of(crossing_scene(folder, [0.0, 2.0, 4.0, 5.0, 7.0, 9.0]))
    rows = np.array([[MAIN, SIDE] * 3, [SIDE, MAIN, MAIN] * 2, [MAIN] * 5 + [SIDE]])
    seconds = model.with_drivers(drivers).play(rows, model.noise(1, 0)).seconds
    counts = seconds[:, :4, [model.edge_ids.index("side"), model.edge_ids.index("out")]] / 60.0
    return model, PublicDays(routes=rows, vehicles=counts, links=("side", "out"))


def test_drivers_that_made_the_days_have_no_error(tmp_path: Path) -> None:
    model, days = modelled(tmp_path, PLAIN)
    noise = model.noise(1, 0)
    assert link_error(model, days, np.array(PLAIN), noise) == pytest.approx(0.0, abs=1e-12)
    assert link_error(model, days, np.array(Drivers()), noise) > 0.05


def test_calibration_comes_near_the_drivers_that_made_the_days(tmp_path: Path) -> None:
    slow = Drivers()._replace(free_factor=1.3, gap_s=7.0)
    model, days = modelled(tmp_path, slow)
    before = link_error(model, days, np.array(model.drivers), model.noise(1, 0))
    fit = calibrate(model, days, QUICK, seed=3)
    assert fit.error_vehicles < 0.35 * before
    noise = model.noise(1, 0)
    rows = np.array([[MAIN] * 6, [SIDE] * 6])
    truth, guess = (model.with_drivers(d).play(rows, noise).times_s for d in (slow, fit.drivers))
    assert guess == pytest.approx(truth, rel=0.25)
    assert guess.mean() == pytest.approx(truth.mean(), rel=0.05)
    again = calibrate(model, days, QUICK, seed=3)
    assert again == fit
    assert (np.array(fit.drivers) >= LEAST).all()
    assert (np.array(fit.drivers) <= MOST).all()


def test_renewing_never_makes_a_fit_worse(tmp_path: Path) -> None:
    model, days = modelled(tmp_path, Drivers()._replace(free_factor=1.2))
    first = calibrate(model, days, QUICK, seed=0)
    later = calibrate(
        model.with_drivers(first.drivers),
        days,
        replace(QUICK, rounds=1),
        seed=0,
        update=5,
        renews=True,
    )
    assert later.error_vehicles <= first.error_vehicles + 1e-9


def test_renewing_looks_near_what_was_found_alone(tmp_path: Path) -> None:
    model, days = modelled(tmp_path, Drivers()._replace(free_factor=1.35, gap_s=8.0))
    one_round = replace(QUICK, rounds=1)
    start, reach = np.array(model.drivers), 4.0 * NARROW * SPREAD  # of normal guesses
    near = calibrate(model, days, one_round, seed=0, renews=True)
    far = calibrate(model, days, one_round, seed=0)
    assert (np.abs(np.array(near.drivers) - start) <= reach).all()
    assert (np.abs(np.array(far.drivers) - start) > NARROW * SPREAD).any()
    assert near.error_vehicles > far.error_vehicles


def test_driver_noise_stays_as_it_is_where_there_is_none(tmp_path: Path) -> None:
    model, days = modelled(tmp_path, PLAIN)
    assert model.is_deterministic
    fit = calibrate(model, days, QUICK, seed=0)
    assert fit.drivers.speed_noise == Drivers().speed_noise
    assert fit.drivers.headway_noise == Drivers().headway_noise


def test_the_bounds_hold_the_start() -> None:
    assert ((np.array(Drivers()) >= LEAST) & (np.array(Drivers()) <= MOST)).all()
    assert len(LEAST) == len(MOST) == len(Drivers._fields)


def test_intervals_after_a_days_end_are_no_data() -> None:
    def day(counts: list[list[float]]) -> Outcome:
        return Outcome(
            arrival_s=np.zeros(1),
            teleports=np.zeros(1, dtype=np.int64),
            collisions=0,
            link_speed_m_per_s=np.zeros((len(counts), 2)),
            link_vehicles=np.array(counts),
            end_s=0.0,
        )

    days = public_days(
        ["a", "b"], np.zeros((2, 1), dtype=np.int64), [day([[1.0, 2.0]]), day([[3.0, 4.0]] * 2)]
    )
    assert np.isnan(days.vehicles[0, 1]).all()
    assert days.vehicles[1, 1].tolist() == [3.0, 4.0]


@pytest.mark.sumo
def test_a_model_fitted_to_counts_knows_drivers_times_in_sumo(tmp_path: Path) -> None:
    game = small_game(tmp_path, trips(12, kind=NOISY), net=TWO_ROUTE)
    rng = np.random.default_rng(0)
    rows = game.routes_of(rng.integers(2, size=(24, 12)))
    with Simulator(game.scene) as simulator:
        outcomes = simulator.play(list(rows), list(range(24)))
    times_s = np.stack([travel_times_s(game.scene, each) for each in outcomes])
    model = LinkModel.of(game.scene)
    days = public_days(game.scene.watched, rows[:16], outcomes[:16])
    fitted = model.with_drivers(calibrate(model, days, CalibrationConfig(), seed=0).drivers)
    noise = model.noise(16, 1)
    apart = {
        name: np.abs(each.play(rows[16:], noise).times_s.mean(axis=0) - times_s[16:].mean(axis=0))
        for name, each in {"as it is": model, "fitted": fitted}.items()
    }
    assert apart["fitted"].mean() < 0.7 * apart["as it is"].mean()
    assert apart["fitted"].mean() < 0.05 * times_s.mean()
