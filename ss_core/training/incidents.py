"""Rows of the `incident` and `trust` tables that learning itself leaves."""

from collections.abc import Sequence

import torch

from ss_core.exchange.ledger import Refusal
from ss_core.exchange.trust import demands, weights
from ss_core.learning.learner import Learner
from ss_core.record.trace_writer import TraceWriter

REFUSED, NO_NUMBERS, STEP_SKIPPED, DISCOUNTED = "SS-W110", "SS-W120", "SS-W121", "SS-W130"
REASONS = {
    "malformed": "no distribution over the receiver's allowed actions",
    "stale": "of an exchange long past",
    "flood": "more than one about the same decision",
}
DISCOUNTED_BELOW = 0.5  # mean weight with those who receive from it


def record_refusals(writer: TraceWriter, found: Sequence[Refusal], names: Sequence[str]) -> None:
    """Messages that receivers did not take."""
    for one in found:
        detail = (
            f"{one.num_messages} messages to {one.num_receivers} receivers: {REASONS[one.reason]}"
        )
        _record(writer, one.update, REFUSED, names[one.sender], "messages dropped", detail)


def record_non_finite(writer: TraceWriter, update: int, detail: str) -> None:
    """An update whose episodes held values that are no numbers."""
    _record(writer, update, NO_NUMBERS, "environment", "nothing learned from them", detail)


def record_skipped(writer: TraceWriter, update: int, learner: Learner) -> None:
    """Agents whose own gradient was no number; theirs alone was skipped."""
    if learner.skipped is None:
        return
    for agent in torch.nonzero(learner.skipped).flatten().tolist():
        count = int(learner.skipped[agent])
        name = learner.spec.agent_names[agent]
        _record(writer, update, STEP_SKIPPED, name, f"{count} steps of this agent skipped", "")
    learner.skipped = None


def record_trust(writer: TraceWriter, update: int, learner: Learner) -> None:
    """Weights of senders, and an incident for every sender that most receivers discount."""
    last = learner.last_round
    if learner.trust is None or last is None:
        return
    links = last.links
    weight = weights(learner.trust, links, learner.config.trust_tolerance)
    receiver, slot = torch.nonzero(links.received, as_tuple=True)
    sender, names = links.senders[receiver, slot], learner.spec.agent_names
    if writer.writes("trust"):
        writer.write(
            "trust",
            {
                "update": update,
                "src_agent_id": [names[i] for i in sender.tolist()],
                "dst_agent_id": [names[j] for j in receiver.tolist()],
                "asked": demands(learner.trust, links)[receiver, slot].numpy(force=True),
                "weight": weight[receiver, slot].numpy(force=True),
            },
        )
    for agent, name in enumerate(names):
        received = weight[receiver, slot][sender == agent]
        if len(received) and float(received.mean()) < DISCOUNTED_BELOW:
            detail = f"mean weight {float(received.mean()):.2g} with {len(received)} receivers"
            taken = "its suggestions are heeded the less"
            _record(writer, update, DISCOUNTED, name, taken, detail)


def _record(
    writer: TraceWriter, update: int, code: str, entity: str, taken: str, detail: str
) -> None:
    if writer.writes("incident"):
        writer.write(
            "incident",
            {
                "phase": "train",
                "update": update,
                "code": code,
                "severity": "warning",
                "entity_id": entity,
                "action_taken": taken,
                "detail": detail,
            },
        )
