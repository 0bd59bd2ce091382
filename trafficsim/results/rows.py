"""Rows of a run's table: policies and references on held-out days, as sub-tasks left them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.record.checkpoint import Checkpoint
from ss_core.report.labels import in_order
from trafficsim.results.labels import ROWS
from trafficsim.routing.config import RoutingConfig
from trafficsim.sumo.recording import Recording, from_arrays
from trafficsim.sumo.simulation import Order


@dataclass(frozen=True, slots=True)
class Row:
    """A policy or reference on the held-out days."""

    name: str
    actions: Int[ndarray, "day N"]
    times_s: Float[ndarray, "day vehicle"]
    probabilities: Float[ndarray, "N K"] | None = None
    bytes_by_kind: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    incidents: tuple[int, int, int] = (0, 0, 0)  # teleports, collisions, unfinished: all days
    first_day: Recording | None = None  # where lights learn, too: not to be had by simulating again
    orders: Sequence[Order] = ()  # of the first day, where drivers decide on the way


def learned_row(name: str, result: Checkpoint) -> Row:
    """What a learner left."""
    tensors, facts = result.tensors, {"num_updates": result.state["num_updates"]}
    first_day = None
    if "lights" in result.state:
        facts["lights"] = result.state["lights"]
        of_day = {k.split("/")[1]: v for k, v in tensors.items() if k.startswith("first_day/")}
        first_day = from_arrays({name: values.numpy() for name, values in of_day.items()})
    return Row(
        name,
        tensors["actions"].numpy(),
        tensors["times_s"].numpy(),
        tensors["probabilities"].numpy(),
        result.state["bytes_by_kind"],
        facts,
        three(tensors["incidents"].tolist()),
        first_day,
        [(until_s, [*map(tuple, sent)]) for until_s, sent in result.state["first_orders"]],
    )


def three(counts: list[int]) -> tuple[int, int, int]:
    """Teleports, collisions and unfinished trips."""
    teleports, collisions, unfinished = counts
    return teleports, collisions, unfinished


def profile_rows(result: Checkpoint) -> list[Row]:
    """What a task that searched left."""
    rows = []
    for name, facts in result.state["profiles"].items():
        times_s = result.tensors[f"{name}/times_s"].numpy()
        actions = result.tensors[f"{name}/actions"].numpy()
        repeated = np.broadcast_to(actions, (len(times_s), actions.shape[1]))
        incidents = three(result.tensors[f"{name}/incidents"].tolist())
        rows.append(Row(name, repeated, times_s, facts=facts, incidents=incidents))
    return rows


def collect(results: Mapping[str, Checkpoint], config: RoutingConfig) -> dict[str, Row]:
    """All rows, in the order of the table."""
    rows = [learned_row(name, results[name]) for name in config.learners]
    for task in ("references", "optimum"):
        rows += profile_rows(results[task])
    by_name = {row.name: row for row in rows}
    return {name: by_name[name] for name in in_order(ROWS, by_name)}
