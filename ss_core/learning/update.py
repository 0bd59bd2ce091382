"""Parts of an update that several algorithms have: links, passes without an exchange, metrics.

What is left of Eq. 16 where nothing is exchanged is PPO's clipped surrogate. The passes with an
exchange, the inner loop of Algorithm 1, are in `ss_core/algorithms/ss.py`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.exchange.channel import Channel
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.learning.action_advantages import ActionAdvantages, from_samples, scaled_advantages
from ss_core.learning.critics_update import update_critics
from ss_core.learning.decisions import Decisions, decisions_of
from ss_core.learning.learner import Learner
from ss_core.learning.minibatches import minibatches
from ss_core.learning.mirror import mirror_alone
from ss_core.learning.rollout import Rollout, flatten
from ss_core.objective.advantages import kappa
from ss_core.objective.objective import Objective, OwnView, objective


def links_at(channel: Channel, rollout: Rollout, update: int) -> Neighbourhood | None:
    """Who sends to whom at this update; None in a gap of the exchange (every k-th)."""
    if not channel.exchanges_at(update):
        return None
    met = rollout.neighbours
    links = channel.neighbourhood(update, None if met is None else flatten(met))
    return links.to(rollout.rewards.device)


def improve_alone(
    learner: Learner, decisions: Decisions, advantages: ActionAdvantages, update: int
) -> dict[str, float]:
    """K passes in which every agent steps on its own advantages and nothing is exchanged."""
    config = learner.config
    learner.kappa = kappa(advantages.sizes, decisions.valid, config.kappa, learner.kappa)
    if config.objective.anchor == "kl":
        return mirror_alone(learner, decisions, advantages, update)
    learner.last_round, last = None, None
    for part in minibatches(learner, len(decisions.rows), update, "policies"):
        some = decisions.at(part)
        log_probs = learner.actors.own(some.observations, some.action_mask)
        own = advantages.at(part).own_view(some, log_probs, config.old_policy)
        step = objective(
            own,
            None,
            None,
            config.objective,
            learner.kappa,
            num_steps=some.num_steps,
            family=learner.family,
        )
        learner.ascend(step.gain, update)
        last = (own, step, some)
    assert last is not None  # K is at least 1
    return step_metrics(*last)


def learn_alone(
    learner: Learner,
    rollout: Rollout,
    advantages: Float[Tensor, "T E N"],
    targets: Float[Tensor, "T E N"],
    update: int,
) -> dict[str, float]:
    """Every agent by PPO on the advantages it has, whatever they come from; then the critics."""
    decisions = decisions_of(rollout, learner.spec)
    scaled = scaled_advantages(learner, advantages, decisions)
    of_actions = from_samples(scaled, decisions, None, learner.family)
    metrics = improve_alone(learner, decisions, of_actions, update)
    return metrics | {"critic_loss": update_critics(learner, rollout, targets, update)}


@torch.no_grad()
def step_metrics(own: OwnView, step: Objective, decisions: Decisions) -> dict[str, float]:
    """Metrics of the last step of an update."""
    count = decisions.valid.sum().clamp_min(1)
    log_ratio = ((own.log_probs - own.old_log_probs) * own.weights).sum(dim=-1) * own.valid
    metrics = {
        "objective": step.gain.mean(),
        "entropy": step.entropy.sum() / count,
        "approx_kl": -log_ratio.sum() / count,
    }
    if step.anchor_penalty is not None:
        metrics["anchor_penalty"] = step.anchor_penalty.sum() / count
    if step.follow_penalty is not None:
        metrics["follow_penalty"] = step.follow_penalty.sum() / count
    return {k: float(v) for k, v in metrics.items()}
