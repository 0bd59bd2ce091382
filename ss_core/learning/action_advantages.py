"""Advantages of actions: what each agent expects of its own and its neighbours' decisions.

Two sources, one form. Sampled: Â_i of Eq. 17 at the action that was taken. Counterfactual: the
agent's own return under each alternative action, where the world's public formulas give it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor

from ss_core.env import Counterfactuals
from ss_core.exchange.channel import Channel
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.learning.critics_update import critic_inputs, regress, with_own_action
from ss_core.learning.decisions import Decisions, at_peer_rows, at_rows
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Rollout, flatten
from ss_core.objective.action_families import FINITE, ActionFamily
from ss_core.objective.advantages import discounted_returns, generalized_advantages
from ss_core.objective.objective import OwnView, PeerView
from ss_core.policies.mlp_stack import at_neighbours

OldPolicy = Literal["behaviour", "literal"]
LEAST_CHANCE = 1e-12  # of an action whose share in an expectation is asked for


@dataclass(frozen=True, slots=True)
class ActionAdvantages:
    """Σ_a w(a) f(a) with these weights is the expectation of Eq. 16 over an action."""

    own_weights: Float[Tensor, "B N A"]
    own_advantages: Float[Tensor, "B N A"]
    peer_weights: Float[Tensor, "B N M A"] | None
    peer_advantages: Float[Tensor, "B N M A"] | None
    sizes: Float[Tensor, "B N"]  # |Â_i| as κ measures it
    sampled: bool  # weights are one-hot at what was done, else π_old
    family: ActionFamily = FINITE
    own_actions: Real[Tensor, "B N K"] | None = None  # what was done, where A is that alone
    peer_actions: Real[Tensor, "B N M K"] | None = None

    def at(self, part: Int[Tensor, " b"] | slice) -> "ActionAdvantages":
        """Those of some decisions, a minibatch."""
        if isinstance(part, slice):
            return self
        return self._each(lambda x: x[part])

    def of_agent(self, here: slice) -> "ActionAdvantages":
        """Those of some of the agents."""
        return self._each(lambda x: x[:, here])

    def _each(self, of: Callable[[Tensor], Tensor]) -> "ActionAdvantages":
        def found(x: Tensor | None) -> Tensor | None:
            return None if x is None else of(x)

        return replace(
            self,
            own_weights=of(self.own_weights),
            own_advantages=of(self.own_advantages),
            peer_weights=found(self.peer_weights),
            peer_advantages=found(self.peer_advantages),
            sizes=of(self.sizes),
            own_actions=found(self.own_actions),
            peer_actions=found(self.peer_actions),
        )

    def of_own_actions(self) -> "ActionAdvantages":
        """Those of an agent's own decisions alone."""
        return replace(self, peer_weights=None, peer_advantages=None, peer_actions=None)

    def peer_gains(self, old_policies: Float[Tensor, "B N M A"]) -> Float[Tensor, "B N M A"]:
        """w(a) Â_i(a) / π^jj_old(a): by how much π^ij(a) raises E[ξ_ij Â_i]."""
        assert self.peer_weights is not None
        assert self.peer_advantages is not None
        return self._gains(self.peer_weights, self.peer_advantages, old_policies)

    def own_gains(self, old_log_probs: Float[Tensor, "B N A"]) -> Float[Tensor, "B N A"]:
        """w(a) Â_i(a) / π^ii_old(a): by how much π^ii(a) raises E[ξ_i Â_i]."""
        return self._gains(self.own_weights, self.own_advantages, old_log_probs)

    def _gains(
        self,
        weights: Float[Tensor, "*batch A"],
        advantages: Float[Tensor, "*batch A"],
        old: Float[Tensor, "*batch A"],
    ) -> Float[Tensor, "*batch A"]:
        if not self.sampled:  # w is π_old
            return advantages
        return weights / old.exp().clamp_min(LEAST_CHANCE) * advantages

    def own_view(
        self, decisions: Decisions, policies: Float[Tensor, "B N P"], old_policy: OldPolicy
    ) -> OwnView:
        """π_old is the policy that acted, or, read literally, the policy before this very step."""
        literal = old_policy == "literal"
        old = policies.detach() if literal else decisions.old_log_probs
        family, actions = self.family, self.own_actions
        return OwnView(
            log_probs=family.at_actions(policies, actions),
            old_log_probs=family.at_actions(old, actions),
            weights=self.own_weights,
            advantages=self.own_advantages,
            valid=decisions.valid.to(policies.dtype),
            policies=None if actions is None else policies,
            actions=actions,
        )

    def peer_view(
        self,
        suggestions: Float[Tensor, "B N M P"],
        policies: Float[Tensor, "B N M P"],
        old_policies: Float[Tensor, "B N M P"],
        valid: Bool[Tensor, "B N M"],
    ) -> PeerView:
        """Everybody's suggestions for its neighbours beside the `policies` that those shared."""
        assert self.peer_weights is not None
        assert self.peer_advantages is not None
        family, actions = self.family, self.peer_actions
        return PeerView(
            suggestions=family.at_actions(suggestions, actions),
            policies=family.at_actions(policies, actions),
            old_policies=family.at_actions(old_policies, actions),
            weights=self.peer_weights,
            advantages=self.peer_advantages,
            valid=valid.to(suggestions.dtype),
            suggested=None if actions is None else suggestions,
            shared=None if actions is None else policies,
        )


def sampled_advantages(
    learner: Learner, rollout: Rollout, rewards: Float[Tensor, "T E N"]
) -> tuple[Float[Tensor, "T E N"], Float[Tensor, "T E N"]]:
    """Â_i (Eq. 17) and the value targets (Eq. 18) of `rewards` under the learner's critics."""
    config = learner.config
    with torch.no_grad():
        values, following = (  # a single, centralised critic speaks for everybody
            learner.critics.values(flatten(seen)).unflatten(0, rewards.shape[:2]).expand_as(rewards)
            for seen in critic_inputs(
                rollout, sees_time=config.critic_sees_time, one_view=learner.one_view
            )
        )
    ends = (rollout.terminated, rollout.truncated)
    advantages = generalized_advantages(
        rewards, values, following, *ends, gamma=config.gamma, gae_lambda=config.gae_lambda
    )
    return advantages, discounted_returns(rewards, following, *ends, gamma=config.gamma)


def scaled_advantages(
    learner: Learner,
    advantages: Float[Tensor, "T E N"],
    decisions: Decisions,
    channel: Channel | None = None,
    update: int = 0,
) -> Float[Tensor, "T E N"]:
    """`centred`: less the agent's own mean; the others also in units of something.

    `unit`: of a constant that all know. `per_agent`: of the agent's own largest spread so far.
    `common`: of the largest mean of all agents' spreads so far, a sum that they make over the
    `channel`; who has none goes by its own. With all but `per_agent`, one unit of reward is the
    same for all, so that the sum of gains is the collective return (docs/theory.md).
    """
    kind = learner.config.advantage_scale
    if kind == "none":
        return advantages
    own, valid = at_rows(flatten(advantages), decisions.rows), decisions.valid
    count = valid.sum(dim=0).clamp_min(1)
    mean = (own * valid).sum(dim=0) / count
    if kind == "centred":
        return advantages - mean
    if kind == "unit":
        return (advantages - mean) / learner.config.advantage_unit
    spread = (((own - mean).square() * valid).sum(dim=0) / count).sqrt()
    if kind == "common" and channel is not None and channel.open:
        if channel.exchanges_at(update):
            spread = common_scale(spread, channel, update)
        elif bool(learner.advantage_std.any()):  # in a gap: what was known before
            spread = learner.advantage_std
    learner.advantage_std = torch.maximum(learner.advantage_std, spread)
    return (advantages - mean) / learner.advantage_std.clamp_min(1e-8)


def common_scale(scales: Float[Tensor, " N"], channel: Channel, update: int) -> Float[Tensor, " N"]:
    """The mean of all agents' scales, as each knows it: a sum around a masked ring."""
    total = channel.total("scale_total", scales.unsqueeze(1), update)
    return (total / len(scales)).to(scales.dtype).expand_as(scales).clone()


def less_own_action(
    learner: Learner, rollout: Rollout, advantages: Float[Tensor, "T E N"], update: int
) -> Float[Tensor, "T E N"]:
    """Â_i less what agent i expects of it from its own action: what is left is others' doing.

    The expectation is a private regression that learns after it was asked. A baseline that does not
    depend on a neighbour's action leaves the expected gradient of a suggestion as it is.
    """
    model = learner.models.get("own_model")
    if model is None:
        return advantages
    seen = with_own_action(flatten(rollout.observations), flatten(rollout.actions), learner.spec)
    with torch.no_grad():
        expected = model.bank.values(seen).unflatten(0, advantages.shape[:2])
    regress(learner, model, seen, flatten(advantages), update)
    return advantages - expected


def from_samples(
    advantages: Float[Tensor, "T E N"],
    decisions: Decisions,
    links: Neighbourhood | None,
    family: ActionFamily,
    *,
    of_peers: Float[Tensor, "T E N"] | None = None,
) -> ActionAdvantages:
    """Weights are one-hot at the action taken; every action carries Â_i of the decision.

    `of_peers` are an agent's advantages of its neighbours' decisions, if others.
    """
    flat = flatten(advantages)
    taken = family.looked_at(decisions.actions).to(flat.dtype)
    own = at_rows(flat, decisions.rows)
    peer_weights = peer_advantages = peer_actions = None
    if links is not None:
        peer_weights = taken[:, links.receivers.reshape(-1)].unflatten(1, links.receivers.shape)
        theirs = flat if of_peers is None else flatten(of_peers)
        at_peers = at_peer_rows(theirs, decisions.rows, links.receivers)
        peer_advantages = at_peers.unsqueeze(-1).expand(peer_weights.shape)
        if not family.finite:
            peer_actions = at_neighbours(decisions.actions, links.receivers)
    return ActionAdvantages(
        own_weights=taken,
        own_advantages=own.unsqueeze(-1).expand(taken.shape),
        peer_weights=peer_weights,
        peer_advantages=peer_advantages,
        sizes=own.abs(),
        sampled=True,
        family=family,
        own_actions=None if family.finite else decisions.actions,
        peer_actions=peer_actions,
    )


def from_counterfactuals(
    table: Counterfactuals, decisions: Decisions, links: Neighbourhood | None
) -> ActionAdvantages:
    """Weights are π_old; advantages are relative to its expectation."""
    behaviour = decisions.old_log_probs.exp()
    own = _centred(at_rows(flatten(table.own), decisions.rows), behaviour)
    peer_weights = peer_advantages = None
    if links is not None:
        peer_weights = behaviour[:, links.receivers.reshape(-1)].unflatten(1, links.receivers.shape)
        at_peers = at_peer_rows(flatten(table.peers), decisions.rows, links.receivers)
        peer_advantages = _centred(at_peers, peer_weights)
    return ActionAdvantages(
        own_weights=behaviour,
        own_advantages=own,
        peer_weights=peer_weights,
        peer_advantages=peer_advantages,
        sizes=(behaviour * own.abs()).sum(dim=-1),
        sampled=False,
    )


def _centred(
    values: Float[Tensor, "*batch A"], weights: Float[Tensor, "*batch A"]
) -> Float[Tensor, "*batch A"]:
    return values - (weights * values).sum(dim=-1, keepdim=True)
