"""Runs side by side: values, differences and intervals by hand."""

import numpy as np
import pytest

from ss_core.analysis.comparison import RunFigures, compare, groups_of, settings_that_differ
from ss_core.errors import InputError
from ss_core.statistics import Interval


def run(
    peak_kw: float, seed: int = 0, rho: float = 1.0, task: str = "grid", half: float = 1.0
) -> RunFigures:
    interval = Interval(estimate=peak_kw, low=peak_kw - half, high=peak_kw + half)
    return RunFigures(
        name=f"run-{seed}-{rho}",
        task=task,
        seed=seed,
        config={"seed": seed, "learner": {"rho": rho}},
        figures={("ss", "peak_kw"): interval},
        units={("ss", "peak_kw"): "kW"},
    )


def test_two_single_runs_have_the_root_of_both_half_widths_squared() -> None:
    groups = groups_of([run(60.0, rho=1.0, half=3.0), run(70.0, rho=2.0, half=4.0)])
    (record,) = compare(groups)
    assert record.unit == "kW"
    assert record.differences == (None, Interval(estimate=10.0, low=5.0, high=15.0))


def test_seeds_of_one_configuration_are_one_group() -> None:
    first = [run(60.0 + seed, seed=seed) for seed in range(5)]
    second = [run(70.0 + seed, seed=seed, rho=2.0) for seed in range(5)]
    groups = groups_of([*first, *second])
    assert [len(group) for group in groups] == [5, 5]
    (record,) = compare(groups)
    value, change = record.values[0], record.differences[1]
    assert value is not None
    assert change is not None
    assert value.estimate == pytest.approx(62.0)  # of five: one cut at each end
    assert 60.0 <= value.low < 62.0 < value.high <= 64.0
    assert change.estimate == pytest.approx(10.0)
    assert change.low > 0.0
    assert np.isfinite(change.high)


def test_other_worlds_and_lonely_runs_are_refused() -> None:
    with pytest.raises(InputError, match="two or more"):
        groups_of([run(60.0)])
    with pytest.raises(InputError, match=r"run-0-1\.0 is traffic"):
        groups_of([run(60.0), run(60.0, task="traffic")])


def test_a_figure_that_only_one_has_is_left_out() -> None:
    bare = RunFigures(name="b", task="grid", seed=1, config={"a": 1}, figures={}, units={})
    assert compare(groups_of([run(60.0), bare])) == []


def test_settings_that_differ_are_named_and_the_seed_is_none() -> None:
    groups = groups_of([run(60.0, seed=1), run(70.0, seed=2, rho=2.0)])
    assert settings_that_differ(groups) == [("learner.rho", ["1.0", "2.0"])]


def test_the_rows_of_different_learners_are_laid_side_by_side() -> None:
    value = Interval(estimate=1.0, low=0.9, high=1.1)
    runs = [
        RunFigures(
            name=name,
            task="predation",
            seed=0,
            config={"learner": {"algorithm": name}},
            figures={(name, "averaged_return"): value, ("untrained", "averaged_return"): value},
            units={(name, "averaged_return"): "1", ("untrained", "averaged_return"): "1"},
        )
        for name in ("ss", "independent")
    ]
    rows = {row.algorithm: row for row in compare(groups_of(runs))}
    assert rows.keys() == {"learned", "untrained"}
    assert rows["learned"].values == (value, value)
    assert rows["learned"].unit == "1"
