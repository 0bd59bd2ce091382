"""Sizing with diversity: few households coincide more, and the charge follows the rating."""

import pytest

from gridsim.config import resolve
from gridsim.network.sizing import sized_kappa_kw, sized_kva_per_household


def test_one_dwelling_needs_its_own_connection_and_many_share() -> None:
    assert sized_kva_per_household(1) == pytest.approx(14.5)
    assert sized_kva_per_household(10**9) == pytest.approx(2.0, abs=1e-4)
    sizes = [sized_kva_per_household(n) for n in (1, 5, 10, 50, 500)]
    assert sizes == sorted(sizes, reverse=True)


def test_five_homes_carry_a_car_at_full_power() -> None:
    assert 5 * sized_kva_per_household(5) > 11.0 + 5 * 1.0
    assert 5 * 2.0 < 11.0  # what 2 kVA each could not


def test_auto_sizes_transformer_and_charge_together() -> None:
    config = resolve("tuned", {"households": 10, "kva_per_household": "auto"})
    assert config.rating_kva == pytest.approx(sized_kva_per_household(10))
    assert config.tariff.kappa == pytest.approx(sized_kappa_kw(10), abs=1e-3)
    own = resolve("tuned", {"households": 10, "kva_per_household": "auto", "tariff.kappa": 1.1})
    assert own.tariff.kappa == 1.1
    assert resolve("tuned", {"households": 10}).tariff.kappa == 1.1
