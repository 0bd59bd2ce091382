"""The tasks as PettingZoo environments: its own tests, and what it is told about them."""

import subprocess
import sys

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from paper_envs.parallel import parallel_env
from paper_envs.tasks import TASKS, make_env
from ss_core.adapters.pettingzoo import VectorFromParallel
from ss_core.errors import ConfigError


@pytest.mark.parametrize("name", TASKS)
def test_every_task_passes_pettingzoos_tests(name: str) -> None:
    parallel_api_test(parallel_env(name), num_cycles=2 * TASKS[name].horizon + 1)
    parallel_seed_test(lambda: parallel_env(name), num_cycles=20)


@pytest.mark.parametrize("name", TASKS)
def test_agents_and_horizon_are_those_of_the_task(name: str) -> None:
    env, task = parallel_env(name), TASKS[name]
    observations, _ = env.reset(seed=1)
    assert len(observations) == task.num_agents
    assert env.metadata["name"] == f"{name}_v0"
    steps = 0
    while env.agents:
        env.step(dict.fromkeys(env.agents, 0))
        steps += 1
    assert steps == task.horizon


def test_the_number_of_agents_can_be_chosen() -> None:
    assert len(parallel_env("predation", 3).possible_agents) == 3
    with pytest.raises(ConfigError, match="predation with 1 agents: it takes 2 to 64"):
        parallel_env("predation", 1)
    with pytest.raises(ConfigError, match="did you mean 'navigation'"):
        parallel_env("navigatoin")


def test_predation_pays_as_printed_in_the_paper() -> None:
    # two predators: both away from the prey 1 - 2·2 = -3 each, both towards it -1 each
    env = parallel_env("predation", 2)
    seen, _ = env.reset(seed=0)
    towards = (seen["predator_0"][2:] < 0).astype(int)  # signs of x_i - x_prey; 1 is to the right
    agents = env.possible_agents
    rewards = env.step(dict(zip(agents, towards, strict=True)))[1]
    assert rewards == {"predator_0": -1.0, "predator_1": -1.0}
    rewards = env.step(dict(zip(agents, 1 - towards, strict=True)))[1]
    assert rewards == {"predator_0": -3.0, "predator_1": -3.0}


def test_a_task_comes_back_unchanged_through_both_adapters() -> None:
    env = VectorFromParallel(lambda: parallel_env("navigation"), num_envs=2, horizon=100)
    direct = make_env("navigation", 2).spec
    assert (env.spec.num_agents, env.spec.num_actions) == (3, 5)
    assert env.spec.observation_size == direct.observation_size
    first, again = env.reset(5), env.reset(5)
    assert np.array_equal(first.observations.numpy(), again.observations.numpy())


def test_importing_is_free_of_pettingzoo() -> None:
    code = "import sys, paper_envs.parallel; assert 'pettingzoo' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
