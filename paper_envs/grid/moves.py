"""How agents turn and walk: compiled rules of one environment, written into its arrays.

Directions count clockwise: 0 up, 1 right, 2 down, 3 left. The first four actions step left, right,
ahead ("up") and back ("down") as seen by the agent, 4 stays, 5 and 6 turn. Only walls stop a walk;
no two agents ever share a cell:

* where several want a cell, one of them, drawn at random, may have it; the others stay;
* two agents never swap places;
* a cell that its occupant leaves in the same step may be entered, also around in a circle.
"""

from collections.abc import Sequence
from typing import no_type_check

import numpy as np
from numba import njit

from paper_envs.grid.streams import draw_below

LEFT, RIGHT, UP, DOWN, STAY, TURN_CLOCKWISE, TURN_COUNTERCLOCKWISE, CLEAN = range(8)
_QUARTER_TURNS = np.array([3, 1, 0, 2])  # from the facing to the direction of actions 0 … 3
_NAMES = ("left", "right", "ahead", "back", "stay", "cw", "ccw", "clean")
DIRECTIONS = ("up", "right", "down", "left")


def names_of(actions: Sequence[int], fixed_facing: int) -> tuple[str, ...]:
    """Actions in a word each; walks by where they lead on the map if all face one way for ever.

    A `fixed_facing` below 0 means that agents turn: walks are named as the agent sees them.
    """
    return tuple(_name(action, fixed_facing) for action in actions)


def _name(action: int, fixed_facing: int) -> str:
    if action < STAY and fixed_facing >= 0:
        return DIRECTIONS[(fixed_facing + _QUARTER_TURNS[action]) % 4]
    return _NAMES[action]


@njit(cache=True)
@no_type_check
def translate(numbers, meaning, actions):
    """What numbered actions mean; False if a number has no meaning."""
    for e in range(numbers.shape[0]):
        for i in range(numbers.shape[1]):
            if not 0 <= numbers[e, i] < len(meaning):
                return False
            actions[e, i] = meaning[numbers[e, i]]
    return True


@njit(cache=True)
@no_type_check
def turn_agents(facings, actions):
    """Turn those who chose to turn."""
    for i in range(len(facings)):
        if actions[i] == TURN_CLOCKWISE:
            facings[i] = (facings[i] + 1) % 4
        elif actions[i] == TURN_COUNTERCLOCKWISE:
            facings[i] = (facings[i] + 3) % 4


@njit(cache=True)
@no_type_check
def move_agents(cells, facings, actions, walls, offsets, stream, targets):
    """Walk, all at once; `targets` is scratch space of one number per agent."""
    if _aim(cells, facings, actions, walls, offsets, targets) == 0:
        return
    _cancel_swaps(cells, targets)
    _settle_contests(cells, targets, stream)
    while _cancel_blocked(cells, targets):
        pass
    for i in range(len(cells)):
        cells[i] = targets[i]


@njit(cache=True)
@no_type_check
def _aim(cells, facings, actions, walls, offsets, targets):
    """Where each agent wants to be; returns how many want to leave their cell."""
    movers = 0
    for i in range(len(cells)):
        targets[i] = cells[i]
        if actions[i] < STAY:
            ahead = cells[i] + offsets[(facings[i] + _QUARTER_TURNS[actions[i]]) % 4]
            if not walls[ahead]:
                targets[i] = ahead
                movers += 1
    return movers


@njit(cache=True)
@no_type_check
def _cancel_swaps(cells, targets):
    for i in range(len(cells)):
        for j in range(i):
            if targets[i] == cells[j] and targets[j] == cells[i]:
                targets[i] = cells[i]
                targets[j] = cells[j]


@njit(cache=True)
@no_type_check
def _settle_contests(cells, targets, stream):
    """Let one of those who want to walk to the same cell try; everyone has the same chance."""
    for i in range(len(cells)):
        if targets[i] == cells[i]:
            continue
        wanted, rivals, winner = targets[i], 1, i
        for j in range(i + 1, len(cells)):
            if targets[j] == wanted and cells[j] != wanted:
                rivals += 1
                if draw_below(stream, rivals) == 0:
                    targets[winner] = cells[winner]
                    winner = j
                else:
                    targets[j] = cells[j]


@njit(cache=True)
@no_type_check
def _cancel_blocked(cells, targets):
    """Stop those whose cell is held by someone who stays; True if that stopped anyone."""
    stopped = False
    for i in range(len(cells)):
        if targets[i] == cells[i]:
            continue
        for j in range(len(cells)):
            if cells[j] == targets[i] and targets[j] == cells[j]:
                targets[i] = cells[i]
                stopped = True
                break
    return stopped
