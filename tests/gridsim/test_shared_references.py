"""What the grid's references of held-out days depend on, and what they do not."""

import pytest

from gridsim.config import resolve
from gridsim.scenario import SCENARIO, days_and_tariff
from ss_core.experiments.studies.runs import who_shares
from ss_core.experiments.studies.spec import StudyRun

SAME = {
    "learner.gamma": 0.5,
    "algorithm": "vps",
    "neighbours": 3,
    "kva_per_household": 1.5,
    "feeder": "kerber_146",
    "phases": "unbalanced",
    "instruments": "all",
    "trace": "kpi",
    "budget": {"updates": 3},
}
OTHERS = {
    "seed": 1,
    "days": 3,
    "households": 30,
    "population.ev_ownership": 0.1,
    "tariff.kappa": 3.0,
    "search.num_random_starts": 1,
    "num_actions": 5,
    "variant": "per_job",
}


@pytest.mark.parametrize("key", SAME)
def test_learners_feeders_and_rows_change_no_reference(key: str) -> None:
    assert days_and_tariff(resolve("tuned", {key: SAME[key]})) == days_and_tariff(
        resolve("tuned", {})
    )


@pytest.mark.parametrize("key", OTHERS)
def test_whoever_lives_there_and_what_a_day_costs_does(key: str) -> None:
    assert days_and_tariff(resolve("tuned", {key: OTHERS[key]})) != days_and_tariff(
        resolve("tuned", {})
    )


def test_runs_of_a_study_share_where_its_axes_change_learners_alone() -> None:
    def planned(**settings: object) -> StudyRun:
        config = resolve("tuned", settings)
        return StudyRun(name=repr(settings), point=settings, seed=config.seed, config=config)

    learners = [planned(neighbours=4), planned(neighbours=8)]
    shares = [planned(**{"population.ev_ownership": share}) for share in (0.1, 0.2)]
    assert who_shares([*learners, *shares], SCENARIO) == {one.name for one in learners}
