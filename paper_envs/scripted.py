"""Scripted players of Cleanup and Harvest: what selfish, restrained and cleaning agents reach.

They see the whole state and know the rules, learn nothing and exchange nothing. Their returns are
points of reference for learners: a good script is a lower bound on what is possible.
"""

from dataclasses import dataclass
from typing import Protocol, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt64
from numba import njit

from paper_envs.grid.cleanup import CleanupGame
from paper_envs.grid.harvest import HarvestGame
from paper_envs.grid.moves import (
    CLEAN,
    DOWN,
    LEFT,
    RIGHT,
    STAY,
    TURN_CLOCKWISE,
    TURN_COUNTERCLOCKWISE,
    UP,
)
from paper_envs.grid.rules import count_neighbours, is_occupied
from paper_envs.grid.state import GridState, blank_state
from paper_envs.grid.streams import draw_below, seeded_streams
from ss_core.random_streams import Stream, drawn_seed

Game = CleanupGame | HarvestGame

_WALKS = np.array([UP, RIGHT, DOWN, LEFT])  # by direction relative to the facing
_TURNS = np.array([0, 1, 2, 1])  # steps to turn by so many quarters clockwise


class Script(Protocol):
    """A rule for all agents of a game."""

    def actions(
        self, game: Game, state: GridState, t: int, streams: UInt64[np.ndarray, " E"]
    ) -> Int64[np.ndarray, "E N"]:
        """What everyone does in step t, as actions of the game; `streams` break ties."""
        ...


@dataclass(frozen=True, slots=True)
class RandomPlay:
    """Every action with the same chance."""

    def actions(
        self, game: Game, state: GridState, t: int, streams: UInt64[np.ndarray, " E"]
    ) -> Int64[np.ndarray, "E N"]:
        """Uniform draws."""
        chosen = np.empty(state.cells.shape, np.int64)
        _draw_actions(streams, len(game.actions), chosen)
        return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Foragers:
    """Walk to the nearest apple worth eating and eat it; in Cleanup some clean instead.

    Until step `free_from` the first `restrained` agents (None: all) eat only apples with at least
    `min_neighbours` apples around them, and walk around the others. In Cleanup the first `cleaners`
    agents go where they remove most waste per step, and clean. With a `shift` they take turns: each
    second one of them cleans for so many steps, then the others do, and who is off duty eats. With
    none they never eat on purpose.
    """

    min_neighbours: int = 0
    free_from: int = 0
    restrained: int | None = None
    cleaners: int = 0
    shift: int = 0  # steps

    def actions(
        self, game: Game, state: GridState, t: int, streams: UInt64[np.ndarray, " E"]
    ) -> Int64[np.ndarray, "E N"]:
        """Greedy choices, ties broken at random."""
        grid_map = game.grid_map
        chosen = np.empty(state.cells.shape, np.int64)
        least = np.zeros(state.cells.shape[1], np.int64)
        if t < self.free_from:
            least[: self.restrained] = self.min_neighbours
        on_duty = self._on_duty(state.cells.shape[1], t)
        _forage(
            state.cells, state.facings, state.apples, grid_map.walls, grid_map.apple_cells,
            grid_map.offsets, least, ~on_duty, streams, chosen,
        )  # fmt: skip
        if self.cleaners and isinstance(game, CleanupGame):
            can_turn = TURN_CLOCKWISE in game.actions
            _clean(
                state.cells, state.facings, state.waste, grid_map.walls, grid_map.offsets,
                game.beam_length, can_turn, on_duty, streams, chosen,
            )  # fmt: skip
        return _action_numbers(game)[chosen]

    def _on_duty(self, num_agents: int, t: int) -> Bool[np.ndarray, " N"]:
        """Who cleans in step t."""
        agents = np.arange(num_agents)
        cleans = agents < self.cleaners
        return cleans & ((agents + t // self.shift) % 2 == 0) if self.shift else cleans


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What a script earns."""

    apples: float  # eaten per episode by all agents together
    standard_error: float  # of `apples`
    agent_apples: tuple[float, ...]  # per episode, agent by agent
    averaged_return: float  # apples / (N T)
    episodes: int


GREEDY = Foragers()


def reference(
    game: Game, script: Script, *, num_agents: int, episodes: int = 100, seed: int = 0
) -> Reference:
    """Play a number of episodes with everyone following a script."""
    earned = play(game, script, num_agents=num_agents, episodes=episodes, seed=seed)
    totals = earned.sum(axis=1)
    return Reference(
        apples=float(totals.mean()),
        standard_error=float(totals.std(ddof=1) / np.sqrt(episodes)),
        agent_apples=tuple(earned.mean(axis=0).tolist()),
        averaged_return=float(totals.mean()) / (num_agents * game.horizon),
        episodes=episodes,
    )


def play(
    game: Game, script: Script, *, num_agents: int, episodes: int, seed: int
) -> Float[np.ndarray, "E N"]:
    """Apples that each agent ate in each of `episodes` episodes."""
    state = blank_state(game.grid_map, num_envs=episodes, num_agents=num_agents, seed=seed)
    ties = seeded_streams(drawn_seed(seed, Stream.SCRIPTED_TIES), episodes)
    game.restart(state)
    earned = np.zeros((episodes, num_agents))
    rewards = np.empty((episodes, num_agents), np.float32)
    cooperative = np.empty((episodes, num_agents), bool)
    meaning = np.array(game.actions, np.int64)
    for t in range(game.horizon):
        chosen = script.actions(game, state, t, ties)
        game.advance(state, meaning[chosen], rewards, cooperative)
        earned += rewards
    return earned


def _action_numbers(game: Game) -> Int64[np.ndarray, " meaning"]:
    """Number in the game of each action of `moves`; staying for those that it does not have."""
    numbers = np.full(CLEAN + 1, game.actions.index(STAY), np.int64)
    numbers[list(game.actions)] = np.arange(len(game.actions))
    return numbers


@njit(cache=True)
@no_type_check
def _draw_actions(streams, num_actions, chosen):
    for e in range(len(streams)):
        for i in range(chosen.shape[1]):
            chosen[e, i] = draw_below(streams[e : e + 1], num_actions)


@njit(cache=True)
@no_type_check
def _forage(cells, facings, apples, walls, apple_cells, offsets, least, who, streams, chosen):
    for e in range(len(streams)):
        stream = streams[e : e + 1]
        for i in np.flatnonzero(who):
            goal = _nearest_apple(cells[e, i], apples[e], apple_cells, offsets[2], least[i], stream)
            chosen[e, i] = STAY
            if goal >= 0:
                chosen[e, i] = _step_towards(
                    goal, cells[e], i, facings[e, i], apples[e], walls, offsets, stream,
                    least[i],
                )  # fmt: skip


@njit(cache=True)
@no_type_check
def _distance(a, b, row):
    return abs(a // row - b // row) + abs(a % row - b % row)


@njit(cache=True)
@no_type_check
def _nearest_apple(cell, apples, apple_cells, row, min_neighbours, stream):
    """The nearest apple worth eating; -1 if there is none."""
    best, nearest, ties = -1, 1 << 30, 0
    for place in apple_cells:
        if not apples[place] or count_neighbours(apples, place, row) < min_neighbours:
            continue
        distance = _distance(cell, place, row)
        if distance < nearest:
            best, nearest, ties = place, distance, 1
        elif distance == nearest:
            ties += 1
            if draw_below(stream, ties) == 0:
                best = place
    return best


@njit(cache=True)
@no_type_check
def _step_towards(goal, cells, i, facing, apples, walls, offsets, stream, min_neighbours):
    """A walk that brings agent i nearer, else any that is possible; never onto a spared apple."""
    row = offsets[2]
    best, ties, gain = STAY, 0, -1
    for direction in range(4):
        cell = cells[i] + offsets[direction]
        if walls[cell] or is_occupied(cells, cell):
            continue
        if apples[cell] and count_neighbours(apples, cell, row) < min_neighbours:
            continue
        nearer = _distance(cells[i], goal, row) - _distance(cell, goal, row)
        if nearer > gain:
            ties, gain = 0, nearer
        if nearer == gain:
            ties += 1
            if draw_below(stream, ties) == 0:
                best = _WALKS[(direction - facing) % 4]
    return best


@njit(cache=True)
@no_type_check
def _clean(cells, facings, waste, walls, offsets, beam_length, can_turn, who, streams, chosen):
    nothing = np.zeros_like(waste[0])
    for e in range(len(streams)):
        stream = streams[e : e + 1]
        for i in np.flatnonzero(who):
            facing = facings[e, i]
            cell, towards, hits = _best_stand(
                cells[e], i, facing, waste[e], walls, offsets, beam_length, can_turn
            )
            if hits == 0:
                chosen[e, i] = STAY
            elif towards != facing:
                quarters = (towards - facing) % 4
                chosen[e, i] = TURN_COUNTERCLOCKWISE if quarters == 3 else TURN_CLOCKWISE
            elif cell == cells[e, i]:
                chosen[e, i] = CLEAN
            else:
                chosen[e, i] = _step_towards(
                    cell, cells[e], i, facing, nothing, walls, offsets, stream, 0
                )


@njit(cache=True)
@no_type_check
def _best_stand(cells, i, facing, waste, walls, offsets, beam_length, can_turn):
    """Cell and facing with the most waste removed per step, walking and turning included."""
    best_cell, best_facing, best_hits, best_rate = cells[i], facing, 0, 0.0
    for cell in range(len(walls)):
        if walls[cell] or (cell != cells[i] and is_occupied(cells, cell)):
            continue
        walk = _distance(cell, cells[i], offsets[2])
        for turned in range(4 if can_turn else 1):
            towards = (facing + turned) % 4
            hits = _waste_in_beam(cell, towards, waste, walls, offsets, beam_length)
            rate = hits / (walk + _TURNS[turned] + 1.0)
            if rate > best_rate:
                best_cell, best_facing, best_hits, best_rate = cell, towards, hits, rate
    return best_cell, best_facing, best_hits


@njit(cache=True)
@no_type_check
def _waste_in_beam(cell, facing, waste, walls, offsets, length):
    """Lanes of a beam fired there that end on waste, nobody standing in the way."""
    ahead, side = offsets[facing], offsets[(facing + 1) % 4]
    hits = 0
    for start in (cell + ahead, cell + side, cell - side):
        for reach in range(length):
            place = start + reach * ahead
            if walls[place]:
                break
            if waste[place]:
                hits += 1
                break
    return hits
