"""Key figures of any world: means with intervals, and the gap closed between two rows."""

import numpy as np
import pytest

from ss_core.scenario.key_figures import Scores, gaps_closed, mean_of, summarise

DAYS = {"cost": np.zeros(3)}


def test_a_summary_counts_days_without_value_and_does_not_average_them() -> None:
    values = {"losses_kwh": np.array([1.0, 3.0, np.nan]), "par": np.array([np.nan])}
    summaries = summarise(values, np.random.default_rng(0))
    assert summaries["losses_kwh"].mean == pytest.approx(2.0)
    assert (summaries["losses_kwh"].num_days, summaries["losses_kwh"].num_missing) == (2, 1)
    assert 1.0 <= summaries["losses_kwh"].ci_low <= summaries["losses_kwh"].ci_high <= 3.0
    assert np.isnan(summaries["par"].mean)
    assert summaries["par"].num_days == 0


def scores(*, no_dilemma: bool = False) -> Scores:
    return Scores(
        figures={"selfish": DAYS, "ours": DAYS, "best": DAYS},
        cost={
            "selfish": np.array([[12.0, 12.0, 12.0]]),
            "ours": np.array([[11.0, 11.0, 11.0], [10.5, 10.5, 10.5]]),
            "best": np.array([[10.0, 10.0, 10.0]]),
        },
        no_dilemma=no_dilemma,
    )


def test_the_gap_runs_from_the_baseline_to_the_best_row_and_is_void_without_a_dilemma() -> None:
    gaps = gaps_closed(scores(), "selfish", "best", np.random.default_rng(0))
    found = {name: gap.estimate for name, gap in gaps.items() if gap is not None}
    assert found == pytest.approx({"selfish": 0.0, "ours": 0.625, "best": 1.0})
    void = gaps_closed(scores(no_dilemma=True), "selfish", "best", np.random.default_rng(0))
    assert void == {"selfish": None, "ours": None, "best": None}


def test_a_world_without_costs_has_no_gap_and_a_row_without_a_figure_no_mean() -> None:
    assert gaps_closed(Scores(figures={"a": DAYS}), "a", "a", np.random.default_rng(0)) == {}
    assert np.isnan(mean_of({}, "cost"))
