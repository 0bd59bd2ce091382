"""Observations in the range of networks: by their space, by running moments, or left alone."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from ss_core.adapters.observation_scale import RunningMoments, entry_scales
from ss_core.adapters.pettingzoo import VectorFromParallel
from ss_core.learning.learner import LearnerConfig
from ss_core.training.loop import Training
from tests.support.own_games import PublicGoods

SMALL = spaces.Box(-1.0, 10.0, (1,))
BYTES = spaces.Box(0, 255, (2,), np.uint8)
UNBOUNDED = spaces.Box(-np.inf, np.inf, (1,))
LARGEST_FLOATS = spaces.Box(-np.finfo(np.float32).max, np.finfo(np.float32).max, (1,))
MIXED = spaces.Dict({"a": SMALL, "b": BYTES, "c": UNBOUNDED, "d": LARGEST_FLOATS})


def test_what_is_small_stays_bytes_are_mapped_and_the_unbounded_is_standardised() -> None:
    scales = entry_scales([MIXED, SMALL], 5, "auto")
    assert scales.mapped == 2
    assert scales.by_moments.tolist() == [[False, False, False, True, True], [False] * 5]
    row = np.array([7.0, 0.0, 255.0, 3.0, 4.0])
    scaled = (row - scales.shift[0]) * scales.factor[0]
    np.testing.assert_allclose(scaled, [7.0, -1.0, 1.0, 3.0, 4.0], rtol=1e-6)
    assert "2 entries mapped" in scales.words()
    assert "2 unbounded entries standardised" in scales.words()


@pytest.mark.parametrize(("kind", "mapped", "standardised"), [("none", 0, 0), ("space", 3, 0)])
def test_one_way_for_all(kind: str, mapped: int, standardised: int) -> None:
    scales = entry_scales([MIXED], 5, kind)  # type: ignore[arg-type]
    assert (scales.mapped, scales.standardised) == (mapped, standardised)


def test_moments_are_those_of_all_that_was_seen_and_change_between_episodes_alone() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal([[100.0], [5.0]], [[20.0], [0.5]], (40, 2, 1)).astype(np.float32)
    observed = np.ones((40, 2), np.bool_)
    observed[:7, 1] = False
    moments = RunningMoments(np.ones((2, 1), np.bool_))
    first = moments.scaled(rows[:25], observed[:25], new=True)
    assert first.max() == 10.0  # before anything is known, cut alone
    moments.adapt()
    moments.scaled(rows[25:], observed[25:], new=True)
    moments.adapt()
    moments.scaled(rows * 100, observed, new=True)
    moments.forget_pending()  # of episodes nobody trained on
    moments.adapt()
    found = moments.scaled(rows, observed, new=False)
    for n in range(2):
        there = observed[:, n]
        mean, std = rows[there, n].mean(), rows[there, n].std()
        expected = (rows[there, n] - mean) / std
        np.testing.assert_allclose(found[there, n], expected, rtol=1e-4, atol=1e-5)
    assert (found[~observed] == rows[~observed]).all()


class Thousands(PublicGoods):
    """The same game, its clock in thousands and its space without bounds."""

    def observation_space(self, agent: str) -> spaces.Box:
        return UNBOUNDED

    def _observations(self) -> dict[str, np.ndarray]:
        return self._each(np.full(1, 1000.0 + 1000.0 * self._t, np.float32))


def test_moments_are_learned_in_training_and_go_on_where_they_were() -> None:
    config = LearnerConfig(architecture="multihead", num_envs=2, num_updates=3)

    def begun() -> Training:
        env = VectorFromParallel(Thousands, 2, horizon=4, observation_scale="auto")
        return Training.begin(config, env, seed=0)

    whole = begun()
    for _ in range(3):
        whole.advance()
    assert whole.rollout is not None
    seen = whole.rollout.observations
    assert float(seen.abs().max()) < 2.0
    assert float(seen.mean().abs()) < 0.3  # starts are seen once more, after each end
    first, second = begun(), begun()
    first.advance()
    second.env.restore(first.env.state())  # type: ignore[attr-defined]
    before = first.env.reset(5).observations
    torch.testing.assert_close(second.env.reset(5).observations, before)
    assert bool((before != begun().env.reset(5).observations).any())
