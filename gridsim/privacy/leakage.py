"""What households' messages and plans reveal about them: one training, observed.

The eavesdroppers of `ss bench privacy` are honest-but-curious neighbours that put together what all
of them received in the last updates: at least what any one of them could know; and anybody on the
feeder, who sees the sum of plans before and after every turn (`differences.py`). Each household is
described by numbers, source by source. What is to be guessed stays beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from gridsim.config import GridConfig, resolve
from gridsim.game.in_turn import NUM_PUBLIC, InTurnEnv
from gridsim.households.households import JobKind, mean_delay_cost
from gridsim.privacy.differences import described, differences_of
from gridsim.stage import Stage, build_training, daily_welfare, set_stage
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.learning.decisions import Decisions, decisions_of
from ss_core.processes.child_tasks import Report, Stop
from ss_core.random_streams import Stream, torch_generator
from ss_core.record.atomic import atomic_write
from ss_core.scenario.short_runs import is_done, write_short_run
from ss_core.training.loop import Training

LEAK_FILE = "leak.safetensors"
DIFFERENCED = "differenced announcements"  # the source that needs no message
OBSERVED_UPDATES = 8  # the last ones
KIND_COLUMNS = slice(5, 5 + len(JobKind))  # of the public features
LAYOUT_SEED = 11  # of random projections, the same in every run
PROJECTED = 64  # numbers that stand for a household's parameters


@dataclass(slots=True)
class _Recorder:
    """Keeps what was sent in the last communication round of each update, by kind."""

    sent: dict[str, Mapping[str, Tensor]] = field(default_factory=dict)

    def __call__(self, kind: str, _update: int, sent: Mapping[str, Tensor]) -> None:
        self.sent[kind] = sent


def observed_run(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train, record the messages of the last updates, play the held-out days."""
    torch.set_num_threads(1)
    folder = Path(arguments["folder"])
    if is_done(folder):
        return True
    config = resolve(arguments["preset"], arguments["settings"])
    stage = set_stage(config)
    training = build_training(config, config.learner, stage)
    received: list[dict[str, Float[ndarray, "N F"]]] = []
    costs: list[Float[ndarray, " N"]] = []
    loads: list[Float[ndarray, " hour"]] = []
    total = config.learner.num_updates
    while training.update < total:
        if stop():
            return False
        recorder = _Recorder()
        training.channel.listener = (
            recorder if total - training.update <= OBSERVED_UPDATES else None
        )
        training.advance()
        report(training.update, total, "")
        if training.channel.listener is not None:
            env = training.env
            assert isinstance(env, InTurnEnv)
            public = {DIFFERENCED: described(differences_of(env))}
            received.append(public | describe(training, recorder.sent))
            costs.append(env.outcome().cost_eur.mean(axis=0))
            loads.append(env.load_kw.mean(axis=(0, 1)).reshape(24, -1).mean(axis=1))
    _leave(folder, config, stage, received, np.mean(costs, axis=0), np.mean(loads, axis=0))
    welfare = daily_welfare(training, stage, config)
    write_short_run(folder, training, welfare, privacy=training.channel.privacy() or {})
    return True


def _leave(
    folder: Path,
    config: GridConfig,
    stage: Stage,
    received: list[dict[str, Float[ndarray, "N F"]]],
    daily_cost_eur: Float[ndarray, " N"],
    load_kw: Float[ndarray, " hour"],
) -> None:
    """Features by source, their mean over the updates observed; and what is to be guessed."""
    households = config.households
    features = {
        f"received/{source}": np.mean([each[source] for each in received], axis=0)
        for source in received[0]
    }
    population, mean_cost = stage.world.population, mean_delay_cost(config.population)
    owned = population.owns.astype(bool)
    relative = np.log(population.delay_cost / mean_cost)
    comfort = np.where(owned, relative, 0.0).sum(axis=1) / np.maximum(owned.sum(axis=1), 1)
    arrays = {
        **features,
        "public": np.broadcast_to(load_kw, (households, len(load_kw))),
        "secret/comfort_weight": comfort,
        "secret/has_ev": owned[:, JobKind.EV].astype(float),
        "secret/daily_cost_eur": daily_cost_eur,
    }
    tensors = {
        k: torch.from_numpy(np.array(v, dtype=np.float32, order="C")) for k, v in arrays.items()
    }
    atomic_write(folder / LEAK_FILE, safetensors.torch.save(tensors))


def describe(
    training: Training, sent: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, Float[ndarray, "N F"]]:
    """Numbers about each household, by what was received from it."""
    assert training.rollout is not None
    decisions = decisions_of(training.rollout, training.learner.spec)
    shape = training.rollout.rewards.shape[:2]
    found: dict[str, Float[ndarray, "N F"]] = {}
    if "own_policy" in sent:
        found["announcements"] = _announced(decisions)
        found["policies"] = _leanings(decisions, sent["own_policy"][""].exp())
    if "suggestion" in sent:
        links = _last_links(training)
        found["suggestions"] = _wishes(decisions, sent, links)
    for kind in ("advantage", "reward"):
        if kind in sent:
            found[f"{kind}s"] = _signals(sent[kind][""], shape)
    for kind in ("critic_parameters", "policy_parameters"):
        if kind in sent:
            found[kind] = _projected(sent[kind])
    return found


def _last_links(training: Training) -> Neighbourhood:
    last = training.learner.last_round
    assert last is not None
    return last.links


def _public(decisions: Decisions) -> Float[Tensor, "B N A G"]:
    actions = decisions.old_log_probs.shape[-1]
    rows = decisions.observations.unflatten(-1, (actions, -1))
    return rows[..., :NUM_PUBLIC]


def _legal(decisions: Decisions) -> Float[Tensor, "B N A 1"]:
    assert decisions.action_mask is not None
    return decisions.action_mask.unsqueeze(-1).float()


def _by_kind(values: Float[Tensor, "B N F"], decisions: Decisions) -> Float[ndarray, "N F"]:
    """Means over a household's decisions, kind of job by kind; 0 where there was none."""
    kinds = _public(decisions)[:, :, 0, KIND_COLUMNS] * decisions.valid.unsqueeze(-1)
    count = kinds.sum(dim=0).clamp_min(1.0)
    means = torch.einsum("bnk,bnf->nkf", kinds, values) / count.unsqueeze(-1)
    return means.flatten(1).numpy(force=True)


def _announced(decisions: Decisions) -> Float[ndarray, "N F"]:
    """Jobs announced: how many of each kind, what they are like, which plan they followed."""
    public, legal = _public(decisions), _legal(decisions)
    kinds = (public[:, :, 0, KIND_COLUMNS] * decisions.valid.unsqueeze(-1)).sum(dim=0)
    mean = (public * legal).sum(dim=2) / legal.sum(dim=2).clamp_min(1.0)
    place = decisions.actions[..., None, None].expand(*decisions.actions.shape, 1, NUM_PUBLIC)
    followed = public.gather(2, place).squeeze(2) - mean
    counts = kinds.numpy(force=True)
    return np.concatenate(
        [counts, _by_kind(mean, decisions), _by_kind(followed, decisions)], axis=1
    )


def _leanings(decisions: Decisions, policy: Float[Tensor, "B N A"]) -> Float[ndarray, "N F"]:
    """What the policies sent lean to, against even chances: features, first plan, certainty."""
    public, legal = _public(decisions), _legal(decisions)
    even = legal / legal.sum(dim=2, keepdim=True).clamp_min(1.0)
    lean = ((policy.unsqueeze(-1) - even) * public).sum(dim=2)
    certainty = policy.max(dim=-1).values.unsqueeze(-1)
    return _by_kind(torch.cat([lean, policy[..., :1], certainty], dim=-1), decisions)


def _wishes(
    decisions: Decisions, sent: Mapping[str, Mapping[str, Tensor]], links: Neighbourhood
) -> Float[ndarray, "N F"]:
    """Where each sender's suggestions would move its receivers, in public features."""
    public = _public(decisions)[:, links.receivers.reshape(-1)].unflatten(1, links.receivers.shape)
    policy = sent["own_policy"][""].exp()
    theirs = policy[:, links.receivers.reshape(-1)].unflatten(1, links.receivers.shape)
    moved = sent["suggestion"][""].exp() - theirs
    valid = decisions.valid[:, links.receivers.reshape(-1)].unflatten(1, links.receivers.shape)
    pull = (moved.unsqueeze(-1) * public).sum(dim=3) * valid.unsqueeze(-1)
    count = valid.sum(dim=(0, 2)).clamp_min(1)
    size = (moved.abs().sum(dim=-1) * valid).sum(dim=(0, 2)) / count
    mean = pull.sum(dim=(0, 2)) / count.unsqueeze(-1)
    return torch.cat([mean, size.unsqueeze(-1)], dim=-1).numpy(force=True)


def _signals(payload: Tensor, shape: torch.Size) -> Float[ndarray, "N F"]:
    """Numbers sent by step or by decision: mean, spread, quantiles; mean of each turn."""
    flat = payload.transpose(0, 1).flatten(1).double()
    points = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95], dtype=torch.float64)
    parts = [flat.mean(dim=1, keepdim=True), flat.std(dim=1, keepdim=True)]
    parts.append(torch.quantile(flat[:, :: max(1, flat.shape[1] // 200_000)], points, dim=1).T)
    if payload.shape[0] == shape[0] * shape[1] and payload.dim() == 3:
        by_turn = payload.unflatten(0, tuple(shape)).double().mean(dim=(1, 3)).T
        parts.append(by_turn)
    return torch.cat(parts, dim=1).numpy(force=True)


def _projected(rows: Mapping[str, Tensor]) -> Float[ndarray, "N F"]:
    """Parameters less their mean over households, projected at random, alike in every run."""
    flat = torch.cat([rows[name].flatten(1) for name in sorted(rows)], dim=1).double()
    generator = torch_generator(LAYOUT_SEED, Stream.PROJECTION)
    out = torch.zeros((len(flat), PROJECTED), dtype=torch.float64)
    for start in range(0, flat.shape[1], 65_536):
        part = flat[:, start : start + 65_536]
        draw = torch.randn((part.shape[1], PROJECTED), generator=generator, dtype=torch.float64)
        out += (part - part.mean(dim=0)) @ draw
    return (out / flat.shape[1] ** 0.5).numpy(force=True)


def read_leak(folder: Path) -> dict[str, ndarray]:
    """`received/<source>`, `public`, `secret/<name>` of an `observed_run`; household by row."""
    tensors = safetensors.torch.load((folder / LEAK_FILE).read_bytes())
    return {name: tensor.numpy() for name, tensor in tensors.items()}
