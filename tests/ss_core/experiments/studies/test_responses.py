"""Responses, changes, ranks and thresholds, from rows written by hand."""

from pathlib import Path

import pytest

from ss_core.experiments.studies.responses import (
    changes,
    first_above,
    interval_of,
    is_more_better,
    levels_of,
    ranking,
    relative_gap,
    response,
    stays_above,
    values_of,
    without_dilemma,
)
from ss_core.experiments.studies.results import Row, StudyResults
from tests.support.small_studies import STUDY, giving, study_text

COSTS = {"nash": 4.0, "ss": 2.0, "optimum": 1.0}


def results(folder: Path, steps: int = 3) -> StudyResults:
    """Costs grow with gamma; where it is lowest there is no dilemma."""
    axes = {"learner.gamma": f"{{ from = 0.0, to = 1.0, steps = {steps} }}"}
    study = giving(folder, study_text({**STUDY, "seeds": "4"}, axes=axes))
    rows = [
        Row(
            run=run.name, point={"gamma": run.point["learner.gamma"]}, seed=run.seed,
            algorithm=name, title=name, recommended=False,
            no_dilemma=run.point["learner.gamma"] == 0.0,
            figures={"cost": cost + run.seed + 10.0 * run.point["learner.gamma"]},
        )
        for run in study.plan
        for name, cost in COSTS.items()
    ]  # fmt: skip
    return StudyResults(
        spec=study.spec, plan=study.plan, rows=rows, units={"cost": "EUR"}, reasons={}
    )


def test_a_response_is_the_interquartile_mean_over_seeds_at_each_level(tmp_path: Path) -> None:
    found = results(tmp_path)
    levels = levels_of(found, "gamma")
    assert [level.x for level in levels] == [0.0, 0.5, 1.0]
    series = response(levels, values_of(found, "cost", "ss"))
    assert [one.estimate for one in series if one] == [3.5, 8.5, 13.5]
    assert all(one.low < one.estimate < one.high for one in series if one)
    assert response(levels, {}) == (None, None, None)


def test_many_values_are_put_into_classes(tmp_path: Path) -> None:
    levels = levels_of(results(tmp_path, steps=30), "gamma")
    assert len(levels) == 6
    assert sum(len(level.runs) for level in levels) == 120
    assert levels[0].label.startswith("0.0 to 0.13")


def test_changes_are_taken_run_by_run(tmp_path: Path) -> None:
    found = results(tmp_path)
    values, base = (values_of(found, "cost", name) for name in ("ss", "nash"))
    assert set(changes(values, base).values()) == {-2.0}
    one = interval_of(list(changes(values, base).values()))
    assert one is not None
    assert (one.low, one.high) == (-2.0, -2.0)
    assert interval_of([]) is None


def test_the_cheapest_policy_leads_in_every_run(tmp_path: Path) -> None:
    standings = ranking(results(tmp_path), "cost")
    assert [one.algorithm for one in standings] == ["optimum", "ss", "nash"]
    assert [one.rank.estimate for one in standings] == [1.0, 2.0, 3.0]
    assert [one.first for one in standings] == [12, 0, 0]
    assert is_more_better("episode_return")
    assert not is_more_better("cost_eur")


def test_learners_of_several_runs_meet_where_the_learner_is_an_axis(tmp_path: Path) -> None:
    axes = {"algorithm": '["ss", "vps"]', "learner.gamma": "[0.0, 1.0]"}
    study = giving(tmp_path, study_text({**STUDY, "seeds": "2"}, axes=axes))
    costs = {"ss": 1.0, "vps": 2.0, "nash": 3.0}
    rows = [
        Row(
            run=run.name,
            point={study.spec.columns[key]: value for key, value in run.point.items()},
            seed=run.seed, algorithm=name, title=name, recommended=False, no_dilemma=False,
            figures={"cost": costs[name]},
        )
        for run in study.plan
        for name in (str(run.point["algorithm"]), "nash")
    ]  # fmt: skip
    found = StudyResults(
        spec=study.spec, plan=study.plan, rows=rows, units={"cost": "EUR"}, reasons={}
    )
    assert [(one.algorithm, one.first, one.cases) for one in ranking(found, "cost")] == [
        ("ss", 4, 4),
        ("vps", 0, 4),
        ("nash", 0, 4),
    ]


def test_a_threshold_is_met_where_the_estimate_is_above_it(tmp_path: Path) -> None:
    found = results(tmp_path)
    series = response(levels_of(found, "gamma"), values_of(found, "cost", "nash"))
    assert first_above(series, 6.0) == 1
    assert stays_above(series, 6.0, 1)
    assert first_above(series, 100.0) is None
    assert not stays_above(tuple(reversed(series)), 6.0, 0)


def test_where_no_dilemma_is_and_what_there_is_to_win(tmp_path: Path) -> None:
    found = results(tmp_path)
    assert without_dilemma(found, levels_of(found, "gamma")) == [(4, 4), (0, 4), (0, 4)]
    gaps = relative_gap(found, "cost", "nash", "optimum")
    assert max(gaps.values()) == pytest.approx(3.0 / 4.0)
