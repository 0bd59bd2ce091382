"""Policy sharing (PS): every agent keeps a copy of everybody's policy, and the copies agree.

Zhang & Zavlanos (2019): agent i holds θ^i = (θ^i1 … θ^iN), its estimate of the joint policy, and
improves all of it by its own rewards; PPO's ratio and clip are those of the joint policy. Then the
estimates are averaged with Metropolis weights over the neighbourhood graph. Agent i acts by π^ii.
"""

import torch
from jaxtyping import Float, Int, Real
from torch import Tensor

from ss_core.algorithms.algorithm import Algorithm
from ss_core.env import VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.exchange.consensus import average_parameters, make_alike
from ss_core.exchange.neighbourhood import all_to_all
from ss_core.learning.action_advantages import sampled_advantages, scaled_advantages
from ss_core.learning.critics_update import update_critics
from ss_core.learning.decisions import Decisions, all_decisions
from ss_core.learning.learner import Learner
from ss_core.learning.minibatches import minibatches
from ss_core.learning.rollout import Rollout, flatten
from ss_core.learning.update import links_at
from ss_core.objective.objective import MAX_LOG_RATIO
from ss_core.policies.actors import JointActorBank
from ss_core.policies.feature_actor import PeerRows


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update; in a gap of the exchange (every k-th) nothing is averaged."""
    advantages, targets = sampled_advantages(learner, rollout, rollout.rewards)
    steps = all_decisions(rollout)
    scaled = flatten(scaled_advantages(learner, advantages, steps))
    metrics = _improve_estimates(learner, steps, scaled, update)
    metrics["critic_loss"] = update_critics(learner, rollout, targets, update)
    links = links_at(channel, rollout, update)
    average_parameters(learner.actors.params, channel, "policy_parameters", links, update)
    return metrics


def _improve_estimates(
    learner: Learner, steps: Decisions, advantages: Float[Tensor, "B N"], update: int
) -> dict[str, float]:
    """K passes, in each of which every agent takes a step with its whole estimate."""
    config = learner.config
    metrics: dict[str, Tensor] = {}
    literal, acted = config.old_policy == "literal", None  # log of the joint policies that acted
    if config.num_minibatches > 1 and not literal:
        with torch.no_grad():
            acted = _taken(learner, joint_log_probs(learner, steps), steps)
    for part in minibatches(learner, len(steps.rows), update, "policies"):
        some = steps.at(part)
        log_probs = joint_log_probs(learner, some)
        taken = _taken(learner, log_probs, some)
        acted = taken.detach() if acted is None or literal else acted
        old = acted if literal else acted[part]
        surrogate = joint_surrogate(taken - old, advantages[part], config.objective.clip_eps)
        entropy = learner.family.entropy(log_probs)
        gain = surrogate + config.objective.ent_coef * entropy.sum(dim=-1)
        gain = gain.sum(dim=0) / some.num_steps
        learner.ascend(gain, update)
        metrics = {
            "objective": gain.mean(),
            "entropy": entropy[:, :, 0].mean(),  # of π^ii, which acts
            "approx_kl": (old - taken).mean(),  # of the joint policy
        }
    return {k: float(v.detach()) for k, v in metrics.items()}


def _taken(
    learner: Learner, log_probs: Float[Tensor, "B N N A"], steps: Decisions
) -> Float[Tensor, "B N"]:
    """log of an agent's estimate of what all did together."""
    return learner.family.at_taken(log_probs, _joint_actions(steps)).sum(dim=2)


def joint_log_probs(learner: Learner, steps: Decisions) -> Float[Tensor, "B N N A"]:
    """log π^ij of agent i for everybody: first itself, then the others in order.

    Where all see the whole state, each from its own place, i's copy of j's policy looks at what j
    sees, as j's own does; elsewhere i does not know that, and it looks at what i sees.
    """
    seen = steps.observations
    if not learner.spec.full_view or torch.equal(seen, seen[:, :1].expand_as(seen)):
        return _at_views(learner, steps, seen)
    order = torch.cat([torch.arange(len(_others(steps)))[:, None], _others(steps).cpu()], dim=1)
    log_probs = torch.stack(  # of j's policy, whoever's copy it is, at what j sees
        [_at_views(learner, steps, view[:, None].expand_as(seen)) for view in seen.unbind(dim=1)]
    )
    slot = torch.arange(order.shape[1])
    return log_probs[order, :, torch.arange(len(order))[:, None], slot].permute(2, 0, 1, 3)


def _at_views(
    learner: Learner, steps: Decisions, seen: Real[Tensor, "B N O"]
) -> Float[Tensor, "B N N A"]:
    """Every agent's estimate at what `seen` says that it looks at."""
    bank, rows = learner.actors, PeerRows(_others(steps))
    assert isinstance(bank, JointActorBank)  # `LearnerConfig` lets no other pass
    own, others = bank.own_and_suggest(seen, steps.action_mask, rows)
    return torch.cat([own.unsqueeze(2), others], dim=2)


def _joint_actions(steps: Decisions) -> Real[Tensor, "B N N *K"]:
    return torch.cat([steps.actions.unsqueeze(2), steps.actions[:, _others(steps)]], dim=2)


def _others(steps: Decisions) -> Int[Tensor, "N M"]:
    return all_to_all(steps.actions.shape[1]).receivers.to(steps.actions.device)


def joint_surrogate(
    log_ratio: Float[Tensor, "B N"], advantages: Float[Tensor, "B N"], clip_eps: float
) -> Float[Tensor, "B N"]:
    """min(ξ Â_i, clip(ξ, 1 ± ε) Â_i) with ξ = Π_j π^ij(a_j | s) / π^ij_old(a_j | s)."""
    ratio = log_ratio.clamp_max(MAX_LOG_RATIO).exp()
    clipped = ratio.clamp(1.0 - clip_eps, 1.0 + clip_eps)
    return torch.minimum(ratio * advantages, clipped * advantages)


def prepare(learner: Learner, generator: torch.Generator) -> None:
    """All agents hold the same copies at first."""
    make_alike(learner.actors.params)


ALGORITHM = Algorithm(
    name="ps",
    title="PS, learned",
    short_title="PS",
    role="ours",
    description="policy sharing",
    crosses="copies of all policies are averaged among neighbours",
    reference="Zhang and Zavlanos (2019)",
    rank=6,
    in_paper=True,
    exchanges=("policy_parameters",),
    needs=("own_copies",),
    learn=learn,
    prepare=prepare,
)
