"""Games of one's own under the default settings of `ss train`, beside selfish learners.

Each game is a few lines of PettingZoo, as its writer would have it: what it pays selfish agents and
what it pays at best are known. For every game: the averaged return (IQM over seeds, 95 % bootstrap
interval), the share of the way from selfish play to the best, and what selfish learners reach.

    python benchmarks/own_games.py --out OUT [--games dilemma,pictures --seeds 5 --updates 200]
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import AgentSelector

from ss_core.random_streams import Stream, numpy_generator
from ss_core.statistics import bootstrap_interval, interquartile_mean

ROOT = Path(__file__).parents[1]
FIRST_SEED = 100


class Repeated(ParallelEnv):
    """The same game at each of some steps; agents see how many are over."""

    def __init__(self, agents: int, actions: spaces.Space, steps: int = 6) -> None:
        self.metadata = {"name": "repeated_v0", "render_modes": []}
        self.render_mode = None
        self.possible_agents = [f"player_{i}" for i in range(agents)]
        self.agents: list[str] = []
        self._actions, self._steps, self._t = actions, steps, 0
        self._rng = np.random.default_rng()

    def observation_space(self, agent: str) -> spaces.Box:
        return spaces.Box(0, 1, (1,), np.float32)

    def action_space(self, agent: str) -> spaces.Space:
        return self._actions

    def observe(self) -> np.ndarray:
        return np.full(1, self._t / self._steps, np.float32)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[dict, dict]:
        self._rng, self._t = np.random.default_rng(seed), 0
        self.agents = list(self.possible_agents)
        return {agent: self.observe() for agent in self.agents}, self._each({})

    def step(self, actions: Mapping[str, Any]) -> tuple[dict, dict, dict, dict, dict]:
        self._t += 1
        earned = self.pay(np.array([actions[agent] for agent in self.agents])).tolist()
        over, players = self._t == self._steps, self.agents
        seen = {agent: self.observe() for agent in players}
        rewards = dict(zip(players, map(float, earned), strict=True))
        self.agents = [] if over else players
        return seen, rewards, self._each(False), self._each(over), self._each({})

    def pay(self, actions: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _each(self, value: Any) -> dict[str, Any]:
        return dict.fromkeys(self.possible_agents, value)


class Dilemma(Repeated):
    """Three agents: 2 pays oneself 1 and costs the others 1 each, 0 pays everybody a half."""

    def __init__(self) -> None:
        super().__init__(3, spaces.Discrete(3), steps=8)

    def pay(self, actions: np.ndarray) -> np.ndarray:
        takes, gives = actions == 2, actions == 0
        return 2.0 * takes + 0.5 * gives.sum() - takes.sum()


class Pictures(Dilemma):
    """The dilemma before random pictures, in bytes."""

    def observation_space(self, agent: str) -> spaces.Box:
        return spaces.Box(0, 255, (12, 12, 3), np.uint8)

    def observe(self) -> np.ndarray:
        return self._rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)


class ScaledPictures(Pictures):
    """Likewise, in floats from 0 to 1."""

    def observation_space(self, agent: str) -> spaces.Box:
        return spaces.Box(0, 1, (12, 12, 3), np.float32)

    def observe(self) -> np.ndarray:
        return super().observe().astype(np.float32) / 255


class PublicGoods(Repeated):
    """Five agents give 0 to 3 thirds of 1; what is given is doubled and shared by all."""

    def __init__(self) -> None:
        super().__init__(5, spaces.Discrete(4))

    def pay(self, actions: np.ndarray) -> np.ndarray:
        given = actions / 3
        return 2.0 * given.mean() - given


class Commons(Repeated):
    """Six agents take 0 to 6 from a common stock: worth (1 - all that is taken / 24) each.

    Selfish: three take 3 and three take 4, 0.4375 on average; best: 2 each, 1.
    """

    def __init__(self) -> None:
        super().__init__(6, spaces.Discrete(7))

    def pay(self, actions: np.ndarray) -> np.ndarray:
        return actions * (1.0 - actions.sum() / 24.0)


class Congestion(Repeated):
    """Ten drivers; road 1 takes as long as the share that takes it, road 0 always 1."""

    def __init__(self) -> None:
        super().__init__(10, spaces.Discrete(2))

    def pay(self, actions: np.ndarray) -> np.ndarray:
        return -np.where(actions == 1, actions.mean(), 1.0)


class Contributions(Repeated):
    """Public goods of three agents who give a real number between 0 and 1."""

    def __init__(self) -> None:
        super().__init__(3, spaces.Box(0, 1, (1,), np.float32))

    def pay(self, actions: np.ndarray) -> np.ndarray:
        given = actions[:, 0].astype(float)
        return 2.0 * given.mean() - given


class Pledges(Repeated):
    """Public goods of three kinds at once: 0 to 2 halves, one whole, 0 to 3 thirds."""

    def __init__(self) -> None:
        super().__init__(3, spaces.MultiDiscrete([3, 2, 4]))

    def pay(self, actions: np.ndarray) -> np.ndarray:
        given = (actions / np.array([2, 1, 3])).mean(axis=1)
        return 2.0 * given.mean() - given


class Pennies(Repeated):
    """Matching pennies: what one wins the other loses."""

    def __init__(self) -> None:
        super().__init__(2, spaces.Discrete(2))

    def pay(self, actions: np.ndarray) -> np.ndarray:
        wins = 1.0 if actions[0] == actions[1] else -1.0
        return np.array([wins, -wins])


class Rounds(AECEnv):
    """Public goods of three agents who give 0 to 2 halves one after the other, in four rounds."""

    AGENTS, ROUNDS = 3, 4

    def __init__(self) -> None:
        super().__init__()
        self.metadata = {"name": "rounds_v0", "is_parallelizable": False, "render_modes": []}
        self.render_mode = None
        self.possible_agents = [f"player_{i}" for i in range(self.AGENTS)]
        self.agents: list[str] = []

    def observation_space(self, agent: str) -> spaces.Box:
        return spaces.Box(0, 1, (2,), np.float32)

    def action_space(self, agent: str) -> spaces.Discrete:
        return spaces.Discrete(3)

    def observe(self, agent: str) -> np.ndarray:
        shares = (self._round / self.ROUNDS, len(self._given) / self.AGENTS)
        return np.array(shares, np.float32)

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
        if self.terminations[self.agent_selection]:
            self._was_dead_step(action)
            return
        self._clear_rewards()
        self._given.append((action or 0) / 2)
        if len(self._given) == self.AGENTS:
            given = np.array(self._given)
            earned = (2.0 * given.mean() - given).tolist()
            self.rewards = dict(zip(self.agents, earned, strict=True))
            self._given, self._round = [], self._round + 1
            self.terminations = dict.fromkeys(self.agents, self._round == self.ROUNDS)
        self.agent_selection = self._turns.next()
        self._accumulate_rewards()


@dataclass(frozen=True, slots=True, kw_only=True)
class Game:
    """What is trained, and what it pays each agent per step."""

    target: str
    arguments: tuple[str, ...] = ()
    selfish: float | None = None  # in equilibrium
    best: float | None = None


def mine(made: type, *, selfish: float | None = None, best: float | None = None) -> Game:
    """A game of this file."""
    return Game(target=f"own_games:{made.__name__}", selfish=selfish, best=best)


SPREAD = "mpe2.simple_spread_v3:parallel_env"
GAMES = {
    "dilemma": mine(Dilemma, selfish=-1.0, best=1.5),
    "pictures": mine(Pictures, selfish=-1.0, best=1.5),
    "scaled-pictures": mine(ScaledPictures, selfish=-1.0, best=1.5),
    "public-goods": mine(PublicGoods, selfish=0.0, best=1.0),
    "commons": mine(Commons, selfish=0.4375, best=1.0),
    "congestion": mine(Congestion, selfish=-1.0, best=-0.75),
    "contributions": mine(Contributions, selfish=0.0, best=1.0),
    "pledges": mine(Pledges, selfish=0.0, best=1.0),
    "rounds": mine(Rounds, selfish=0.0, best=1.0 / Rounds.AGENTS),
    "spread": Game(target=SPREAD),
    "spread-continuous": Game(target=SPREAD, arguments=("--env-arg", "continuous_actions=true")),
    "pennies": mine(Pennies),
    "predation-2": Game(target="predation", arguments=("--agents", "2")),
    "predation-8": Game(target="predation", arguments=("--agents", "8")),
}


def trained(game: Game, seed: int, updates: int, out: Path) -> dict[str, float]:
    """Averaged returns of the rows of one run of `ss train`."""
    command = [sys.executable, "-m", "cli.ss", "train", game.target, *game.arguments]
    command += ["--updates", str(updates), "--seed", str(seed), "--compare", "independent"]
    command += ["--json", "--quiet", "--no-report", "--trace", "kpi", "--out", str(out)]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{game.target}: {done.stderr.strip()}")
    return {
        name: figures["averaged_return"]
        for name, figures in json.loads(done.stdout)["kpis"].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--games", default=",".join(GAMES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--updates", type=int, default=200)
    asked = parser.parse_args()
    print("game, untrained, ss [95 % interval], share of the way, selfish learners")
    for name in asked.games.split(","):
        game = GAMES[name]
        runs = [
            trained(game, FIRST_SEED + k, asked.updates, asked.out / name)
            for k in range(asked.seeds)
        ]
        found = {row: _interval([run[row] for run in runs]) for row in runs[0]}
        print(_line(name, game, found), flush=True)


Interval = tuple[float, float, float]


def _interval(values: list[float]) -> Interval:
    rng = numpy_generator(0, Stream.BOOTSTRAP)
    found = bootstrap_interval(np.array(values), rng=rng, statistic=interquartile_mean)
    return found.estimate, found.low, found.high


def _line(name: str, game: Game, found: Mapping[str, Interval]) -> str:
    before, (value, low, high), selfish = (found[row] for row in ("untrained", "ss", "independent"))
    share = ""
    if game.selfish is not None and game.best is not None:
        share = f"{100 * (value - game.selfish) / (game.best - game.selfish):.0f} %"
    reached = f"{selfish[0]:.3f} [{selfish[1]:.3f}, {selfish[2]:.3f}]"
    return (
        f"{name:<18} {before[0]:>9.3f}  {value:>8.3f} [{low:.3f}, {high:.3f}]".ljust(60)
        + f"{share:>8}   {reached}"
    )


if __name__ == "__main__":
    main()
