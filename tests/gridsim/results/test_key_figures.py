"""Key figures: hand-worked days, missing power flows, equity."""

import numpy as np
import pytest

from gridsim.game.costs import costs
from gridsim.game.tariff import TariffConfig, build_tariff
from gridsim.households.households import STEPS_PER_DAY
from gridsim.results.key_figures import (
    equity_kpis,
    grid_kpis,
    load_kpis,
    money_kpis,
)


def grid_day(converged: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Two households, four steps: one sags below 0.95, the transformer is over for 0.5 h."""
    vm_pu = np.full((1, 4, 2), 1.0)
    vm_pu[0, :, 1] = 0.94
    vm_pu[0, 3, 1] = 0.89
    solved = np.ones((1, 4), dtype=bool) if converged is None else converged
    return grid_kpis(
        household_vm_pu=np.where(solved[..., None], vm_pu, np.nan),
        trafo_loading_percent=np.where(solved, [[90.0, 101.0, 120.0, 100.0]], np.nan),
        line_loading_percent=np.where(solved, [[30.0, 35.0, 60.0, 20.0]], np.nan),
        loss_kw=np.where(solved, [[1.0, 2.0, 3.0, 2.0]], np.nan),
        converged=solved,
    )


def test_money_adds_up_to_the_cost_of_a_household() -> None:
    rng = np.random.default_rng(0)
    load_kw, discomfort = rng.uniform(0, 4, (3, 5, STEPS_PER_DAY)), rng.random((3, 5))
    figures = money_kpis(costs(load_kw, discomfort, build_tariff(TariffConfig())))
    parts = figures["bill_eur"] + figures["charge_eur"] + figures["discomfort_eur"]
    np.testing.assert_allclose(figures["cost_eur_per_household"], parts)


def test_a_rectangle_of_load_has_the_peak_par_and_ramps_one_expects() -> None:
    load_kw = np.zeros((1, 2, STEPS_PER_DAY))
    load_kw[:, :, 10:34] = 1.5  # a quarter of the day at 3 kW for the feeder
    figures = load_kpis(load_kw)
    assert figures["peak_kw"] == pytest.approx([3.0])
    assert figures["par"] == pytest.approx([4.0])
    assert figures["ramping_kw"] == pytest.approx([6.0])
    assert figures["energy_kwh"] == pytest.approx([18.0])


def test_a_day_without_load_has_no_peak_to_average_ratio() -> None:
    assert np.isnan(load_kpis(np.zeros((1, 2, STEPS_PER_DAY)))["par"]).all()


def test_a_feeder_without_a_transformer_has_no_figures_of_one() -> None:
    figures = grid_kpis(
        household_vm_pu=np.ones((1, 4, 2)),
        trafo_loading_percent=None,
        line_loading_percent=np.full((1, 4), 50.0),
        loss_kw=np.zeros((1, 4)),
        converged=np.ones((1, 4), dtype=bool),
    )
    assert not any(name.startswith("trafo") for name in figures)
    assert figures["line_loading_percent"] == pytest.approx([50.0])


def test_grid_figures_of_four_steps_by_hand() -> None:
    figures = grid_day()
    assert figures["trafo_loading_percent"] == pytest.approx([120.0])
    assert figures["trafo_overload_h"] == pytest.approx([0.5])
    assert figures["line_loading_percent"] == pytest.approx([60.0])
    assert figures["vm_min_pu"] == pytest.approx([0.89])
    assert figures["vm_max_pu"] == pytest.approx([1.0])
    assert figures["household_hours_below_095"] == pytest.approx([1.0])
    assert figures["household_hours_outside_band"] == pytest.approx([0.25])
    assert figures["losses_kwh"] == pytest.approx([2.0])
    assert figures["unsolved_steps"] == pytest.approx([0.0])


def test_an_unsolved_step_voids_the_grid_figures_of_its_day_and_is_counted() -> None:
    figures = grid_day(np.array([[True, True, False, True]]))
    assert figures["unsolved_steps"] == pytest.approx([1.0])
    for name in figures.keys() - {"unsolved_steps"}:
        assert np.isnan(figures[name]).all(), name


def test_savings_of_one_household_alone_are_as_unequal_as_can_be() -> None:
    nash = np.full((1, 4), 10.0)
    figures = equity_kpis(np.array([[6.0, 10.0, 10.0, 11.0]]), nash)
    assert figures["share_of_losers"] == pytest.approx([0.25])
    assert figures["gini_of_savings"] == pytest.approx([0.75])
    assert equity_kpis(nash - 1.0, nash)["gini_of_savings"] == pytest.approx([0.0], abs=1e-12)
