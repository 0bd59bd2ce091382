"""Every row's key figures on the same held-out episodes, and how the row asked for compares."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ss_core.random_streams import Stream, numpy_generator
from ss_core.record.checkpoint import Checkpoint
from ss_core.report.labels import in_order
from ss_core.scenario.key_figures import Scores
from ss_core.scenario.protocol import Prepared
from ss_core.statistics import Interval, bootstrap_interval, mean
from trafficsim.signals.config import SignalsConfig
from trafficsim.signals.episode import Episode, from_tensors, table_of
from trafficsim.signals.results.labels import ROWS

TIME = "mean_travel_time_s"
UNITS = {"_s": "s", "_veh_per_h": "1/h"}


@dataclass(frozen=True, slots=True)
class SignalScores:
    """What notes and tables are made from, beside key figures."""

    episodes: Mapping[str, Sequence[Episode]]  # by row
    compared: Mapping[str, Interval]  # travel time of the row asked for less that of each other


def score(config: SignalsConfig, prepared: Prepared, results: Mapping[str, Checkpoint]) -> Scores:
    """Key figures of every row, episode by episode."""
    lights: tuple[str, ...] = prepared.world
    episodes = {
        name: from_tensors(results[name].tensors, results[name].state["vehicle_ids"])
        for name in in_order(ROWS, results)
    }
    figures = {name: table_of(row) for name, row in episodes.items()}
    rng = numpy_generator(config.seed, Stream.DIFFERENCES)
    times_s = {name: row[TIME] for name, row in figures.items()}
    return Scores(
        figures=figures,
        num_agents=len(lights),
        bytes_by_kind={name: results[name].state["bytes_by_kind"] for name in config.learners},
        num_updates={name: results[name].state["num_updates"] for name in config.learners},
        detail=SignalScores(episodes, differences_of(times_s, config.learner.algorithm, rng)),
    )


def differences_of(
    times_s: Mapping[str, Float[ndarray, " episode"]], asked: str, rng: np.random.Generator
) -> dict[str, Interval]:
    """Travel time of the row `asked` less that of each other row, episode by episode."""
    return {
        name: bootstrap_interval(times_s[asked] - others_s, mean, rng=rng)
        for name, others_s in times_s.items()
        if name != asked
    }
