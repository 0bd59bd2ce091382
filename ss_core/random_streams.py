"""Every stream of random numbers below a seed: one member of `Stream` for each purpose.

A stream is named by a seed, a purpose and up to `MOST_INDICES` numbers (an update, a play, a day).
Two streams that differ in any of these are independent, and none depends on what was drawn from
another. Values are never given to another purpose: a new one gets a new number.
"""

from collections.abc import Iterator
from enum import IntEnum, unique
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

MOST_INDICES = 4
_WORD, _NUMBER = 32, 64  # bits


@unique
class Stream(IntEnum):
    """What random numbers are drawn for; in brackets, the numbers that a stream is indexed by."""

    # Learners of any world, and what passes between them.
    INITIAL_PARAMETERS = 101  # actors, critics and what an algorithm adds to them
    TRAINING_ACTIONS = 102  # of the policies while they learn
    TRAINING_EPISODES = 103  # seed that an update resets its environments with [update]
    NEIGHBOURS = 104  # who sends to whom in a random graph [update]
    LIARS = 105  # who of the agents lies
    LIES = 106  # what liars say who say anything [update]
    NOISE = 107  # on what is sent [update, trial of a pilot]
    MASKS = 108  # of sums that agents make together [update, trial of a pilot]
    MINIBATCHES = 109  # which decisions make up a step [update, purpose]

    # Statistics of any world.
    BOOTSTRAP = 201  # resamples of key figures
    DIFFERENCES = 202  # resamples of differences between rows
    ATTACK_FOLDS = 203  # rows that an attack on secrets is cross-validated on
    ATTACK_NETWORK = 204  # an attacking network: its held rows and initial parameters
    PROJECTION = 205  # of what was received, to few numbers

    # Experiments of many runs.
    STUDY_DESIGN = 221  # points of a Latin hypercube

    # Environments that are tried out before anybody learns in them.
    TRIED_EPISODES = 211
    TRIED_ACTIONS = 212
    TRIED_ALTERNATIVES = 213  # single actions whose stated worth is checked by replay

    # Days and episodes of any world, drawn below a run's seed.
    TRAINING_DAYS = 301  # below a reset's seed [copy, day, where each has a seed]
    TRIAL_DAYS = 302  # policies are compared on before any is chosen [day, where each has a seed]
    HELD_OUT_DAYS = 303  # every row is scored on [day, where each has a seed]
    CURVE_DAYS = 304  # points of the learning curve are measured on [day]
    PAST_DAYS = 305  # before the held-out ones, for whoever forecasts
    HELD_OUT_EPISODES = 306  # as days, in worlds that have episodes [episode or batch of them]
    CURVE_EPISODES = 307  # likewise [episode]
    PLAYED_ACTIONS = 308  # of policies on held-out days and episodes [play]
    CURVE_ACTIONS = 309  # of policies, for a point of the learning curve
    WATCHED_EPISODE = 310  # an episode that is drawn as a picture
    WATCHED_ACTIONS = 311  # of policies in it
    TRIAL_ACTIONS = 312  # of policies on trial days

    # Households on a grid.
    POPULATION = 401  # who lives there, and with what
    RANDOM_PLANS = 402  # a candidate schedule for each job
    AUDIT = 403  # steps that pandapower solves again [1: in three phases]
    RANDOM_STARTS = 404  # of best responses [start, calendar day, jobs of the day]
    PERTURBATIONS = 405  # of the optimum found so far [calendar day, jobs of the day]
    DEVIATIONS = 406  # starts of a household's own search [calendar day, jobs of the day]
    OWN_SCHEDULES = 407  # of households, to find out what others' help is worth
    METERS = 421  # which of more meters than households stand for them
    PHASES = 422  # of households that no file puts on one

    # Vehicles and traffic lights on roads.
    DEMAND = 501  # trips, and what a file of demand leaves open
    ADOPTERS = 502  # drivers who take part
    ROAD_NEIGHBOURS = (
        503  # from whom on the same roads a driver receives, below a reset's seed [day]
    )
    RANDOM_ROUTES = 504  # an alternative for each driver
    EQUILIBRIUM = 505  # who changes routes in successive averages
    ROUTE_SEARCH = 506  # local search for the optimum
    DUAITERATE = 507  # seed of SUMO's own assignment
    MODEL_NOISE = 508  # how drivers differ on days of the link model [update, purpose, choice]
    CALIBRATION = 509  # guesses at the drivers of the link model [update]
    REFERENCE_DAYS = 511  # references are found on [purpose, day]
    DEVIATING_DRIVERS = 512  # who tries another route at a reference [purpose, round]
    MODEL_MOVERS = 510  # drivers whose alternatives are judged, where not all are [update]

    # The paper's tasks.
    SCRIPTED_TIES = 601  # between equally good actions of a script
    SCRIPTED_EPISODES = 602  # of agents that cooperate or defect [cooperators, part]
    DIAGRAM_ROLES = 603  # who of the agents cooperates [cooperators]
    DIAGRAM_ACTIONS = 604  # of learned policies that cooperate or defect [cooperators]


def seed_sequence(seed: int, stream: Stream, *index: int) -> np.random.SeedSequence:
    """The root of a stream, keyed by words of fixed number: none pads to the key of another.

    Raises:
        ValueError: a number below 0 or beyond 64 bits, or more than `MOST_INDICES` indices.
    """
    if len(index) > MOST_INDICES:
        raise ValueError(f"{stream.name}: {len(index)} indices, at most {MOST_INDICES}")
    padded = (*index, *(0,) * (MOST_INDICES - len(index)))
    numbers = (seed, int(stream), len(index), *padded)
    return np.random.SeedSequence([word for number in numbers for word in _words(number)])


def _words(number: int) -> Iterator[int]:
    """Two words of 32 bits."""
    if not 0 <= number < 1 << _NUMBER:
        raise ValueError(f"{number}: seeds and indices are from 0 to 2^{_NUMBER} - 1")
    yield number % (1 << _WORD)
    yield number >> _WORD


def numpy_generator(seed: int, stream: Stream, *index: int) -> np.random.Generator:
    """NumPy's random numbers of a stream."""
    return np.random.default_rng(seed_sequence(seed, stream, *index))


def torch_generator(
    seed: int, stream: Stream, *index: int, device: "torch.device | str" = "cpu"
) -> "torch.Generator":
    """PyTorch's random numbers of a stream, on a device."""
    import torch  # here: command lines read the register without it

    (drawn,) = seed_sequence(seed, stream, *index).generate_state(1, np.uint64).tolist()
    return torch.Generator(device).manual_seed(drawn)


def drawn_seed(seed: int, stream: Stream, *index: int) -> int:
    """A seed from 0 to 2^31 - 1, as SUMO and environments take it."""
    (drawn,) = seed_sequence(seed, stream, *index).generate_state(1).tolist()
    return drawn >> 1
