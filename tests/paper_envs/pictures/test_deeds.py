"""Who eats, who cleans and who suggests what: what moments hold and what is drawn of it."""

from dataclasses import replace

import numpy as np
import pytest

from paper_envs.pictures.episode import play
from paper_envs.pictures.frame import Deeds, GridScene, Moment, Suggestion
from paper_envs.pictures.render import render
from paper_envs.pictures.symbols import CLEANED
from paper_envs.tasks import make_env
from ss_core.algorithms.build import build_learner
from ss_core.learning.learner import LearnerConfig
from tests.paper_envs.pictures.test_render import line_moment, seen


def episode_of(name: str, agents: int | None = None) -> tuple[list[Moment], list[GridScene]]:
    env = make_env(name, 1, num_agents=agents)
    config = LearnerConfig(architecture="multihead", hidden=(8,))
    moments = play(env, name, build_learner(config, env.spec, 0), seed=4)
    scenes = [one.scene for one in moments if isinstance(one.scene, GridScene)]
    assert len(scenes) == len(moments)
    return moments, scenes


def added(scenes: list[GridScene], kind: str) -> list[list[int]]:
    return np.cumsum([getattr(scene.deeds, kind) for scene in scenes], axis=0).tolist()


@pytest.mark.parametrize("name", ["cleanup-small", "harvest-small", "cleanup", "harvest"])
def test_totals_are_all_deeds_up_to_this_step_and_apples_are_the_return(name: str) -> None:
    moments, scenes = episode_of(name)
    for kind in ("eaten", "removed", "spared"):
        totals = [getattr(scene.totals, kind).tolist() for scene in scenes]
        assert totals == added(scenes, kind)
    assert [scene.totals.eaten.tolist() for scene in scenes] == [
        moment.returns.tolist() for moment in moments
    ]
    last = scenes[-1].totals
    assert last.removed.any() == scenes[0].has_waste
    assert last.spared.any() == (not scenes[0].has_waste)


def test_waste_that_is_removed_is_gone_at_the_next_step_and_beams_come_from_who_cleans() -> None:
    moments, scenes = episode_of("cleanup-small")
    clean = moments[0].action_names.index("clean")
    for moment, scene, after in zip(moments, scenes, scenes[1:], strict=False):
        lost = (scene.board.waste & ~after.board.waste).sum()
        grown = (after.board.waste & ~scene.board.waste).sum()
        removed = int(scene.deeds.removed.sum())
        assert removed - 1 <= lost <= removed  # one may have come back at once
        assert grown <= 1
        assert not scene.beams[~scene.board.river].any() or (moment.actions == clean).any()
        assert set(np.flatnonzero(scene.deeds.removed)) <= set(
            np.flatnonzero(moment.actions == clean)
        )


def without_deeds(moment: Moment) -> Moment:
    scene = moment.scene
    assert isinstance(scene, GridScene)
    none = np.zeros_like(scene.deeds.eaten)
    return replace(moment, scene=replace(scene, deeds=Deeds(eaten=none, removed=none, spared=none)))


def test_who_removes_waste_now_is_marked_on_the_board() -> None:
    moments, scenes = episode_of("cleanup-small")
    chosen = next(k for k, scene in enumerate(scenes) if scene.deeds.removed.any())
    marked, plain = render(moments[chosen]), render(without_deeds(moments[chosen]))
    assert seen(marked, CLEANED) > seen(plain, CLEANED) + 20


def test_who_eats_now_is_marked_on_the_board_and_in_its_card() -> None:
    moments, scenes = episode_of("harvest-small")
    chosen = next(k for k, scene in enumerate(scenes) if scene.deeds.eaten.any())
    one, other = render(moments[chosen]), render(without_deeds(moments[chosen]))
    differs = (np.asarray(one) != np.asarray(other)).any(axis=(0, 2))
    board = scenes[0].board.walls.shape[1] * 38 + 16
    assert differs[:board].any()
    assert differs[board:].any()


@pytest.mark.parametrize(("name", "agents"), [("cleanup", 8), ("harvest", 8), ("cleanup", 10)])
def test_pictures_of_many_agents_are_no_wider_or_higher_than_a_screen(
    name: str, agents: int
) -> None:
    env = make_env(name, 1, num_agents=agents)
    config = LearnerConfig(architecture="multihead", hidden=(8,))
    moments = play(env, name, build_learner(config, env.spec, 0), seed=4)
    width, height = render(moments[0]).size
    assert width <= 1200
    assert height <= 700


def three(suggestions: dict[tuple[int, int], list[float]]) -> Moment:
    """Three agents with two actions, all with a policy of one half each."""
    pairs = np.full((3, 3, 2), np.nan)
    for pair, suggested in suggestions.items():
        pairs[pair] = suggested
    return replace(
        line_moment(None),
        actions=np.zeros(3, dtype=int),
        own=np.full((3, 2), 0.5),
        suggestions=pairs,
        returns=np.zeros(3),
    )


def test_the_strongest_suggestion_is_the_one_furthest_above_the_receivers_policy() -> None:
    moment = three({(0, 1): [0.3, 0.7], (0, 2): [0.9, 0.1], (1, 0): [0.5, 0.5], (1, 2): [0.6, 0.4]})
    assert moment.strongest(0) == Suggestion(receiver=2, action=0, own=0.5, suggested=0.9)
    found = moment.strongest(1)
    assert found is not None
    assert (found.receiver, found.action, found.suggested) == (2, 0, 0.6)


def test_who_sends_nothing_or_wants_no_change_has_no_strongest_suggestion() -> None:
    assert three({(1, 0): [0.9, 0.1]}).strongest(0) is None
    assert three({(0, 1): [0.505, 0.495]}).strongest(0) is None
    assert replace(three({}), suggestions=None).strongest(0) is None


def test_the_mean_suggestion_counts_only_who_sends_one() -> None:
    suggested = three({(0, 2): [0.9, 0.1], (1, 2): [0.7, 0.3], (2, 1): [1.0, 0.0]}).suggested
    assert suggested is not None
    assert suggested[2] == pytest.approx([0.8, 0.2])
    assert suggested[1] == pytest.approx([1.0, 0.0])
    assert np.isnan(suggested[0]).all()
