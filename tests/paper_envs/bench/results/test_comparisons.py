"""Summaries and comparisons of runs, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_envs.bench.results.comparisons import (
    Scale,
    Suite,
    area_under_curve,
    at_the_end,
    by_cell,
    curve_band,
    difference,
    first_return,
    improvement,
    interval_of,
    sample,
    share_of_cooperators,
    suites_of,
)
from paper_envs.bench.results.results import RunResult
from ss_core.errors import InputError
from tests.support.bench_results import a_benchmark, cell_of, run_of, runs_of


def only_suite(results: list[RunResult]) -> Suite:
    (suite,) = suites_of(by_cell(results))
    return suite


def with_curve(run: RunResult, **columns: list[float | None]) -> RunResult:
    points = len(next(iter(columns.values())))
    axis: list[float | None] = [float(point + 1) for point in range(points)]
    return replace(run, curve={"update": axis, "episode": axis, **columns})


def test_runs_are_grouped_by_cell_and_ordered_by_seed() -> None:
    cell, other = cell_of("predation", "ss"), cell_of("predation", "vs")
    results = [run_of(cell, 102, -1.0), run_of(other, 100, -2.0), run_of(cell, 101, -1.1)]
    grouped = by_cell(results)
    assert [run.seed for run in grouped[cell]] == [101, 102]
    assert list(grouped) == [cell, other]


def test_one_seed_twice_is_refused_by_name() -> None:
    run = run_of(cell_of("predation", "ss"), 100, -1.0)
    with pytest.raises(InputError, match="predation-8-tuned-ss, seed 100"):
        by_cell([run, run])


def test_metrics_of_a_curve_by_hand() -> None:
    run = run_of(cell_of("predation", "ss"), 100, -1.0, cooperators=[1, 0, 0, 0, 0, 0, 0, 0, 3])
    curved = with_curve(run, averaged_return=[None, -4.0, -2.0, -3.0], suggestion_mse=[0.2, 0.1])
    assert area_under_curve(curved) == -3.0
    assert first_return(curved) == -4.0
    assert at_the_end("suggestion_mse")(curved) == 0.1  # 5 % of two points is one
    assert at_the_end("rate_all")(curved) is None
    assert share_of_cooperators(8)(curved) == 0.75
    assert share_of_cooperators(9)(curved) is None
    assert share_of_cooperators(8)(replace(curved, cooperators=None)) is None


def test_the_end_of_a_curve_is_its_last_twentieth_without_gaps() -> None:
    values: list[float | None] = [9.0] * 57 + [1.0, None, 2.0]
    run = with_curve(run_of(cell_of("predation", "ss"), 100, -1.0), suggestion_mse=values)
    assert at_the_end("suggestion_mse")(run) == 1.5


def test_values_that_do_not_exist_are_no_part_of_a_sample() -> None:
    cell = cell_of("predation", "ss")
    finals = [-1.0, float("nan"), -2.0]
    assert sample(tuple(runs_of(cell, finals))).tolist() == [-1.0, -2.0]
    assert interval_of(np.array([])) is None


def test_scale_runs_from_the_worst_algorithm_to_the_best_and_ignores_variants() -> None:
    suite = only_suite(
        [
            *runs_of(cell_of("predation", "ss"), [-1.0, -1.0, -4.0]),  # interquartile mean -2
            *runs_of(cell_of("predation", "vs"), [-12.0] * 3),
            *runs_of(cell_of("predation", "ss", variant="rho0"), [-15.0] * 3),
            *runs_of(cell_of("predation", "ss", num_agents=2), [-1.0] * 3),
        ]
    )
    scale = suite.scale("predation")
    assert scale is not None
    assert (scale.low, scale.high, scale.span) == (-12.0, -2.0, 10.0)
    assert scale.normalised(np.array([-12.0, -7.0, -2.0])).tolist() == [0.0, 0.5, 1.0]
    assert suite.scale("predation", 2) is None  # one algorithm alone has no scale


def test_runs_on_the_way_do_not_stretch_the_scale_once_two_algorithms_are_finished() -> None:
    finished = [
        run
        for name, end in (("ss", -2.0), ("vs", -4.0))
        for run in runs_of(cell_of("predation", name), [end] * 3)
    ]
    begun = [
        replace(run, planned_updates=2 * run.num_updates)
        for run in runs_of(cell_of("predation", "independent"), [-14.0] * 3)
    ]
    (suite,) = suites_of(by_cell([*finished, *begun]))
    assert suite.scale("predation") == Scale(low=-4.0, high=-2.0)
    (early,) = suites_of(by_cell([*finished[:3], *begun]))
    assert early.scale("predation") == Scale(low=-14.0, high=-2.0)


def test_main_comparison_is_that_of_the_headline_size_else_of_the_one_run_most() -> None:
    pair = runs_of(cell_of("predation", "ss", num_agents=2), [-1.0])
    pair += runs_of(cell_of("predation", "vs", num_agents=2), [-1.0])
    crowd = runs_of(cell_of("predation", "ss", num_agents=12), [-1.0])
    assert only_suite([*pair, *crowd]).size("predation") == 2
    headline = runs_of(cell_of("predation", "ss"), [-1.0])
    assert only_suite([*pair, *crowd, *headline]).size("predation") == 8
    assert only_suite(headline).size("cleanup") is None


def test_small_variants_and_presets_are_suites_of_their_own() -> None:
    suites = suites_of(by_cell(a_benchmark(2, ("paper", "tuned"))))
    assert [suite.slug for suite in suites] == ["paper", "paper-small", "tuned", "tuned-small"]
    for suite in suites:
        assert {cell.preset for cell in suite.cells} == {suite.preset}
        assert {cell.task.endswith("-small") for cell in suite.cells} == {not suite.in_paper}
    assert sum(len(suite.cells) for suite in suites) == len(by_cell(a_benchmark(2))) * 2


def test_band_of_runs_that_agree_is_their_curve_and_gaps_are_left_out() -> None:
    run = run_of(cell_of("predation", "ss"), 100, -1.0)
    first = with_curve(run, averaged_return=[-8.0, -4.0, -2.0])
    second = with_curve(run, averaged_return=[-8.0, None, -2.0])
    band = curve_band((first, second), "averaged_return")
    assert band is not None
    assert band.episodes.tolist() == [1.0, 3.0]
    for line in (band.low, band.estimate, band.high):
        assert line.tolist() == [-8.0, -2.0]
    assert curve_band((first,), "rate_all") is None


def test_unfinished_runs_do_not_cut_the_band_of_finished_ones_short() -> None:
    whole = run_of(cell_of("predation", "ss"), 100, -1.0)
    begun = replace(whole, seed=101, num_updates=0, curve={name: [] for name in whole.curve})
    half = replace(
        whole, num_updates=100, curve={name: values[:25] for name, values in whole.curve.items()}
    )
    for runs, points in (((whole, begun, half), 50), ((begun, half), 25)):
        band = curve_band(runs, "averaged_return")
        assert band is not None
        assert len(band.episodes) == points
    assert curve_band((begun,), "averaged_return") is None


def test_band_of_a_point_is_the_interval_of_its_values() -> None:
    finals = [-1.0, -3.0, -2.0, -6.0, -4.0]
    runs = tuple(
        with_curve(run, averaged_return=[run.final_return])
        for run in runs_of(cell_of("predation", "ss"), finals)
    )
    band, interval = curve_band(runs, "averaged_return", 2000), interval_of(np.array(finals))
    assert band is not None
    assert interval is not None
    assert (band.low[0], band.estimate[0], band.high[0]) == (
        interval.low,
        interval.estimate,
        interval.high,
    )


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=8), st.floats(-50, 50))
def test_adding_to_all_runs_moves_a_difference_and_nothing_else(
    values: list[float], step: float
) -> None:
    first, second = np.array(values), np.array(values[::-1])
    before, after = difference([first], [second]), difference([first + step], [second])
    assert after.low == pytest.approx(before.low + step, abs=1e-6)
    assert after.high == pytest.approx(before.high + step, abs=1e-6)


def test_intervals_do_not_depend_on_what_was_asked_before() -> None:
    values = np.random.default_rng(0).normal(size=5)
    once = interval_of(values)
    improvement(values, values)
    assert interval_of(values) == once
