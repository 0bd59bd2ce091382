"""Costs of the scheduling game: hand-worked numbers, budget balance, the exact potential."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridsim.game.costs import costs, potential
from gridsim.game.tariff import Tariff, TariffConfig, build_tariff
from gridsim.households.households import STEPS_PER_DAY


def flat_tariff(*, beta: float, gamma: float, kappa: float) -> Tariff:
    return Tariff(base_price=np.full(STEPS_PER_DAY, 0.2), beta=beta, gamma=gamma, kappa=kappa)


def random_tariff(rng: np.random.Generator) -> Tariff:
    return Tariff(
        base_price=rng.uniform(0.1, 0.4, STEPS_PER_DAY),
        beta=rng.uniform(0.0, 0.1),
        gamma=rng.uniform(0.0, 1.0),
        kappa=rng.uniform(0.0, 2.0),
    )


def test_two_households_pay_what_one_works_out_by_hand() -> None:
    load_kw = np.zeros((1, 2, STEPS_PER_DAY))
    load_kw[0, 0, 0] = 4.0  # mean load 2 kW per household in one quarter of an hour
    result = costs(load_kw, np.array([[0.0, 0.3]]), flat_tariff(beta=0.05, gamma=0.5, kappa=1.0))
    # price 0.2 + 0.05 * 2 = 0.3 EUR/kWh for 1 kWh; charge 0.5 * 0.25 h * (2 - 1)^2 each
    np.testing.assert_allclose(result.bill_eur, [[0.3, 0.0]])
    np.testing.assert_allclose(result.charge_eur, [0.125])
    np.testing.assert_allclose(result.cost_eur, [[0.425, 0.425]])
    np.testing.assert_allclose(result.social_cost_eur, [0.85])


@given(seed=st.integers(0, 2**32 - 1), households=st.integers(1, 12))
def test_the_households_together_pay_the_social_cost(seed: int, households: int) -> None:
    rng = np.random.default_rng(seed)
    tariff, n = random_tariff(rng), households
    load_kw = rng.uniform(0.0, 5.0, (2, n, STEPS_PER_DAY))
    discomfort = rng.uniform(0.0, 1.0, (2, n))
    total = load_kw.sum(axis=1)
    energy = 0.25 * (tariff.base_price * total + tariff.beta / n * total**2).sum(axis=1)
    over = np.maximum(total / n - tariff.kappa, 0.0)
    expected = energy + n * tariff.gamma * 0.25 * (over**2).sum(axis=1) + discomfort.sum(axis=1)
    np.testing.assert_allclose(
        costs(load_kw, discomfort, tariff).social_cost_eur, expected, rtol=1e-12
    )


@given(seed=st.integers(0, 2**32 - 1), households=st.integers(1, 12))
def test_a_unilateral_move_changes_own_cost_and_potential_alike(seed: int, households: int) -> None:
    rng = np.random.default_rng(seed)
    tariff = random_tariff(rng)
    before_kw = rng.uniform(0.0, 5.0, (1, households, STEPS_PER_DAY))
    before_eur = rng.uniform(0.0, 1.0, (1, households))
    mover = rng.integers(households)
    after_kw, after_eur = before_kw.copy(), before_eur.copy()
    after_kw[0, mover] = rng.uniform(0.0, 5.0, STEPS_PER_DAY)
    after_eur[0, mover] = rng.uniform(0.0, 1.0)

    own = [
        costs(kw, eur, tariff).cost_eur[0, mover]
        for kw, eur in ((before_kw, before_eur), (after_kw, after_eur))
    ]
    phi = [
        potential(kw, eur, tariff)[0]
        for kw, eur in ((before_kw, before_eur), (after_kw, after_eur))
    ]
    assert phi[1] - phi[0] == pytest.approx(own[1] - own[0], abs=1e-9)


def test_a_batch_of_days_costs_what_its_days_cost_alone() -> None:
    rng = np.random.default_rng(0)
    tariff = random_tariff(rng)
    load_kw, discomfort = rng.random((3, 4, STEPS_PER_DAY)), rng.random((3, 4))
    batch = costs(load_kw, discomfort, tariff).cost_eur
    for d in range(3):
        alone = costs(load_kw[d : d + 1], discomfort[d : d + 1], tariff).cost_eur
        np.testing.assert_array_equal(batch[d : d + 1], alone)


def test_the_shipped_tariff_starts_at_noon_and_scales_its_spread() -> None:
    one, two = (build_tariff(TariffConfig(spread=spread)).base_price for spread in (1.0, 2.0))
    assert one.shape == (STEPS_PER_DAY,)
    assert one[:4].tolist() == [one[0]] * 4
    assert one.argmax() // 4 == 6  # 18 h is six hours after noon
    assert np.ptp(two) == pytest.approx(2 * np.ptp(one))
    assert two.mean() == pytest.approx(one.mean())


def test_a_negative_knob_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="gamma=-1"):
        TariffConfig(gamma=-1.0)
