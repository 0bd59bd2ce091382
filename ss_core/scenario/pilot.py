"""A pilot: a learner is tried under several settings, and trained anew under the best of them.

Trials take a quarter of the updates each and see training episodes only. Each agent adds up its own
returns; the sum of all agents' over the channel says which settings are kept. Nothing that a trial
learned is used again: what follows is the training that these settings give when set by hand.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ss_core.exchange.channel import Channel
from ss_core.learning.learner import LearnerConfig
from ss_core.processes.child_tasks import Report, Stop
from ss_core.record.checkpoint import (
    Checkpoint,
    load_latest,
    prune_checkpoints,
    result_of,
    save_checkpoint,
)
from ss_core.record.trace_writer import TraceWriter
from ss_core.scenario.config import RunConfig
from ss_core.scenario.protocol import Setting
from ss_core.training.loop import Training, record_messages, train

PILOT = "pilot"  # folder of a learner's task, and entry of its result
SHARE = 4  # one part in so many: of the updates for each trial, of these for its score
FEWEST = 20  # updates of a trial; shorter ones show how settings begin, not where they lead
RETURNS, COUNTED = "returns", "counted"  # sums over updates: of each agent; how many


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerTask:
    """One learner's task: its settings, its folder, and whom it reports to."""

    config: RunConfig
    setting: Setting
    folder: Path  # of the task
    constants: Mapping[str, Any]  # of its tables
    report: Report
    stop: Stop

    def writer(self, folder: Path) -> TraceWriter:
        """Of the tables below a folder of the task."""
        return TraceWriter(folder, level=self.config.trace, constants=self.constants)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """What a pilot came to."""

    kept: LearnerConfig  # to be trained with
    spent: int = 0  # updates of all trials together
    facts: Mapping[str, Any] | None = None  # for results; None: there was nothing to choose

    @property
    def state(self) -> dict[str, Any]:
        """Entry of a learner's result."""
        return {} if self.facts is None else {PILOT: dict(self.facts)}


def candidates_of(setting: Setting, learner: LearnerConfig) -> Mapping[str, LearnerConfig]:
    """Settings to choose from, by name, the default first; empty where there are no others."""
    found = {} if setting.candidates is None else setting.candidates(learner)
    return found if len(found) > 1 else {}


def trial_updates(num_updates: int) -> int:
    """Updates of each trial beside a training of so many; 0 where a trial would show nothing."""
    share = num_updates // SHARE
    return share if share >= FEWEST else 0


def scored_updates(updates: int) -> int:
    """The last updates of a trial, by whose returns it is judged."""
    return max(1, updates // SHARE)


def shares_of(affordable: int, trials: int) -> tuple[int, int]:
    """Updates of the training and of each trial that fit together into so many."""
    most = affordable * SHARE // (SHARE + trials)
    return (most, trial_updates(most)) if trial_updates(most) else (affordable, 0)


def run_pilot(task: LearnerTask, learner: LearnerConfig, updates: int) -> Pilot | None:
    """Try every candidate in a folder of its own; None: asked to stop before the end.

    Finished trials and the choice are kept: called again, it goes on where it was.
    """
    candidates = candidates_of(task.setting, learner)
    if not candidates:
        return Pilot(kept=learner)
    if updates == 0:
        default, *_ = candidates
        facts = {"kept": default, "num_updates": 0, "candidates": [*candidates]}
        return Pilot(kept=candidates[default], facts=facts)
    root, spent = task.folder / PILOT, updates * len(candidates)
    for place, (name, each) in enumerate(candidates.items()):
        report = ahead(
            task.report, place * updates, spent + learner.num_updates, f"trial of {name}"
        )
        trial = replace(task, folder=root / name, report=report)
        if not _try(trial, replace(each, num_updates=updates), place + 1):
            return None
    if load_latest(root / "result") is None:
        results = {name: result_of(root / name) for name in candidates}
        _choose(replace(task, folder=root), learner, results)
    facts = result_of(root).state
    return Pilot(kept=candidates[facts["kept"]], spent=spent, facts=facts)


def ahead(report: Report, before: int, total: int, what: str = "") -> Report:
    """Progress of a part that begins after `before` of `total` updates."""

    def progress(done: int, _: int, note: str) -> None:
        report(before + done, total, ", ".join(filter(None, (what, note))))

    return progress


def _try(task: LearnerTask, learner: LearnerConfig, number: int) -> bool:
    """Train one candidate; what each agent earned in its last updates lies in `result/`."""
    folder = task.folder
    if load_latest(folder / "result") is None:
        with task.setting.training(learner) as training:
            training.channel.trial = number
            finished = train(
                training,
                folder,
                task.writer(folder),
                evaluate=_add_up,
                evaluate_every=1,
                commit_every=task.config.commit_every,
                progress=task.report,
                stop_requested=task.stop,
            )
            if not finished:
                return False
            state = {
                "agents": list(training.learner.spec.agent_names),
                "bytes_by_kind": training.channel.ledger.bytes_by_kind(),
            }
            save_checkpoint(folder / "result", training.update, training.sums, state)
    prune_checkpoints(folder, keep=1)
    return True


def _add_up(training: Training) -> Mapping[str, float]:
    """Add up what each agent earned per training episode, for itself; nothing else is played."""
    total, rollout = training.learner.config.num_updates, training.rollout
    scored = training.update > total - scored_updates(total)
    if scored and rollout is not None and not training.non_finite:
        now = {
            RETURNS: rollout.first_returns.mean(dim=0).cpu(),
            COUNTED: torch.ones(1, dtype=torch.float64),
        }
        training.sums = {k: x + training.sums.get(k, 0.0) for k, x in now.items()}
    return {}


def _choose(task: LearnerTask, learner: LearnerConfig, results: Mapping[str, Checkpoint]) -> None:
    """Keep the candidate that earned most for all together, the first of equals."""
    first, *_ = results.values()
    scored = {k: r.tensors[RETURNS] / r.tensors[COUNTED] for k, r in results.items() if r.tensors}
    channel = Channel(learner.exchange, len(first.state["agents"]), task.config.seed)
    writer = task.writer(task.folder)
    writer.discard_after({})
    totals: dict[str, float] = {}
    if scored:  # at an update that no other sum has, so that its masks are its own
        returns = torch.stack([*scored.values()], dim=1)
        total = channel.total("return_total", returns, learner.num_updates)
        totals = dict(zip(scored, total.tolist(), strict=True))
        record_messages(writer, channel.ledger.take_rows(), tuple(first.state["agents"]))
    writer.commit()
    facts = {
        "kept": max(results, key=lambda name: totals.get(name, -math.inf)),
        "num_updates": first.update,
        "candidates": [*results],
        "scored_updates": scored_updates(first.update),
        "collective_return": {name: totals.get(name) for name in results},
        "bytes_by_kind": _added(
            *(each.state["bytes_by_kind"] for each in results.values()),
            channel.ledger.bytes_by_kind(),
        ),
    }
    save_checkpoint(task.folder / "result", first.update, {}, facts)


def _added(*counts: Mapping[str, int]) -> dict[str, int]:
    kinds = sorted({kind for each in counts for kind in each})
    return {kind: sum(each.get(kind, 0) for each in counts) for kind in kinds}


def pilot_sentence(row: str, facts: Mapping[str, Any], num_updates: int) -> str:
    """What a pilot tried and kept, for the notes of a result."""
    kept, each = facts["kept"], facts["num_updates"]
    if each == 0:
        return (
            f"{row}: trained under {kept} without a pilot; it takes {SHARE * FEWEST} updates or "
            f"more, and {FEWEST} on top under each of {' and '.join(facts['candidates'])}"
        )
    returns, tried = facts["collective_return"], " and ".join(facts["candidates"])
    sums = ", ".join(
        f"{name} {'no number' if total is None else format(total, '.4g')}"
        for name, total in returns.items()
    )
    return (
        f"{row}: {kept} kept after a pilot of {each} updates under each of {tried} "
        f"(collective return of a training episode in the last {facts['scored_updates']}: {sums}); "
        f"{each * len(returns)} updates and {sum(facts['bytes_by_kind'].values()) / 1e6:.3g} MB "
        f"exchanged on top of the training's {num_updates} updates"
    )
