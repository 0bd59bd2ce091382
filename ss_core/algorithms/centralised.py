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
from ss_core.learning.action_advantages import from_counterfactuals, sampled_advantages
from ss_core.learning.decisions import Decisions, at_peer_rows, decisions_of
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Rollout, flatten
from ss_core.learning.update import improve_alone, learn_alone


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update on the collective objective."""
    if learner.config.counterfactuals and isinstance(env, CounterfactualEnv):
        decisions = decisions_of(rollout, learner.spec)
        table = _summed_alternatives(learner, env, decisions, channel, update)
        advantages = from_counterfactuals(table, decisions, None)
        return improve_alone(learner, decisions, advantages, update)
    team = _summed_rewards(rollout, channel, update)
    if not learner.spec.full_view:
        _show_observations(rollout, channel, update)
    return learn_alone(learner, rollout, *sampled_advantages(learner, rollout, team), update)


def _summed_rewards(rollout: Rollout, channel: Channel, update: int) -> Float[Tensor, "T E N"]:
    links = all_to_all(rollout.rewards.shape[-1]).to(rollout.rewards.device)
    payload = flatten(rollout.rewards).unsqueeze(-1)
    valid = links.at_every_row(len(payload))
    sent = channel.share("reward", payload, links, valid, update)
    team = payload.squeeze(-1) + sent.sum(dim=(2, 3))
    return team.unflatten(0, rollout.rewards.shape[:2])


def _show_observations(rollout: Rollout, channel: Channel, update: int) -> None:
    """The one critic looks at what everybody sees: count that it went from each to all others."""
    size, count = rollout.observations.shape[-1], rollout.rewards.shape[:2].numel()
    links = all_to_all(rollout.rewards.shape[-1]).to(rollout.rewards.device)
    channel.announce("observation", size, links, links.at_every_row(count), update)


def _summed_alternatives(
    learner: Learner, env: CounterfactualEnv, decisions: Decisions, channel: Channel, update: int
) -> Counterfactuals:
    """Every agent tells every other what that one's alternatives would have brought it."""
    links = all_to_all(learner.spec.num_agents).to(decisions.rows.device)
    table = env.counterfactual_rewards(links.receivers)
    valid = decisions.valid[:, links.receivers.reshape(-1)].unflatten(1, links.receivers.shape)
    sent = at_peer_rows(flatten(table.peers), decisions.rows, links.receivers)
    received, received_valid = channel.send("reward", sent, links, valid, update)
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
    in_paper=True,
    exchanges=("reward", "observation"),
    judges_counterfactuals=True,
    single_critic=True,
    learn=learn,
)
