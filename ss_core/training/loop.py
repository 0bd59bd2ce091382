"""The training loop: collect, learn, evaluate now and then, commit; killed anywhere, it resumes.

One `Training` owns one task folder of a run directory. Every update is a function of (learner,
update number, seed): environments restart at each update from a seed of their own, so a checkpoint
between updates holds all there is.
"""

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ss_core.algorithms.build import build_learner
from ss_core.algorithms.registry import algorithm_named
from ss_core.env import AdaptiveEnv, CounterfactualEnv, StatefulEnv, VectorEnv
from ss_core.errors import SimulatorError
from ss_core.exchange.channel import Channel
from ss_core.exchange.ledger import LedgerRow
from ss_core.learning.learner import Learner, LearnerConfig, learner_tensors, restore_learner
from ss_core.learning.rollout import Rollout, collect_rollout
from ss_core.objective.action_families import family_of
from ss_core.random_streams import Stream, drawn_seed
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.checkpoint import load_latest, prune_checkpoints, save_checkpoint
from ss_core.record.trace_writer import TraceWriter
from ss_core.training.incidents import (
    record_non_finite,
    record_refusals,
    record_skipped,
    record_trust,
)

MOST_NON_FINITE = 10  # updates in a row of which nothing can be learned
STOP_WITHIN_S = 5.0  # of being asked: time to reach the next regular checkpoint


@dataclass(slots=True)
class Training:
    """A learner at work in an environment."""

    learner: Learner
    env: VectorEnv
    channel: Channel
    seed: int
    update: int = 0  # updates done
    metrics: dict[str, float] = field(default_factory=dict)  # of the last update
    rollout: Rollout | None = None  # of the last update; not in checkpoints
    non_finite: str = ""  # what was no number in the last update, of which nothing was learned
    non_finite_in_row: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)  # of whoever evaluates; in checkpoints

    @classmethod
    def begin(
        cls, config: LearnerConfig, env: VectorEnv, seed: int, device: torch.device | str = "cpu"
    ) -> "Training":
        """A learner before its first update, with a channel of its own."""
        channel = Channel(config.exchange, env.spec.num_agents, seed, family_of(env.spec))
        return cls(build_learner(config, env.spec, seed, device), env, channel, seed)

    def advance(self) -> None:
        """One update: an episode per environment copy, then the algorithm."""
        seed = drawn_seed(self.seed, Stream.TRAINING_EPISODES, self.update)
        rollout = collect_rollout(
            self.env,
            self.learner.actors,
            seed=seed,
            generator=self.learner.generator,
            with_successors=not self._judges_alternatives(),
        )
        self.non_finite = _non_finite_words(rollout, self.learner.spec.agent_names)
        if self.non_finite:
            self._skip()
        else:
            self.non_finite_in_row = 0
            learn = algorithm_named(self.learner.config.algorithm).learn
            self.metrics = learn(self.learner, rollout, self.env, self.channel, self.update)
            self.metrics["episode_reward"] = float(rollout.rewards.sum(dim=0).mean())
        if isinstance(self.env, AdaptiveEnv):
            self.env.adapt()
        self.rollout = rollout
        self.update += 1

    def _skip(self) -> None:
        """Nothing is learned from what is no number; the simulator may recover."""
        self.metrics, self.learner.last_round = {}, None
        self.non_finite_in_row += 1
        if self.non_finite_in_row > MOST_NON_FINITE:
            raise SimulatorError(
                f"update {self.update}: {self.non_finite}, for the {self.non_finite_in_row}th time "
                "in a row; what was committed before is intact: look at the environment, then run "
                "the same command again"
            )

    def _judges_alternatives(self) -> bool:
        learner = self.learner
        knows_how = learner.config.counterfactuals and learner.facts.judges_counterfactuals
        return knows_how and isinstance(self.env, CounterfactualEnv)


def _non_finite_words(rollout: Rollout, names: tuple[str, ...]) -> str:
    """What in a rollout is NaN or infinite, in words; empty if nothing is."""
    for what, values in (("rewards", rollout.rewards), ("observations", rollout.observations)):
        bad = ~values.isfinite()
        if bool(bad.any()):
            agent = int(torch.nonzero(bad)[0, 2])
            return f"{int(bad.sum())} {what} are no numbers, first of {names[agent]}"
    return ""


Evaluate = Callable[[Training], Mapping[str, float]]
Progress = Callable[[int, int, str], None]  # updates done, all updates, a word on how it goes


def train(
    training: Training,
    folder: Path,
    writer: TraceWriter,
    *,
    evaluate: Evaluate,
    evaluate_every: int,
    commit_every: int,
    progress: Progress,
    stop_requested: Callable[[], bool],
) -> bool:
    """Train to the last update, from the newest checkpoint in `folder` where there is one.

    Commits are counted in updates, never timed, so that a run leaves the same files however often
    it was stopped. Asked to stop, it goes on to the next of them if that takes seconds; else what
    came after the last one is done again. Returns whether the end was reached.

    Raises:
        CorruptError: checkpoints exist and none of them is whole.
    """
    total = training.learner.config.num_updates
    _resume(training, folder, writer)
    progress(training.update, total, "")
    started_s, first = time.monotonic(), training.update
    while training.update < total:
        if stop_requested():
            each_s = (time.monotonic() - started_s) / max(1, training.update - first)
            ahead = -training.update % commit_every
            if training.update == first or ahead == 0 or ahead * each_s > STOP_WITHIN_S:
                return False
        training.advance()
        record_metrics(writer, training.update - 1, training.metrics)
        if training.update % evaluate_every == 0 or training.update == total:
            scores = evaluate(training)
            record_metrics(writer, training.update - 1, scores)
        names = training.learner.spec.agent_names
        record_messages(writer, training.channel.ledger.take_rows(), names)
        record_links(writer, training, names)
        _record_incidents(writer, training)
        if training.update == total:
            record_suggestions(writer, training, names)
            record_trust(writer, training.update - 1, training.learner)
        if training.update % commit_every == 0 or training.update == total:
            commit(training, folder, writer)
        progress(training.update, total, _note(training))
    return True


def _record_incidents(writer: TraceWriter, training: Training) -> None:
    learner, update = training.learner, training.update - 1
    record_refusals(writer, training.channel.ledger.take_refusals(), learner.spec.agent_names)
    record_skipped(writer, update, learner)
    if training.non_finite:
        record_non_finite(writer, update, training.non_finite)


def _note(training: Training) -> str:
    return f"entropy {training.metrics.get('entropy', float('nan')):.2f}"


def affordable_updates(
    folder: Path, seconds: float, trial: AbstractContextManager[Training], measured: int
) -> int:
    """How many updates `seconds` afford: `measured` of a trial, timed once and kept in `folder`.

    One update goes before, untimed, so that what happens only once is not counted.
    """
    plan = folder / "plan.json"
    if not plan.exists():
        with trial as training:
            training.advance()
            started_s = time.perf_counter()
            for _ in range(measured):
                training.advance()
            each_s = (time.perf_counter() - started_s) / measured
        atomic_write(plan, json_bytes({"num_updates": max(1, int(seconds / each_s))}))
    return int(json.loads(plan.read_text())["num_updates"])


def commit(training: Training, folder: Path, writer: TraceWriter) -> None:
    """Publish the trace rows and the checkpoint that goes with them."""
    writer.commit()
    tensors = dict(learner_tensors(training.learner))
    tensors |= {f"ledger/{k}": t for k, t in training.channel.ledger.state().items()}
    if isinstance(training.env, StatefulEnv):
        tensors |= {f"env/{k}": t for k, t in training.env.state().items()}
    tensors |= {f"sum/{k}": t for k, t in training.sums.items()}
    save_checkpoint(
        folder, training.update, tensors, {"update": training.update}, parts=writer.parts
    )


def _resume(training: Training, folder: Path, writer: TraceWriter) -> None:
    checkpoint = load_latest(folder)
    writer.discard_after(checkpoint.parts if checkpoint else {})
    if checkpoint is None:
        return
    prune_checkpoints(folder)
    restore(training, checkpoint.tensors)
    training.update = checkpoint.update


def restore(training: Training, tensors: Mapping[str, Tensor]) -> None:
    """Put a checkpoint's tensors back where `commit` took them from."""
    training.channel.ledger.restore(_under("ledger/", tensors))
    if isinstance(training.env, StatefulEnv):
        training.env.restore(_under("env/", tensors))
    training.sums = _under("sum/", tensors)
    restore_learner(training.learner, dict(tensors))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)}


def record_metrics(writer: TraceWriter, update: int, values: Mapping[str, float]) -> None:
    """Rows of the `metric` table, one per name."""
    rows = {
        "update": np.full(len(values), update),
        "name": list(values),
        "value": list(values.values()),
    }
    if values and writer.writes("metric"):
        writer.write("metric", rows)


def record_messages(writer: TraceWriter, rows: list[LedgerRow], names: tuple[str, ...]) -> None:
    """Rows of the `message` table: what the ledger counted."""
    if not rows or not writer.writes("message"):
        return
    writer.write(
        "message",
        {
            "update": [r.update for r in rows],
            "kind": [r.kind for r in rows],
            "src_agent_id": [names[r.sender] for r in rows],
            "dst_agent_id": [names[r.receiver] for r in rows],
            "n_messages": [r.num_messages for r in rows],
            "n_float": [r.num_floats for r in rows],
            "n_bytes": [r.num_bytes for r in rows],
        },
    )


def record_links(writer: TraceWriter, training: Training, names: tuple[str, ...]) -> None:
    """Rows of the `link` table: who may send to whom, whenever that was drawn anew."""
    sent, exchange = training.learner.last_round, training.channel.config
    anew = exchange.protocol == "graph" or (exchange.protocol == "random" and exchange.redraw)
    drawn = training.update == 1 or anew
    if sent is None or not drawn or not writer.writes("link"):
        return
    sender, slot = torch.nonzero(sent.valid.any(dim=0), as_tuple=True)
    writer.write(
        "link",
        {
            "src_agent_id": [names[i] for i in sender.tolist()],
            "dst_agent_id": [names[j] for j in sent.receivers[sender, slot].tolist()],
            "weight": 1.0,
            "valid_from_update": training.update - 1,
        },
    )


def record_suggestions(writer: TraceWriter, training: Training, names: tuple[str, ...]) -> None:
    """Rows of the last exchange about the first day of the last update.

    In the `suggestion` table by action, or by option where an action is several choices; in
    `suggestion_normal` by number, where an action is several of these.
    """
    spec, sent = training.learner.spec, training.learner.last_round
    table = "suggestion_normal" if spec.action_dimensions else "suggestion"
    if sent is None or not writer.writes(table):
        return
    at_peers = sent.rows[:, sent.receivers.reshape(-1)].unflatten(1, tuple(sent.receivers.shape))
    here = sent.valid & (at_peers % spec.num_envs == 0)
    row, sender, slot = torch.nonzero(here, as_tuple=True)
    suggestions, policies = (
        x[row, sender, slot].numpy(force=True) for x in (sent.suggestions, sent.policies)
    )
    if spec.action_dimensions:
        pair, entry, values = _of_numbers(suggestions, policies)
    else:
        pair, entry, values = _of_options(suggestions, policies)
    step = (at_peers[row, sender, slot] // spec.num_envs).numpy(force=True)
    by_name = np.array(names)
    writer.write(
        table,
        {
            "phase": "train",
            "day": 0,
            "step": step[pair].astype(np.int32),
            "update": training.update - 1,
            "src_agent_id": by_name[sender.numpy(force=True)[pair]],
            "dst_agent_id": by_name[sent.receivers[sender, slot].numpy(force=True)[pair]],
            "action": entry.astype(np.int32),
            **values,
        },
    )


Entries = tuple[Int[np.ndarray, " rows"], Int[np.ndarray, " rows"], dict[str, np.ndarray]]


def _of_options(
    suggestions: Float[np.ndarray, "pairs P"], policies: Float[np.ndarray, "pairs P"]
) -> Entries:
    """Pair, option and probabilities of all options that are possible."""
    prob, own_prob = np.exp(suggestions), np.exp(policies)
    pair, entry = np.nonzero(own_prob > 0.0)
    return pair, entry, {"prob": prob[pair, entry], "own_prob": own_prob[pair, entry]}


def _of_numbers(
    suggestions: Float[np.ndarray, "pairs P"], policies: Float[np.ndarray, "pairs P"]
) -> Entries:
    """Pair, place and moments of all numbers."""
    count = suggestions.shape[1] // 2
    pair, entry = np.nonzero(np.ones((len(suggestions), count)))
    return (
        pair,
        entry,
        {
            "mean": suggestions[pair, entry],
            "std": np.exp(suggestions[pair, count + entry]),
            "own_mean": policies[pair, entry],
            "own_std": np.exp(policies[pair, count + entry]),
        },
    )
