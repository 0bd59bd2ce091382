"""Boards as drawings: `^>v<` agents, `A` apple, `H` waste, `@` wall.

Agents are numbered in reading order. The map (where apples and waste may be) is a drawing of its
own, in the symbols of `paper_envs.grid.maps`. Not collected by pytest.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paper_envs.grid.cleanup import CleanupGame
from paper_envs.grid.harvest import HarvestGame
from paper_envs.grid.maps import GridMap, parse_map
from paper_envs.grid.state import GridState, blank_state

FACINGS = "^>v<"


def walled(*rows: str) -> tuple[str, ...]:
    """The rows inside a wall."""
    border = "@" * (len(rows[0]) + 2)
    return (border, *(f"@{row}@" for row in rows), border)


def state_of(grid_map: GridMap, *rows: str, copies: int = 1, seed: int = 0) -> GridState:
    """`copies` environments that all look like the drawing (its outer wall left out)."""
    flat = "".join(walled(*rows))
    assert len(flat) == len(grid_map.walls)
    agents = [cell for cell, symbol in enumerate(flat) if symbol in FACINGS]
    state = blank_state(grid_map, num_envs=copies, num_agents=len(agents), seed=seed)
    state.cells[:] = agents
    state.facings[:] = [FACINGS.index(flat[cell]) for cell in agents]
    state.apples[:] = [symbol == "A" for symbol in flat]
    state.waste[:] = [symbol == "H" for symbol in flat]
    return state


def drawn(grid_map: GridMap, state: GridState, e: int = 0) -> list[str]:
    """One environment as a drawing without its outer wall; agents hide what they stand on."""
    symbols = np.full(len(grid_map.walls), ".")
    symbols[state.apples[e] == 1] = "A"
    symbols[state.waste[e] == 1] = "H"
    for cell, facing in zip(state.cells[e], state.facings[e], strict=True):
        symbols[cell] = FACINGS[facing]
    table = symbols.reshape(grid_map.num_rows, grid_map.num_cols)[1:-1, 1:-1]
    return ["".join(row) for row in table]


@dataclass(frozen=True, slots=True)
class After:
    """A board after one step, and what the agents got."""

    rows: list[str]
    rewards: list[float]
    cooperative: list[bool]
    state: GridState


def played(
    game: CleanupGame | HarvestGame, rows: Sequence[str], actions: Sequence[int], seed: int = 0
) -> After:
    """One step from a drawing, everyone choosing an action of `moves`."""
    state = state_of(game.grid_map, *rows, seed=seed)
    rewards = np.empty(state.cells.shape, np.float32)
    cooperative = np.empty(state.cells.shape, bool)
    game.advance(state, np.array([actions], np.int64), rewards, cooperative)
    return After(drawn(game.grid_map, state), rewards[0].tolist(), cooperative[0].tolist(), state)


def bare_room(num_rows: int, num_cols: int) -> HarvestGame:
    """A game in which there is only walking."""
    return HarvestGame(name="room", grid_map=parse_map(walled(*[" " * num_cols] * num_rows)))


def still_cleanup(*rows: str) -> CleanupGame:
    """Cleanup on a map in which nothing ever spawns."""
    game = CleanupGame(name="still", grid_map=parse_map(walled(*rows)))
    return dataclasses.replace(game, most_apples=0.0, waste_chance=0.0)
