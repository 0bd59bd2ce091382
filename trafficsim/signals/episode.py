"""Recorded episodes of traffic lights and their key figures: SUMO's own trips, as arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

from ss_core.objective.action_families import sample_actions
from ss_core.policies.actors import ActorBank
from trafficsim.signals.client import SignalClient, SignalLayout

FIELDS = ("depart_s", "arrival_s", "depart_delay_s", "waiting_time_s", "time_loss_s")
EpisodeFigures = dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One episode as SUMO saw it; NaN where something had not happened when it was cut off."""

    vehicle_ids: tuple[str, ...]
    depart_s: Float[ndarray, " vehicle"]  # planned
    arrival_s: Float[ndarray, " vehicle"]
    depart_delay_s: Float[ndarray, " vehicle"]  # wait to enter the net, so far
    waiting_time_s: Float[ndarray, " vehicle"]  # at a standstill or outside the net, so far
    time_loss_s: Float[ndarray, " vehicle"]
    queue: Float[ndarray, " step"]  # halting vehicles on the lanes that lead to a light
    teleports: int
    begin_s: float
    end_s: float

    @property
    def finished(self) -> Bool[ndarray, " vehicle"]:
        """Who arrived."""
        return np.isfinite(self.arrival_s)

    @property
    def travel_time_s(self) -> Float[ndarray, " vehicle"]:
        """Arrival less planned departure; of trips under way, up to the end of the episode."""
        return np.where(self.finished, self.arrival_s, self.end_s) - self.depart_s


def episode_of(measured: Mapping[str, Any]) -> Episode:
    """What a `SignalClient` measured."""
    column = {k: np.array(v, dtype=float) for k, v in measured["trips"].items()}
    end_s, delay_s = float(measured["end_s"]), np.maximum(column["departDelay"], 0.0)
    departed = column["depart"] >= 0
    return Episode(
        vehicle_ids=tuple(measured["ids"]),
        depart_s=np.where(departed, column["depart"], end_s) - delay_s,
        arrival_s=np.where(column["arrival"] >= 0, column["arrival"], np.nan),
        depart_delay_s=delay_s,
        waiting_time_s=np.maximum(column["waitingTime"], 0.0) + delay_s,
        time_loss_s=np.maximum(column["timeLoss"], 0.0),
        queue=np.array(measured["queue"], dtype=float),
        teleports=int(measured["teleports"]),
        begin_s=float(measured["begin_s"]),
        end_s=end_s,
    )


def figures_of(episode: Episode) -> EpisodeFigures:
    """Key figures of one episode; times are 0 where nobody drove."""
    hours = (episode.end_s - episode.begin_s) / 3600.0
    arrived = int(episode.finished.sum())
    anybody = len(episode.vehicle_ids) > 0
    return {
        "mean_travel_time_s": float(episode.travel_time_s.mean()) if anybody else 0.0,
        "mean_waiting_time_s": float(episode.waiting_time_s.mean()) if anybody else 0.0,
        "mean_queue_veh": float(episode.queue.mean()),
        "throughput_veh_per_h": arrived / hours,
        "trips": float(len(episode.vehicle_ids)),
        "unfinished_trips": float(len(episode.vehicle_ids) - arrived),
        "teleports": float(episode.teleports),
    }


def table_of(episodes: Sequence[Episode]) -> dict[str, Float[ndarray, " episode"]]:
    """Key figures of all episodes, by name."""
    rows = [figures_of(episode) for episode in episodes]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def play_program(
    client: SignalClient, seeds: Sequence[int], done: Callable[[int], None]
) -> list[Episode]:
    """Episodes under the lights' own programs."""
    episodes = []
    for number, seed in enumerate(seeds):
        client.reset(seed, record=True)
        episodes.append(episode_of(client.play()))
        done(number + 1)
    return episodes


def play_policies(
    client: SignalClient, actors: ActorBank, seeds: Sequence[int], generator: torch.Generator
) -> list[Episode]:
    """Episodes under the stochastic policies of `actors`; nothing is exchanged or learned."""
    layout, episodes = client.layout, []
    mask = legal_actions(layout).to(generator.device)
    for seed in seeds:
        rows, over = client.reset(seed, record=True), False
        while not over:
            seen = packed(layout, rows).to(generator.device)
            with torch.no_grad():
                actions = sample_actions(actors.own(seen, mask), generator)
            answer = client.step(actions[0].tolist())
            rows, over = answer["observations"], answer["over"]
        episodes.append(episode_of(client.measure()))
    return episodes


def legal_actions(layout: SignalLayout) -> Bool[Tensor, "1 N A"]:
    """Which green phases each light has."""
    counts = torch.tensor(layout.action_counts)
    return (torch.arange(int(counts.max())) < counts[:, None])[None]


def packed(layout: SignalLayout, rows: list[list[float]]) -> Float[Tensor, "1 N O"]:
    """Observations of all lights, padded with zeros as `ss_core.adapters.pettingzoo` does."""
    seen = torch.zeros(1, len(rows), max(layout.observation_sizes))
    for n, row in enumerate(rows):
        seen[0, n, : len(row)] = torch.tensor(row)
    return seen


def as_tensors(episodes: Sequence[Episode]) -> dict[str, Tensor]:
    """Everything about the episodes but the vehicles' names, for a checkpoint."""
    named = {
        f"{name}/{number}": torch.from_numpy(getattr(episode, name).copy())
        for number, episode in enumerate(episodes)
        for name in (*FIELDS, "queue")
    }
    named["teleports"] = torch.tensor([episode.teleports for episode in episodes])
    named["begin_s"] = torch.tensor([e.begin_s for e in episodes], dtype=torch.float64)
    named["end_s"] = torch.tensor([e.end_s for e in episodes], dtype=torch.float64)
    return named


def from_tensors(
    tensors: Mapping[str, Tensor], vehicle_ids: Sequence[Sequence[str]]
) -> list[Episode]:
    """What `as_tensors` took apart."""
    return [
        Episode(
            vehicle_ids=tuple(ids),
            queue=tensors[f"queue/{number}"].numpy(),
            teleports=int(tensors["teleports"][number]),
            begin_s=float(tensors["begin_s"][number]),
            end_s=float(tensors["end_s"][number]),
            **{name: tensors[f"{name}/{number}"].numpy() for name in FIELDS},
        )
        for number, ids in enumerate(vehicle_ids)
    ]
