"""The check against stored results: what it accepts, and everything it must not."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from paper_envs.bench.results.reference import (
    WIDENING,
    check_against,
    read_reference,
    write_reference,
)
from paper_envs.bench.results.results import RunResult
from ss_core.errors import CorruptError, InputError
from ss_core.statistics import interquartile_mean
from tests.support.bench_results import cell_of, runs_of

SS, VS = cell_of("predation", "ss"), cell_of("predation", "vs")
FINALS = [-1.0, -1.1, -0.9, -1.2, -0.8]
RESULTS = [*runs_of(SS, FINALS), *runs_of(VS, [each - 3 for each in FINALS])]


def stored(path: Path, results: list[RunResult] = RESULTS) -> Path:
    write_reference(results, path, profile="quick", command="ss bench paper")
    return path


def test_a_run_agrees_with_itself_and_with_one_like_it(tmp_path: Path) -> None:
    reference = stored(tmp_path / "reference.json")
    assert check_against(RESULTS, reference) == []
    alike = [replace(run, final_return=run.final_return + 0.15) for run in RESULTS]
    assert check_against(alike, reference) == []


def test_the_interval_for_a_new_run_by_hand(tmp_path: Path) -> None:
    """Both cells have deviation √0.025; 8 degrees of freedom; 95 % for two cells together.

    Interquartile means of five vary up to 1.1 times as much as means.
    """
    path = stored(tmp_path / "reference.json")
    entry = next(each for each in read_reference(path) if each.cell == SS)
    half = scipy.stats.t.ppf(1 - 0.05 / 4, 8) * 1.1 * 0.025**0.5 * (1 / 5 + 1 / 5) ** 0.5
    assert entry.iqm == pytest.approx(-1.0)
    assert entry.prediction_low == pytest.approx(-1.0 - half)
    assert entry.prediction_high == pytest.approx(-1.0 + half)
    assert entry.low > entry.prediction_low  # a new run varies, too
    document = json.loads(path.read_bytes())
    assert (document["profile"], document["command"]) == ("quick", "ss bench paper")
    assert "commit" in document


def test_fewer_seeds_are_given_a_wider_interval(tmp_path: Path) -> None:
    entry = read_reference(stored(tmp_path / "reference.json"))[0]
    narrow = entry.quantile * entry.deviation * (1.1**2 / 5 + 1 / 3) ** 0.5
    assert entry.half_width(3) == pytest.approx(narrow)  # of three, nothing is cut off
    assert entry.half_width(2) > entry.half_width(5) > entry.half_width(1000)


@pytest.mark.parametrize("num_runs", [3, 4, 5, 8])
def test_the_widening_covers_how_much_more_interquartile_means_vary(num_runs: int) -> None:
    drawn = np.random.default_rng(0).normal(size=(50_000, num_runs))
    ratio = float(interquartile_mean(drawn).std() / drawn.mean(axis=-1).std())
    assert ratio <= (WIDENING if num_runs >= 4 else 1.0) + 1e-12
    assert ratio > (1.0 if num_runs >= 4 else 0.99)


def test_a_cell_outside_is_named_with_what_was_expected(tmp_path: Path) -> None:
    reference = stored(tmp_path / "reference.json")
    moved = [replace(run, final_return=run.final_return - (run.cell == VS)) for run in RESULTS]
    (line,) = check_against(moved, reference)
    assert line.startswith("predation-8-tuned-vs: -5 with 5 seeds, expected -4.303 to ")


def test_runs_that_agree_in_every_seed_leave_a_hundredth_of_the_span(tmp_path: Path) -> None:
    exact = [*runs_of(SS, [-1.0] * 5), *runs_of(VS, [-11.0] * 5)]
    reference = stored(tmp_path / "reference.json", exact)
    for step, lines in ((0.09, 0), (0.11, 2)):
        moved = [replace(run, final_return=run.final_return + step) for run in exact]
        assert len(check_against(moved, reference)) == lines


def test_missing_new_and_otherwise_trained_cells_are_told(tmp_path: Path) -> None:
    reference = stored(tmp_path / "reference.json")
    ps = runs_of(cell_of("predation", "ps"), FINALS)
    longer = [replace(run, num_updates=400) for run in runs_of(SS, FINALS)]
    assert check_against([*longer, *ps], reference) == [
        "predation-8-tuned-ps: not in the reference",
        "predation-8-tuned-ss: 400 updates of 16 episodes, the reference has 200 of 16",
        "predation-8-tuned-vs: in the reference, but without a result here",
    ]


def test_runs_on_the_way_are_not_compared(tmp_path: Path) -> None:
    reference = stored(tmp_path / "reference.json")
    begun = [
        replace(run, planned_updates=2 * run.num_updates) if run.seed > 102 else run
        for run in runs_of(SS, FINALS)
    ]
    (line,) = check_against([*begun, *runs_of(VS, [-4.0] * 5)], reference)
    assert line == "predation-8-tuned-ss: 2 of 5 runs are not finished"


def test_no_reference_and_damaged_ones_are_told_from_differences(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such reference"):
        check_against(RESULTS, tmp_path / "absent.json")
    damaged = tmp_path / "damaged.json"
    for text in ("{", '{"schema": "other/1"}', '{"schema": "ss.bench.reference/1"}'):
        damaged.write_text(text)
        with pytest.raises(CorruptError, match=r"damaged\.json"):
            check_against(RESULTS, damaged)


def test_a_reference_needs_two_seeds_of_every_cell(tmp_path: Path) -> None:
    for results in ([], runs_of(SS, [-1.0])):
        with pytest.raises(InputError):
            stored(tmp_path / "reference.json", results)
    assert not list(tmp_path.iterdir())
