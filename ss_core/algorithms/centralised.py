"""Centralised learning (CL): own policies, advantages of the sum of all rewards.

Everybody's rewards go to everybody, through the `Channel`, and their observations where not all see
everything: the upper end to compare with, and what suggestion sharing spares its users.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.algorithms.algorithm import Algorithm
from ss_core.env import CounterfactualEnv, Counterfactuals, VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.exchange.neighbourhood import all_to_all
from ss_core.learning.action_advantages import judge_alternatives
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Decisions, Rollout, at_peer_rows, decisions_of, flatten
from ss_core.learning.update import learn_from_samples, update_actors


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update on the collective objective."""
    decisions = decisions_of(rollout, learner.spec)
    if learner.config.counterfactuals and isinstance(env, CounterfactualEnv):
        own = _summed_alternatives(learner, env, decisions, channel, update)
        judgement = judge_alternatives(own, decisions, None)
        return update_actors(learner, decisions, judgement, channel, None, update)
    team = _summed_rewards(rollout, channel, update)
    if not learner.spec.full_view:
        _show_observations(rollout, channel, update)
    return learn_from_samples(
        learner, rollout, decisions, team, channel=channel, where=None, update=update
    )


def _summed_rewards(rollout: Rollout, channel: Channel, update: int) -> Float[Tensor, "T E N"]:
    where = all_to_all(rollout.rewards.shape[-1]).to(rollout.rewards.device)
    payload = flatten(rollout.rewards).unsqueeze(-1)
    valid = where.at_every_row(len(payload))
    told = channel.share_with_suggesters("reward", payload, where, valid, update)
    team = payload.squeeze(-1) + told.sum(dim=(2, 3))
    return team.unflatten(0, rollout.rewards.shape[:2])


def _show_observations(rollout: Rollout, channel: Channel, update: int) -> None:
    """The one critic looks at what everybody sees: count that it went from each to all others."""
    size, count = rollout.observations.shape[-1], rollout.rewards.shape[:2].numel()
    where = all_to_all(rollout.rewards.shape[-1]).to(rollout.rewards.device)
    channel.announce("observation", size, where, where.at_every_row(count), update)


def _summed_alternatives(
    learner: Learner, env: CounterfactualEnv, decisions: Decisions, channel: Channel, update: int
) -> Counterfactuals:
    """Every agent tells every other what that one's alternatives would have brought it."""
    where = all_to_all(learner.spec.num_agents).to(decisions.rows.device)
    table = env.counterfactual_rewards(where.receivers)
    valid = decisions.valid[:, where.receivers.reshape(-1)].unflatten(1, where.receivers.shape)
    told = at_peer_rows(flatten(table.peers), decisions.rows, where.receivers)
    received, received_valid = channel.send_suggestions("reward", told, where, valid, update)
    others = (received * received_valid.unsqueeze(-1)).sum(dim=2)
    own = flatten(table.own).clone()
    agent = torch.arange(own.shape[1], device=own.device)[None, :].expand_as(decisions.rows)
    at = (decisions.rows[decisions.valid], agent[decisions.valid])
    own[at] += others[decisions.valid]
    return Counterfactuals(
        own=own.unflatten(0, table.own.shape[:2]), peers=table.peers[:, :, :, :0]
    )


ALGORITHM = Algorithm(
    name="centralised",
    title="centralised, learned",
    short_title="CL",
    role="ours",
    description="centralised learning on the sum of rewards",
    crosses="every reward crosses",
    reference="Schulman et al. (2017), on the sum of rewards",
    rank=3,
    exchanges=("reward", "observation"),
    judges_counterfactuals=True,
    single_critic=True,
    learn=learn,
)
