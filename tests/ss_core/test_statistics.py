"""Statistics of runs, by hand and against SciPy."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from ss_core.statistics import (
    Interval,
    bootstrap_interval,
    difference_interval,
    gap_closed_interval,
    gini,
    interquartile_mean,
    mean,
    min_max_normalised,
    probability_of_improvement,
)

RLIABLE = json.loads(
    (Path(__file__).parents[1] / "data" / "rliable" / "oracle.json").read_text(encoding="utf-8")
)

finite = st.floats(-1e6, 1e6)


def test_interquartile_mean_leaves_out_a_quarter_at_each_end() -> None:
    assert interquartile_mean(np.array([100.0, 1.0, 2.0, -50.0])) == 1.5
    assert interquartile_mean(np.array([1.0, 2.0, 9.0])) == 4.0  # a quarter of three is none


@given(st.lists(finite, min_size=1, max_size=40))
def test_interquartile_mean_is_scipys_trimmed_mean(values: list[float]) -> None:
    expected = scipy.stats.trim_mean(np.array(values), 0.25)
    assert interquartile_mean(np.array(values)) == pytest.approx(expected, rel=1e-9, abs=1e-6)


def test_interquartile_mean_of_a_stack_is_the_stack_of_interquartile_means() -> None:
    stack = np.random.default_rng(0).normal(size=(5, 3, 9))
    singles = [[float(interquartile_mean(row)) for row in block] for block in stack]
    np.testing.assert_allclose(interquartile_mean(stack), singles)


def test_interval_of_a_mean_is_close_to_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(loc=3.0, size=400)
    interval = bootstrap_interval(values, mean, resamples=4000, rng=np.random.default_rng(2))
    half = 1.96 * values.std(ddof=1) / 20
    assert interval.estimate == pytest.approx(values.mean())
    assert interval.low == pytest.approx(values.mean() - half, abs=0.01)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.01)


def test_interval_agrees_with_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(3).exponential(size=60)
    ours = bootstrap_interval(
        values, interquartile_mean, resamples=9999, rng=np.random.default_rng(4)
    )
    theirs = scipy.stats.bootstrap(
        (values,),
        lambda x, axis: scipy.stats.trim_mean(x, 0.25, axis=axis),
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.02)
    assert ours.high == pytest.approx(theirs.high, abs=0.02)


def test_gap_closed_is_a_ratio_of_sums_not_a_mean_of_ratios() -> None:
    selfish, optimum = np.array([10.0, 4.0]), np.array([6.0, 3.0])
    run = np.array([[7.0, 4.0], [9.0, 4.0]])  # avoids (3 + 0 + 1 + 0)/2 = 2 of 5
    interval = gap_closed_interval(selfish, run, optimum, rng=np.random.default_rng(0))
    assert interval is not None
    assert interval.estimate == pytest.approx(0.4)
    assert interval.low == pytest.approx(0.0)  # two second days
    assert interval.high == pytest.approx(3 / 4)  # two first days, the better seed twice


def test_gap_closed_is_one_at_the_optimum_and_zero_at_the_selfish_outcome() -> None:
    rng = np.random.default_rng(0)
    optimum = rng.uniform(1, 2, size=20)
    selfish = optimum + rng.uniform(0.5, 1, size=20)
    for run, share in ((optimum, 1.0), (selfish, 0.0)):
        interval = gap_closed_interval(selfish, np.stack([run, run]), optimum, rng=rng)
        assert interval is not None
        assert (interval.low, interval.estimate, interval.high) == pytest.approx(
            (share, share, share)
        )


def test_no_dilemma_gives_no_ratio() -> None:
    costs = np.array([5.0, 5.0])
    assert (
        gap_closed_interval(costs, costs[None], costs - 0.01, rng=np.random.default_rng(0)) is None
    )
    assert (
        gap_closed_interval(costs, costs[None], costs + 1.0, rng=np.random.default_rng(0)) is None
    )


def test_gini_by_hand() -> None:
    assert gini(np.array([2.0, 2.0, 2.0])) == 0.0
    assert gini(np.array([0.0, 0.0, 0.0, 8.0])) == 0.75
    assert gini(np.array([1.0, 3.0])) == 0.25  # mean difference 1 over twice the mean 4, by pairs
    assert gini(np.zeros(3)) == 0.0


@given(st.lists(st.floats(0.01, 1e4), min_size=1, max_size=20), st.floats(0.1, 10.0))
def test_gini_is_half_the_relative_mean_difference_whatever_the_unit(
    values: list[float], unit: float
) -> None:
    x = np.array(values)
    expected = np.abs(x[:, None] - x).mean() / (2 * x.mean())
    assert gini(x) == pytest.approx(expected, abs=1e-9)
    assert gini(unit * x) == pytest.approx(expected, abs=1e-9)


def test_meaningless_input_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        gini(np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match="finite"):
        bootstrap_interval(np.array([np.nan]), mean, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="level"):
        bootstrap_interval(np.array([1.0]), mean, level=95.0, rng=np.random.default_rng(0))


def test_probability_of_improvement_counts_pairs_and_halves_ties() -> None:
    """Of 3 x 2 pairs: 1 beats none, 2 ties one, 5 beats both."""
    interval = probability_of_improvement(
        [np.array([1.0, 2.0, 5.0])], [np.array([2.0, 3.0])], rng=np.random.default_rng(0)
    )
    assert interval.estimate == (0.5 + 2) / 6
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


def test_probability_of_improvement_averages_tasks_however_many_runs_they_have() -> None:
    better, worse = np.array([2.0, 3.0, 4.0]), np.array([1.0])
    interval = probability_of_improvement(
        [better, worse], [worse, better], rng=np.random.default_rng(0)
    )
    assert (interval.low, interval.estimate, interval.high) == (0.5, 0.5, 0.5)


@given(st.lists(finite, min_size=1, max_size=6), st.lists(finite, min_size=1, max_size=6))
def test_either_side_improves_with_probabilities_that_add_up_to_one(
    first: list[float], second: list[float]
) -> None:
    x, y = [np.array(first)], [np.array(second)]
    one = probability_of_improvement(x, y, resamples=10, rng=np.random.default_rng(0)).estimate
    other = probability_of_improvement(y, x, resamples=10, rng=np.random.default_rng(0)).estimate
    assert one + other == pytest.approx(1)


def test_difference_is_averaged_over_tasks_however_many_runs_they_have() -> None:
    first, second = [np.array([1.0, 3.0]), np.array([10.0])], [np.array([0.0]), np.array([4.0])]
    interval = difference_interval(first, second, mean, rng=np.random.default_rng(0))
    assert interval.estimate == (2 + 6) / 2
    assert interval.low == (1 + 6) / 2  # the first run of the first task twice
    assert interval.high == (3 + 6) / 2


def test_a_task_far_behind_is_not_cut_off_as_an_extreme() -> None:
    """Pooled, the interquartile mean would lose the whole first task: -1 of four, + 0.1 thrice."""
    second = [np.zeros(5)] * 4
    first = [np.full(5, -1.0), *[np.full(5, 0.1)] * 3]
    interval = difference_interval(first, second, interquartile_mean, rng=np.random.default_rng(0))
    assert interval.high == pytest.approx((-1.0 + 0.3) / 4)


def test_difference_of_runs_that_agree_has_no_width() -> None:
    interval = difference_interval(
        [np.full(5, -1.0)], [np.full(5, -2.0)], interquartile_mean, rng=np.random.default_rng(0)
    )
    assert (interval.low, interval.estimate, interval.high) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("case", RLIABLE.values(), ids=RLIABLE)
def test_comparisons_agree_with_rliable_up_to_bootstrap_noise(
    case: dict[str, list[float]],
) -> None:
    """rliable drew 4,000 times; ends of such intervals vary by a few hundredths of their width."""
    first, second = (list(np.array(case[name]).T) for name in ("first", "second"))
    rng = np.random.default_rng(0)
    ours = {"improvement": probability_of_improvement(first, second, resamples=20_000, rng=rng)}
    if len(first) == 1:  # rliable pools the runs of several tasks, which we do not
        ours["iqm"] = bootstrap_interval(first[0], interquartile_mean, resamples=20_000, rng=rng)
        ours["difference"] = difference_interval(
            first, second, interquartile_mean, resamples=20_000, rng=rng
        )
    for name, interval in ours.items():
        estimate, low, high = case[name]
        assert interval.estimate == pytest.approx(estimate, abs=1e-12), name
        assert interval.low == pytest.approx(low, abs=0.06 * (high - low)), name
        assert interval.high == pytest.approx(high, abs=0.06 * (high - low)), name


@pytest.mark.slow
@pytest.mark.parametrize(("num_seeds", "covered"), [(5, 0.94), (3, 0.80)])
def test_how_often_intervals_of_a_difference_cover_the_truth(
    num_seeds: int, covered: float
) -> None:
    """Normal samples without a true difference: 95 % is what many seeds would give."""
    rng = np.random.default_rng(0)
    repeats = 1000
    hits = 0
    for _ in range(repeats):
        first, second = rng.normal(size=(2, num_seeds))
        interval = difference_interval([first], [second], interquartile_mean, rng=rng)
        hits += interval.low <= 0 <= interval.high
    assert hits / repeats == pytest.approx(covered, abs=0.02)


def test_min_max_normalisation_maps_ends_to_zero_and_one_and_goes_on_beyond() -> None:
    values = min_max_normalised(np.array([-15.0, -8.0, -1.0, 6.0]), -15.0, -1.0)
    np.testing.assert_allclose(values, [0, 0.5, 1, 1.5])
    with pytest.raises(ValueError, match="below"):
        min_max_normalised(np.array([1.0]), 2.0, 2.0)


def test_comparisons_refuse_no_tasks_and_tasks_without_partner() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="stratum"):
        difference_interval([], [], mean, rng=rng)
    with pytest.raises(ValueError, match="shorter"):
        probability_of_improvement([np.ones(2), np.ones(2)], [np.ones(2)], rng=rng)
    assert isinstance(difference_interval([np.ones(2)], [np.ones(2)], mean, rng=rng), Interval)


def test_an_interval_is_printed_in_three_digits() -> None:
    interval = Interval(estimate=0.913854, low=0.9042566, high=0.92191398)
    assert str(interval) == "0.914 [0.904, 0.922]"
    assert f"{interval:.1f}" == "0.9 [0.9, 0.9]"
