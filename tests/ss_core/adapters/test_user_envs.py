"""Environments by module:function: what is found, what is refused, and how long an episode is."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from ss_core.adapters.user_envs import load_user_env, make_user_env, probe_user_env, source_sha256
from ss_core.errors import InputError

MODULE = "a_game_of_mine"
SOURCE = '''
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

class Game(ParallelEnv):
    """Two agents; an episode of `length` steps, or of 3 to 5 by chance where it is 0."""
    metadata = {"name": "mine_v0"}

    def __init__(self, length=7, continuous=False):
        self.possible_agents, self.agents = ["a", "b"], []
        self._length, self._space = length, spaces.Box(-1, 1, (3,), np.float32)
        self._actions = spaces.Box(0, 1, (1,)) if continuous else spaces.Discrete(2)

    def observation_space(self, agent):
        return self._space

    def action_space(self, agent):
        return self._actions

    def _all(self, value):
        return {agent: value for agent in self.possible_agents}

    def reset(self, seed=None, options=None):
        self.agents, self._t = list(self.possible_agents), 0
        rng = np.random.default_rng(seed)
        self._end = self._length or int(rng.integers(3, 6))
        return self._all(np.zeros(3, np.float32)), self._all({})

    def step(self, actions):
        self._t += 1
        over = self._t == self._end
        self.agents = [] if over else self.agents
        seen = self._all(np.zeros(3, np.float32))
        return seen, self._all(1.0), self._all(False), self._all(over), self._all({})

make = Game
nothing = "a word"

def number():
    return 3
'''


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / f"{MODULE}.py"
    path.write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield path
    sys.modules.pop(MODULE, None)


def test_a_module_in_the_current_folder_is_found() -> None:
    env = make_user_env(f"{MODULE}:make", 2, horizon=5, options={"length": 9})
    assert (env.spec.num_envs, env.spec.agent_names, env.spec.horizon) == (2, ("a", "b"), 5)
    assert env.reset(0).observations.shape == (2, 2, 3)


def test_the_horizon_is_the_length_that_random_episodes_have() -> None:
    probe = probe_user_env(load_user_env(f"{MODULE}:make", {}))
    assert (probe.num_agents, probe.observation_size) == (2, 3)
    assert (probe.horizon, probe.horizon_origin) == (7, "the length of every random episode")


def test_where_lengths_differ_there_is_room_for_twice_the_longest() -> None:
    probe = probe_user_env(load_user_env(f"{MODULE}:make", {"length": 0}))
    assert probe.horizon in (8, 10)  # the longest of four draws from 3, 4, 5, doubled
    assert probe.horizon_origin.startswith("random episodes took")


def test_an_endless_game_is_cut() -> None:
    probe = probe_user_env(load_user_env(f"{MODULE}:make", {"length": 10**9}))
    assert (probe.horizon, probe.horizon_origin) == (
        500,
        "random play did not end within 500 steps",
    )
    assert probe_user_env(load_user_env(f"{MODULE}:make", {}), horizon=4).horizon == 4


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("a_game", "expected MODULE:FUNCTION, as in mpe2"),
        (":make", "expected MODULE:FUNCTION"),
        ("a b:make", "expected MODULE:FUNCTION"),
        (f"{MODULE}:make()", "expected MODULE:FUNCTION"),
        ("no_such_game:make", "No module named 'no_such_game'; install it, or run this where"),
        ("mpe2.simple_spread_v2:env", "did you mean mpe2.simple_spread_v3"),
        ("mpe2.sokoban:env", "mpe2 is there, but not that"),
        (f"{MODULE}.deeper:make", "a_game_of_mine is there, but not that"),
        (f"{MODULE}:mke", "has no function 'mke'; did you mean 'make'"),
        (f"{MODULE}:nothing", "has no function 'nothing'"),
        (f"{MODULE}:number", "returned a int, not a pettingzoo ParallelEnv"),
    ],
)
def test_what_is_no_environment_is_refused_in_words(target: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_user_env(target, {})


def test_an_argument_that_the_function_does_not_take_is_refused() -> None:
    with pytest.raises(InputError, match=r"calling it raised TypeError: .*'size'"):
        load_user_env(f"{MODULE}:make", {"size": 3})


def test_a_module_that_fails_is_named(module: Path) -> None:
    module.write_text("import numpy\nraise ValueError('no\\nlicence')\n")
    with pytest.raises(InputError, match="importing a_game_of_mine raised ValueError: no licence;"):
        load_user_env(f"{MODULE}:make", {})


def test_what_a_module_lacks_is_named(module: Path) -> None:
    module.write_text("import an_engine_that_is_not_there\n")
    with pytest.raises(InputError, match="'an_engine_that_is_not_there'; a_game_of_mine needs it"):
        load_user_env(f"{MODULE}:make", {})


def test_a_game_in_turns_is_played_in_turns() -> None:
    env = make_user_env("tests.support.own_games:Rounds", 2, horizon=12)
    step = env.reset(0)
    on_turn = []
    for _ in range(6):
        assert step.action_mask is not None
        on_turn.append((step.action_mask.sum(dim=-1) > 1).int().argmax(dim=-1).tolist())
        step = env.step(torch.full((2, 3), 2))
    assert on_turn == [[0, 0], [1, 1], [2, 2]] * 2
    assert step.rewards.tolist() == [[1.0] * 3] * 2  # everybody gave everything


def test_agents_that_take_turns_only_in_form_act_at_once() -> None:
    make = load_user_env("mpe2.simple_spread_v3:env", {})
    at_once = load_user_env("mpe2.simple_spread_v3:parallel_env", {})
    assert probe_user_env(make) == probe_user_env(at_once)


def test_other_code_has_another_checksum(module: Path) -> None:
    before = source_sha256(f"{MODULE}:make")
    module.write_text(SOURCE + "# a word\n")
    assert len(before) == 64
    assert source_sha256(f"{MODULE}:make") != before
