"""Key figures of days on the road, worked by hand."""

import numpy as np
import pytest

from ss_core.scenario.key_figures import summarise
from trafficsim.results.key_figures import (
    delay_by_od_s,
    equity_kpis,
    no_dilemma,
    time_kpis,
)

TIMES_S = np.array([[10.0, 20.0, 30.0, 40.0], [20.0, 20.0, 20.0, 20.0]])  # two days, four vehicles
FREE_S = np.array([10.0, 10.0, 20.0, 20.0])


def test_figures_of_time_are_means_over_vehicles_day_by_day() -> None:
    figures = time_kpis(TIMES_S, FREE_S)
    assert figures["mean_travel_time_s"].tolist() == [25.0, 20.0]
    assert figures["total_travel_time_h"] == pytest.approx([100 / 3600, 80 / 3600])
    assert figures["p95_travel_time_s"] == pytest.approx([38.5, 20.0])
    assert figures["mean_delay_s"].tolist() == [10.0, 5.0]
    assert figures["gini_travel_time"] == pytest.approx([0.25, 0.0])  # (−30 − 20 + 30 + 120)/400


def test_winners_and_losers_are_those_on_average_over_the_days() -> None:
    equilibrium_s = np.array([[20.0, 20.0, 20.0, 30.0], [20.0, 20.0, 25.5, 40.0]])
    figures = equity_kpis(TIMES_S, equilibrium_s)  # saved: 5, 0, −2.25, 5
    assert figures["share_of_winners"].tolist() == [0.5, 0.5]
    assert figures["share_of_losers"].tolist() == [0.25, 0.25]
    assert figures["worst_loss_s"].tolist() == [2.25, 2.25]
    assert figures["gini_of_savings"] == pytest.approx([0.5, 0.5])  # 0, 0, 5, 5
    same = equity_kpis(equilibrium_s, equilibrium_s)
    assert {name: values.tolist() for name, values in same.items()} == {
        name: [0.0, 0.0] for name in figures
    }


def test_a_second_more_or_less_is_no_loss() -> None:
    figures = equity_kpis(np.array([[11.0, 9.0]]), np.array([[10.0, 10.0]]))
    assert figures["share_of_losers"].tolist() == figures["share_of_winners"].tolist() == [0.0]


def test_delays_are_reported_by_zone_pair() -> None:
    delays_s = delay_by_od_s(TIMES_S, FREE_S, np.array([0, 2, 0, 2]), 3)
    assert delays_s.tolist() == [5.0, 0.0, 10.0]  # 5 and 5; nobody; 10 and 10


@pytest.mark.parametrize(
    ("equilibrium_s", "optimum_s", "nothing"),
    [
        ([100.0, 100.0], [90.0, 90.0], False),
        ([100.0, 100.0], [98.0, 98.0], True),  # below 3 %
        ([100.0, 100.0], [110.0, 110.0], True),
        ([100.0, 100.0, 100.0, 100.0], [60.0, 140.0, 60.0, 130.0], True),  # 2.5 ± 21
        ([100.0], [90.0], False),
    ],
)
def test_there_is_a_dilemma_only_beyond_noise(
    equilibrium_s: list[float], optimum_s: list[float], nothing: bool
) -> None:
    rows = (np.repeat(np.array(days)[:, None], 3, axis=1) for days in (equilibrium_s, optimum_s))
    assert no_dilemma(*rows) is nothing


def test_a_summary_has_mean_interval_and_number_of_days() -> None:
    figures = {"x_s": np.array([1.0, 3.0]), "y_s": np.array([5.0])}
    summary = summarise(figures, np.random.default_rng(0))
    assert (summary["x_s"].mean, summary["x_s"].num_days) == (2.0, 2)
    assert 1.0 <= summary["x_s"].ci_low <= 2.0 <= summary["x_s"].ci_high <= 3.0
    assert (summary["y_s"].ci_low, summary["y_s"].ci_high) == (5.0, 5.0)
