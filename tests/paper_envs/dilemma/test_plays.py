"""Who cooperates and who defects in the real worlds, and what the paper's tasks are."""

from typing import Any

import numpy as np
import pytest

from paper_envs.dilemma.measure import GROUPS, left_out_of, measure, tasks_of
from paper_envs.dilemma.plays import ROLES, WITHOUT, returns_of, roles_of
from paper_envs.dilemma.schelling import Diagram
from paper_envs.tasks import TASKS
from ss_core.errors import ConfigError


def silent(*_: Any) -> None:
    """No progress."""


def diagram_of(task: str, num_agents: int | None = None, episodes: int = 40) -> Diagram:
    return measure(task, num_agents=num_agents, episodes=episodes, progress=silent).diagram


def test_predation_pays_what_its_matrix_says() -> None:
    for cooperators, mine, theirs in ((0, -210, None), (1, -240, 0), (3, -240, 0), (4, -30, None)):
        earned = returns_of("predation", cooperators, num_agents=4, episodes=5, seed=0)
        first, last = (mine, theirs if theirs is not None else mine)
        assert (earned[:, :cooperators] == first).all()
        assert (earned[:, cooperators:] == last).all()


def test_in_predation_defecting_pays_always_and_all_are_best_off_approaching() -> None:
    found = diagram_of("predation", 3, episodes=4)
    assert [point.temptation.estimate for point in found.points] == [30.0, 180.0, 30.0]
    assert found.efficiency.estimate == 30 * (5 - 1)
    assert found.is_dilemma


@pytest.mark.parametrize("task", ["cleanup", "cleanup-small"])
def test_cleanup_is_a_dilemma_of_greed(task: str) -> None:
    found = diagram_of(task)
    _, greed, efficiency = found.questions
    assert (greed.verdict, efficiency.verdict, found.is_dilemma) == ("yes", "yes", True)
    assert found.points[0].defects.estimate < 0.2 * found.points[-1].cooperates.estimate


def test_harvest_tempts_whatever_others_do_and_its_small_variant_only_out_of_fear() -> None:
    full, small = diagram_of("harvest"), diagram_of("harvest-small")
    assert [question.verdict for question in full.questions] == ["yes", "yes", "yes"]
    assert [question.verdict for question in small.questions] == ["yes", "no", "yes"]
    assert full.is_dilemma
    assert small.is_dilemma


def test_the_same_seed_is_the_same_diagram_and_another_is_not() -> None:
    plays = [
        returns_of("harvest-small", 1, num_agents=3, episodes=6, seed=seed) for seed in (3, 3, 4)
    ]
    assert np.array_equal(plays[0], plays[1])
    assert not np.array_equal(plays[0], plays[2])


def test_every_task_has_two_ways_to_play_or_a_reason_why_not() -> None:
    assert ROLES.keys() | WITHOUT.keys() == TASKS.keys()
    assert not ROLES.keys() & WITHOUT.keys()
    assert all(TASKS[name].has_cooperation for name in ROLES)
    assert not any(TASKS[name].has_cooperation for name in WITHOUT)


def test_navigation_says_why_there_is_nothing_to_draw_and_what_can_be_drawn() -> None:
    with pytest.raises(ConfigError, match="no action of it costs oneself") as error:
        roles_of("navigation")
    assert "cleanup" in str(error.value)


def test_groups_hold_the_papers_tasks_or_small_variants() -> None:
    assert GROUPS["paper"] == ("cleanup", "harvest", "predation")
    assert GROUPS["small"] == ("cleanup-small", "harvest-small")
    assert tasks_of("paper") == GROUPS["paper"]
    assert tasks_of("harvest") == ("harvest",)
    assert list(left_out_of("paper")) == ["navigation"]
    assert not left_out_of("small")
    assert not left_out_of("cleanup")


def test_one_agent_alone_has_no_dilemma_and_too_many_do_not_fit() -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        diagram_of("cleanup", 1)
    with pytest.raises(ConfigError, match="it takes 1 to 44"):
        diagram_of("cleanup", 45)
