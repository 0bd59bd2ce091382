"""Games of one's own, as their writers have them: PettingZoo, a few lines. Not collected."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import AgentSelector

STEPS = 4


class RepeatedGame(ParallelEnv):
    """The same choice at each of four steps; agents see how many are over."""

    def __init__(self, agents: int, actions: int | spaces.Space) -> None:
        self.metadata = {"name": "repeated_v0"}
        self.possible_agents = [f"player_{i}" for i in range(agents)]
        self.agents: list[str] = []
        self._seen = spaces.Box(0, 1, (1,), np.float32)
        self._actions = spaces.Discrete(actions) if isinstance(actions, int) else actions
        self._t = 0

    def observation_space(self, agent: str) -> spaces.Box:
        return self._seen

    def action_space(self, agent: str) -> spaces.Space:
        return self._actions

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict, dict]:
        self.agents, self._t = list(self.possible_agents), 0
        return self._observations(), self._each({})

    def step(self, actions: Mapping[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        assert all(self._actions.contains(actions[agent]) for agent in self.agents), actions
        self._t += 1
        earned = self.pay(np.array([actions[agent] for agent in self.possible_agents]))
        over = self._t == STEPS
        self.agents = [] if over else self.agents
        rewards = dict(zip(self.possible_agents, earned.tolist(), strict=True))
        return self._observations(), rewards, self._each(over), self._each(False), self._each({})

    def pay(self, actions: np.ndarray) -> np.ndarray:
        """What each agent earns."""
        raise NotImplementedError

    def _observations(self) -> dict[str, np.ndarray]:
        return self._each(np.full(1, self._t / STEPS, np.float32))

    def _each(self, value: Any) -> dict[str, Any]:
        return dict.fromkeys(self.possible_agents, value)


class StagHunt(RepeatedGame):
    """Two agents; action 0 hunts the stag: 4 for each if both do, -6 alone; the others bring 1.

    Deceptive: where both play at random, hunting costs both together 2 (who hunts loses
    4.5, the other gains 2.5), though both are best off hunting.
    """

    def __init__(self) -> None:
        super().__init__(agents=2, actions=4)

    def pay(self, actions: np.ndarray) -> np.ndarray:
        hunting = actions == 0
        return np.where(hunting, np.where(hunting.all(), 4.0, -6.0), 1.0)


class TwoRoads(RepeatedGame):
    """Four agents; road 1 takes as long as the share that takes it, road 0 always 1.

    Selfish: all take road 1, 1 each; best: half of them, 0.75 on average. All suggest road 0 to
    all others, so whoever obeys takes no other.
    """

    def __init__(self) -> None:
        super().__init__(agents=4, actions=2)

    def pay(self, actions: np.ndarray) -> np.ndarray:
        return -np.where(actions == 1, actions.mean(), 1.0)


class PublicGoods(RepeatedGame):
    """Five agents give 0 to 3 thirds of 1; what is given is doubled and shared by all.

    Selfish: nobody gives, 0 each; best: everybody gives all, 1 each.
    """

    def __init__(self) -> None:
        super().__init__(agents=5, actions=4)

    def pay(self, actions: np.ndarray) -> np.ndarray:
        given = actions / 3
        return 2.0 * given.mean() - given


class Contributions(RepeatedGame):
    """Three agents give between 0 and 1, a real number; what is given is doubled and shared by all.

    Selfish: nobody gives, 0 each; best: everybody gives all, 1 each.
    """

    def __init__(self) -> None:
        super().__init__(agents=3, actions=spaces.Box(0, 1, (1,), np.float32))

    def pay(self, actions: np.ndarray) -> np.ndarray:
        given = actions[:, 0].astype(float)
        return 2.0 * given.mean() - given


class Pledges(RepeatedGame):
    """`Contributions` of three kinds at once, by the third: of 0 to 2 halves, one whole, 0 to 3."""

    def __init__(self) -> None:
        super().__init__(agents=3, actions=spaces.MultiDiscrete([3, 2, 4]))

    def pay(self, actions: np.ndarray) -> np.ndarray:
        given = (actions / np.array([2, 1, 3])).mean(axis=1)
        return 2.0 * given.mean() - given


class Rounds(AECEnv):
    """`PublicGoods` of three agents who give one after the other; each round is paid at its end.

    Four rounds; agents see how many are over, and how many of this one have given.
    """

    def __init__(self) -> None:
        super().__init__()
        self.metadata = {"name": "rounds_v0", "is_parallelizable": False}
        self.possible_agents, self.render_mode = ["player_0", "player_1", "player_2"], None
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> spaces.Box:
        return spaces.Box(0, 1, (2,), np.float32)

    def action_space(self, agent: str) -> spaces.Discrete:
        return spaces.Discrete(3)

    def observe(self, agent: str) -> np.ndarray:
        return np.array([self._round / STEPS, len(self._given) / 3], np.float32)

    def reset(self, seed: int | None = None, options: Any = None) -> None:
        self.agents, self._round, self._given = list(self.possible_agents), 0, []
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self._turns = AgentSelector(self.agents)
        self.agent_selection = self._turns.next()

    def step(self, action: int | None) -> None:
        agent = self.agent_selection
        if self.terminations[agent]:
            return self._was_dead_step(action)
        self._clear_rewards()
        self._given.append((action or 0) / 2)
        if len(self._given) == 3:
            given = np.array(self._given)
            earned = (2.0 * given.mean() - given).tolist()
            self.rewards = dict(zip(self.agents, earned, strict=True))
            self._given, self._round = [], self._round + 1
            self.terminations = dict.fromkeys(self.agents, self._round == STEPS)
        self.agent_selection = self._turns.next()
        self._accumulate_rewards()
        return None


class Pennies(RepeatedGame):
    """Matching pennies: what one wins the other loses."""

    def __init__(self) -> None:
        super().__init__(agents=2, actions=2)

    def pay(self, actions: np.ndarray) -> np.ndarray:
        wins = 1.0 if actions[0] == actions[1] else -1.0
        return np.array([wins, -wins])


class Alone(RepeatedGame):
    """One agent; action 1 brings 1."""

    def __init__(self) -> None:
        super().__init__(agents=1, actions=2)

    def pay(self, actions: np.ndarray) -> np.ndarray:
        return actions.astype(float)
