"""An update under `objective.anchor = "kl"`: suggestions in closed form, and the mirror step.

One exchange, about the policies that acted; then every agent moves to the maximiser of its own part
(`objective/mirror.py`): a table at once, networks by K passes of gradient ascent.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.learning.action_advantages import ActionAdvantages
from ss_core.learning.communication import (
    CommunicationRound,
    agreement,
    last_round,
    send,
    share,
    suggest,
    weigh,
)
from ss_core.learning.decisions import Decisions
from ss_core.learning.learner import Learner, lr_decay
from ss_core.learning.minibatches import minibatches
from ss_core.objective.closed_form import ILLEGAL_LOG_PROB
from ss_core.objective.mirror import mirror_gain, mirror_step, pull_of
from ss_core.policies.table import TableBank


def mirror_update(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    opened: CommunicationRound,
) -> dict[str, float]:
    """Share, suggest, send, receive; then one step on all of it."""
    policies = share(opened, decisions.old_log_probs, opened.valid)
    with torch.no_grad():
        suggestions = suggest(learner, decisions, advantages, opened, policies)
    messages = send(opened, decisions.old_log_probs, policies, suggestions)
    opened = weigh(learner, messages, opened)
    weights = learner.config.objective
    pull = pull_of(
        advantages.own_gains(decisions.old_log_probs),
        decisions.old_log_probs,
        messages.view(opened.weight),
        learner.kappa,
        weights,
        opened.follow_scale,
    )
    learner.last_round = last_round(opened, messages, decisions)
    return _step(learner, decisions, pull, opened.update) | agreement(
        messages, decisions, learner.family
    )


def mirror_alone(
    learner: Learner, decisions: Decisions, advantages: ActionAdvantages, update: int
) -> dict[str, float]:
    """The step on what an agent's own actions bring it, where nothing is exchanged."""
    old = decisions.old_log_probs
    learner.last_round = None
    gains = advantages.own_gains(old)
    pull = pull_of(gains, old, None, learner.kappa, learner.config.objective)
    return _step(learner, decisions, pull, update)


def _step(
    learner: Learner, decisions: Decisions, pull: Float[Tensor, "B N A"], update: int
) -> dict[str, float]:
    """Move to the maximiser; the learning rates' decay shortens the way there."""
    config, old = learner.config, decisions.old_log_probs
    pull, ent_coef = pull * lr_decay(config, update), config.objective.ent_coef
    if isinstance(learner.actors, TableBank):
        _write(learner.actors, decisions, mirror_step(old, pull, ent_coef))
    else:
        for part in minibatches(learner, len(decisions.rows), update, "policies"):
            some = decisions.at(part)
            log_probs = learner.actors.own(some.observations, some.action_mask)
            gain = mirror_gain(log_probs, some.old_log_probs, pull[part], ent_coef) * some.valid
            learner.ascend(gain.sum(dim=0) / some.num_steps, update)
    with torch.no_grad():
        log_probs = learner.actors.own(decisions.observations, decisions.action_mask)
        return _metrics(decisions, log_probs, mirror_gain(log_probs, old, pull, ent_coef))


def _write(table: TableBank, decisions: Decisions, log_probs: Float[Tensor, "B N A"]) -> None:
    """The mean over an agent's decisions, of which all are of one kind; none: as it was."""
    count, before = decisions.valid.sum(dim=0), table.params["own_logits"].detach()
    legal = decisions.old_log_probs > ILLEGAL_LOG_PROB
    kept = torch.where(legal, log_probs, before) * decisions.valid.unsqueeze(-1)
    mean = kept.sum(dim=0) / count.clamp_min(1).unsqueeze(-1)
    table.write(torch.where((count > 0).unsqueeze(-1), mean, before))


def _metrics(
    decisions: Decisions, log_probs: Float[Tensor, "B N A"], gain: Float[Tensor, "B N"]
) -> dict[str, float]:
    count = decisions.valid.sum().clamp_min(1)
    chance = log_probs.exp()
    entropy = -(chance * log_probs.clamp_min(-1e3)).sum(dim=-1) * decisions.valid
    moved = (decisions.old_log_probs.exp() * (decisions.old_log_probs - log_probs)).sum(dim=-1)
    metrics = {
        "objective": (gain * decisions.valid).sum() / count,
        "entropy": entropy.sum() / count,
        "approx_kl": (moved * decisions.valid).sum() / count,
    }
    return {name: float(value) for name, value in metrics.items()}
