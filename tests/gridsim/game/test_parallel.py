"""The game as a PettingZoo environment: its own tests, seeds, masks, refusals."""

import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
import torch
from pettingzoo import ParallelEnv
from pettingzoo.test import parallel_api_test, parallel_seed_test

from gridsim.game.in_turn import InTurnEnv
from gridsim.game.parallel import Variant, _build_world, parallel_env, uncontrolled_outlook
from gridsim.households.households import HouseholdConfig
from ss_core.errors import ConfigError

VARIANTS = get_args(Variant)
STEP_COUNT = {"in_turn": 144, "per_job": 24, "quarter_hourly": 96}


def play(env: ParallelEnv, seed: int) -> tuple[list[dict[str, np.ndarray]], dict[str, float]]:
    """A day of the highest legal actions: what was seen, and what each household earned."""
    observations, infos = env.reset(seed=seed)
    seen, earned = [observations], dict.fromkeys(env.agents, 0.0)
    while env.agents:
        actions = {a: int(np.flatnonzero(infos[a]["action_mask"])[-1]) for a in env.agents}
        observations, rewards, _, _, infos = env.step(actions)
        seen.append(observations)
        earned = {agent: earned[agent] + reward for agent, reward in rewards.items()}
    return seen, earned


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("variant", VARIANTS)
def test_pettingzoos_own_tests_pass(variant: Variant) -> None:
    parallel_api_test(parallel_env(5, variant=variant), num_cycles=100)
    parallel_seed_test(lambda: parallel_env(5, variant=variant), num_cycles=100)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_day_is_a_function_of_its_seed_whatever_was_played_before(variant: Variant) -> None:
    used, fresh = (parallel_env(4, seed=1, variant=variant) for _ in range(2))
    play(used, 6)
    for one, other in zip(play(used, 7)[0], play(fresh, 7)[0], strict=True):
        for agent in one:
            np.testing.assert_array_equal(one[agent], other[agent])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_day_has_its_steps_and_everybody_pays(variant: Variant) -> None:
    env = parallel_env(3, variant=variant)
    seen, earned = play(env, 0)
    assert len(seen) == STEP_COUNT[variant] + 1
    assert list(earned) == ["household_000", "household_001", "household_002"]
    assert all(-100.0 < reward < 0.0 for reward in earned.values())
    assert env.metadata["name"] == f"scheduling_{variant}_v0"


def test_households_in_turn_are_the_default_and_decide_by_what_past_days_tell() -> None:
    env = parallel_env(6, seed=2)
    assert env.metadata["name"] == "scheduling_in_turn_v0"
    world = _build_world(6, 2, 8, HouseholdConfig(), None)
    outlook = uncontrolled_outlook(world, 2)
    assert outlook.weight == 1.0
    played = InTurnEnv(world, 1, history=outlook, history_decay=1.0)
    played.reset(0)
    for _ in range(144):
        played.step(torch.zeros((1, 6), dtype=torch.int64))
    for kept, known in zip(played.state().values(), outlook.tensors().values(), strict=True):
        assert torch.equal(kept, known)


def test_in_turn_a_household_has_a_choice_only_when_it_is_its_turn() -> None:
    env = parallel_env(4, seed=1)
    _, infos = env.reset(seed=3)
    deciding = []
    while env.agents:
        masks = {agent: infos[agent]["action_mask"] for agent in env.agents}
        deciding.append(sum(mask.sum() > 1 for mask in masks.values()))
        infos = env.step({a: int(np.flatnonzero(m)[-1]) for a, m in masks.items()})[-1]
    assert max(deciding) == 1
    assert sum(deciding) >= 4


def test_another_seed_is_another_population() -> None:
    first, second = (play(parallel_env(4, seed=seed), 0)[1] for seed in (0, 1))
    assert first != second


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"households": 0}, "households=0"),
        ({"num_actions": 1}, "num_actions=1"),
        ({"num_actions": 9}, "num_actions=9: variant='in_turn' has rules for 8 plans"),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_arguments_are_named(arguments: dict, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        parallel_env(**arguments)


def test_importing_is_free_of_pettingzoo_and_an_unknown_variant_is_refused() -> None:
    code = """if True:
        import sys
        from gridsim.game.parallel import parallel_env
        assert "pettingzoo" not in sys.modules
        parallel_env(2, variant="hourly")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert last.endswith("ConfigError: variant='hourly': choose in_turn, per_job or quarter_hourly")
