"""Cleanup and Harvest as `VectorEnv`s; the rules are elsewhere, here they are only packed.

`cooperative` of a step is told by the rules: see `CleanupGame.advance` and `HarvestGame.advance`.
"""

import numpy as np
import torch
from jaxtyping import Int, Real
from torch import Tensor

from paper_envs.grid.cleanup import CLEANUP, SMALL_CLEANUP, CleanupGame
from paper_envs.grid.egocentric import egocentric_rows, turn_to_facing
from paper_envs.grid.harvest import HARVEST, SMALL_HARVEST, HarvestGame
from paper_envs.grid.moves import DIRECTIONS, names_of, translate
from paper_envs.grid.observe import observation_size, observations_of
from paper_envs.grid.state import Board, blank_state, board_of
from ss_core.env import EnvSpec, Step
from ss_core.errors import ConfigError

ENCODINGS = ("planes", "egocentric")


class GridEnv:
    """A game in `num_envs` copies; use one of the classes below.

    All copies run in step on one processor thread; after `horizon` steps each restarts by itself.
    With the encoding `egocentric` observations are sparse (see `egocentric.py`), and those who can
    turn walk in the map's directions: 0 up, 1 right, 2 down, 3 left.
    """

    def __init__(
        self,
        game: CleanupGame | HarvestGame,
        num_envs: int,
        num_agents: int,
        device: str,
        encoding: str,
    ) -> None:
        if encoding not in ENCODINGS:
            raise ConfigError(
                f"{game.name}: encoding={encoding!r}; it has {' and '.join(ENCODINGS)}"
            )
        room = len(game.grid_map.spawn_cells) + len(game.grid_map.ground_cells)
        if num_envs < 1 or not 1 <= num_agents <= room:
            raise ConfigError(
                f"{game.name}: num_envs={num_envs} must be at least 1, "
                f"num_agents={num_agents} from 1 to {room}"
            )
        self.game = game
        has_waste = game.has_waste
        self._sparse = None
        size = observation_size(game.grid_map, has_waste=has_waste, num_agents=num_agents)
        if encoding == "egocentric":
            self._sparse = egocentric_rows(
                game.grid_map, num_agents=num_agents, has_waste=has_waste, horizon=game.horizon
            )
            size = self._sparse.most_active
        self._by_map = encoding == "egocentric" and game.fixed_facing < 0
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=num_agents,
            num_actions=len(game.actions),
            observation_size=size,
            horizon=game.horizon,
            agent_names=tuple(f"agent_{i}" for i in range(num_agents)),
            full_view=True,
            num_features=0 if self._sparse is None else self._sparse.num_features,
        )
        self._device = torch.device(device)
        self._meaning = np.array(game.actions, np.int64)
        self._t = 0
        self.state = blank_state(
            game.grid_map, num_envs=num_envs, num_agents=num_agents, seed=0
        )  # written by the rules: read it, keep copies

    @property
    def action_names(self) -> tuple[str, ...]:
        """What each action does, in a word: the only place that pictures read it from."""
        names = names_of(self.game.actions, self.game.fixed_facing)
        return (*DIRECTIONS, *names[len(DIRECTIONS) :]) if self._by_map else names

    def reset(self, seed: int) -> Step:
        """Start new episodes; the e-th copy depends on the seed and on e alone."""
        sizes = {"num_envs": self.spec.num_envs, "num_agents": self.spec.num_agents}
        self.state = blank_state(self.game.grid_map, seed=seed, **sizes)
        self.game.restart(self.state)
        self._t = 0
        nobody = np.zeros(self.state.cells.shape, bool)
        return Step.first(self._observations(), cooperative=self._tensor(nobody))

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Advance every copy by one joint action; the last step of an episode is terminal."""
        chosen = actions.numpy(force=True)
        meant = np.empty(chosen.shape, np.int64)
        if not translate(chosen, self._meaning, meant):
            raise ConfigError(
                f"{self.game.name}: actions from {chosen.min()} to {chosen.max()}; "
                f"they must be from 0 to {len(self._meaning) - 1}"
            )
        if self._by_map:
            turn_to_facing(self.state.facings, chosen, meant)
        rewards = np.empty(chosen.shape, np.float32)
        cooperative = np.empty(chosen.shape, bool)
        self.game.advance(self.state, meant, rewards, cooperative)
        earned, helped = self._tensor(rewards), self._tensor(cooperative)
        self._t = (self._t + 1) % self.game.horizon
        successors = self._observations(self._t or self.game.horizon)
        if self._t > 0:
            return Step.next(successors, earned, cooperative=helped)
        self.game.restart(self.state)
        return Step.last(
            self._observations(), earned, next_observations=successors, cooperative=helped
        )

    def board(self, e: int = 0) -> Board:
        """A snapshot of copy e for renderers."""
        return board_of(self.game.grid_map, self.state, e)

    def _observations(self, t: int = 0) -> Real[Tensor, "E N O"]:
        if self._sparse is not None:
            return self._tensor(self._sparse.rows_of(self.state, t))
        return self._tensor(
            observations_of(self.game.grid_map, self.state, has_waste=self.game.has_waste)
        )

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self._device)


class CleanupEnv(GridEnv):
    """Cleanup on an 11 by 18 map: apples grow while the river is clean, cleaning earns nothing.

    Agents: `num_agents` (4), first on the 5 spawn cells, then on bare ground, facing anywhere.
    Action: 0 left, 1 right, 2 ahead, 3 back (as the agent faces), 4 stay, 5 and 6 turn clockwise
    and counter-clockwise, 7 clean: three lanes of 5 cells, each to its first waste, which vanishes.
    Observation: as in `observe` (encoding `planes`) or `egocentric`; apples, waste, everyone's
    place and facing, seen by all.
    Reward: 1 per apple eaten. Cooperative: a cleaning that removed waste.
    Apples: on 40 cells, each with a chance of 0.05 (1 - d/0.4) per step, where d is the share
    of the 48 river cells that is waste; none from d = 0.4 on. Waste: at most one new cell per
    step, none from d = 0.4 on; 22 cells at the start.
    Termination: after 100 steps, a true end.
    """

    def __init__(
        self, num_envs: int, *, num_agents: int = 4, device: str = "cpu", encoding: str = "planes"
    ) -> None:
        super().__init__(CLEANUP, num_envs, num_agents, device, encoding)


class HarvestEnv(GridEnv):
    """Harvest on a 7 by 38 map: apples grow back only beside other apples.

    Agents: `num_agents` (4), first on the 4 spawn cells, then on bare ground, facing anywhere.
    Action: as in Cleanup, without cleaning: 0 to 6.
    Observation: as in `observe` (encoding `planes`) or `egocentric`; apples, everyone's place and
    facing, seen by all.
    Reward: 1 per apple eaten. Cooperative: no apple eaten though one lay beside the agent.
    Apples: on 68 cells, all full at the start; an empty one regrows with a chance of 0, 0.005, 0.02
    or 0.05 per step if 0, 1, 2 or more of the eight cells around it hold apples.
    Termination: after 100 steps, a true end.
    """

    def __init__(
        self, num_envs: int, *, num_agents: int = 4, device: str = "cpu", encoding: str = "planes"
    ) -> None:
        super().__init__(HARVEST, num_envs, num_agents, device, encoding)


class SmallCleanupEnv(GridEnv):
    """Cleanup on a 7 by 9 map, quick to learn; never in one table with the full game.

    As `CleanupEnv`, but: 3 agents, 50 steps, 10 river cells (clean at the start) and 10 apple cells
    three steps apart, an apple chance of 0.2 (1 - d/0.4), and no turning: everyone faces the river.
    Action: 0 left, 1 right, 2 up, 3 down (as on the map), 4 stay, 5 clean.
    Scripted play with 3 agents earns, in apples per episode: at random 6.5; nobody cleans 4.0; one
    cleans 36.7 (the two others 18 each, the cleaner none); two clean 34.5.
    """

    def __init__(
        self, num_envs: int, *, num_agents: int = 3, device: str = "cpu", encoding: str = "planes"
    ) -> None:
        super().__init__(SMALL_CLEANUP, num_envs, num_agents, device, encoding)


class SmallHarvestEnv(GridEnv):
    """Harvest on a 7 by 9 map, quick to learn; never in one table with the full game.

    As `HarvestEnv`, but: 3 agents, 20 apple cells in four patches, regrowth with a chance of 0,
    0.02, 0.05 or 0.1, and no turning.
    Action: 0 left, 1 right, 2 up, 3 down (as on the map), 4 stay.
    Scripted play with 3 agents earns, in apples per episode: at random 27.4; all greedy 20.7; all
    sparing apples with less than 3 around until step 92 68.1 (22.7 each). One who is greedy among
    two who spare earns 15.6 and they 4.7 each; one who spares among two greedy earns 3.9 against
    their 9.0. So greed pays as soon as somebody else is greedy, and one is enough to ruin all.
    """

    def __init__(
        self, num_envs: int, *, num_agents: int = 3, device: str = "cpu", encoding: str = "planes"
    ) -> None:
        super().__init__(SMALL_HARVEST, num_envs, num_agents, device, encoding)
