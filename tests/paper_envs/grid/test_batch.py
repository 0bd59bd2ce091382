"""Copies stepped together are the same copies stepped alone, whatever the game."""

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from paper_envs.grid.cleanup import CLEANUP, SMALL_CLEANUP
from paper_envs.grid.harvest import HARVEST, SMALL_HARVEST
from paper_envs.grid.state import GridState, blank_state

GAMES = (CLEANUP, SMALL_CLEANUP, HARVEST, SMALL_HARVEST)


@given(seed=st.integers(0, 2**32 - 1), game=st.sampled_from(GAMES))
def test_a_batch_is_a_stack_of_singles(seed, game) -> None:
    rng = np.random.default_rng(seed)
    batch = blank_state(game.grid_map, num_envs=3, num_agents=4, seed=seed)
    singles = [batch.only(e) for e in range(3)]
    for state in (batch, *singles):
        game.restart(state)
    rewards, cooperative = np.empty((3, 4), np.float32), np.empty((3, 4), bool)
    for _ in range(30):
        actions = rng.choice(game.actions, (3, 4))
        game.advance(batch, actions, rewards, cooperative)
        for e, single in enumerate(singles):
            earned, cooperated = np.empty((1, 4), np.float32), np.empty((1, 4), bool)
            game.advance(single, actions[e : e + 1], earned, cooperated)
            assert np.array_equal(earned[0], rewards[e])
            assert np.array_equal(cooperated[0], cooperative[e])
            for field in dataclasses.fields(GridState):
                assert np.array_equal(
                    getattr(single, field.name)[0], getattr(batch, field.name)[e]
                ), field.name
