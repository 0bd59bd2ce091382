"""Searches on the link model where many drive: everybody's changes at once, a share is made.

One after the other, as `best_responses` has it, a sweep would take a day of the model for every
change. Here changes begin and end at pictures of one day (`link_model.changes`), and where even
that is too much drivers are tried in turn.
"""

import numpy as np

from trafficsim.references.scored_game import ScoredGame
from trafficsim.routing.searches import Actions

SWEEPS = 8
HALVINGS = 4  # of the share that changes, where together they do harm


def settled_on_model(
    scored: ScoredGame, start: Actions, tolerance_s: float, rng: np.random.Generator
) -> Actions:
    """Of those who gain by changing alone a share does, which becomes smaller: 2/(k+3)."""
    actions = start
    for sweep in range(SWEEPS):
        drivers, more_s = scored.changes_s(actions, "own")
        gains = more_s.min(axis=1) < -tolerance_s
        moves = gains & (rng.random(len(drivers)) < 2.0 / (sweep + 3))
        actions = actions.copy()
        actions[drivers[moves]] = more_s.argmin(axis=1)[moves]
        if not gains.any() and len(drivers) == len(actions):
            break
    return actions


def planned_on_model(
    scored: ScoredGame, start: Actions, tolerance_s: float, rng: np.random.Generator
) -> Actions:
    """Changes that lower the total alone, as many at once as lower it together."""
    actions, total_s = start, float(scored.model_play([start])[0].sum())
    share = 1.0
    for _ in range(SWEEPS):
        drivers, more_s = scored.changes_s(actions, "total")
        lowers = more_s.min(axis=1) < -tolerance_s
        if not lowers.any():
            continue
        share = min(1.0, 2.0 * share)
        for _ in range(HALVINGS):
            moves = lowers & (rng.random(len(drivers)) < share)
            tried = actions.copy()
            tried[drivers[moves]] = more_s.argmin(axis=1)[moves]
            tried_s = float(scored.model_play([tried])[0].sum())
            if tried_s < total_s:
                actions, total_s = tried, tried_s
                break
            share /= 2.0
    return actions
