"""Suggestion sharing (SS): agents exchange action distributions and suggestions, nothing else.

`simultaneous_passes` is the inner loop of Algorithm 1, one line of the paper after the other.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.algorithms.algorithm import Algorithm
from ss_core.env import CounterfactualEnv, VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.exchange.neighbourhood import Neighbourhood, nobody
from ss_core.exchange.trust import no_trust_yet
from ss_core.learning.action_advantages import (
    ActionAdvantages,
    from_counterfactuals,
    from_samples,
    less_own_action,
    sampled_advantages,
    scaled_advantages,
)
from ss_core.learning.communication import (
    CommunicationRound,
    Messages,
    agreement,
    last_round,
    open_round,
    own_policies,
    send,
    share,
    suggest,
    weigh,
)
from ss_core.learning.credit import build_credit, estimated_alternatives
from ss_core.learning.critics_update import update_critics
from ss_core.learning.decisions import Decisions, decisions_of
from ss_core.learning.learner import Learner, Trained
from ss_core.learning.rollout import Rollout
from ss_core.learning.sequential import sequential_passes
from ss_core.learning.update import improve_alone, links_at, step_metrics
from ss_core.objective.advantages import kappa
from ss_core.objective.objective import Objective, OwnView, objective
from ss_core.policies.critics import build_critics
from ss_core.policies.optimiser import init_adam


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update, from what agent i stored in D_i; in a gap of the exchange all learn alone."""
    decisions = decisions_of(rollout, learner.spec)
    links = links_at(channel, rollout, update)  # N_i
    advantages, targets = action_advantages(learner, rollout, env, decisions, links, update)
    metrics = improve(learner, decisions, advantages, channel, links, update)
    if targets is not None:  # update V_i using Eq. 18
        metrics["critic_loss"] = update_critics(learner, rollout, targets, update)
    return metrics


def improve(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    channel: Channel,
    links: Neighbourhood | None,
    update: int,
) -> dict[str, float]:
    """K passes over the decisions: of each agent alone, of all at once, or one after the other."""
    if links is None:
        return improve_alone(learner, decisions, advantages, update)
    config = learner.config
    learner.kappa = kappa(advantages.sizes, decisions.valid, config.kappa, learner.kappa)
    opened = open_round(learner, decisions, channel, links, update)
    passes = sequential_passes if config.agent_order == "sequential" else simultaneous_passes
    own, step, messages = passes(learner, decisions, advantages, opened)
    learner.last_round = last_round(opened, messages, decisions)
    return step_metrics(own, step, decisions) | agreement(messages, decisions)


def simultaneous_passes(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    opened: CommunicationRound,
) -> tuple[OwnView, Objective, Messages]:
    """The inner loop of Algorithm 1, for all agents i at once; the last step."""
    config, old, last = learner.config, None, None
    for k in range(config.num_epochs):  # for iteration = 1 to K do
        # share action distributions π^jj with neighbours
        own, suggestions = own_policies(learner, decisions, opened)
        policies = share(opened, own, opened.valid)
        # share action suggestions π^ij with neighbours, and receive π^ji
        if suggestions is None:
            suggestions = suggest(learner, decisions, advantages, opened, policies)
        messages = send(opened, own, policies, suggestions)
        opened = opened if k else weigh(learner, messages, opened)
        # update π̃^i using Eq. 16
        old = policies if old is None or config.old_policy == "literal" else old
        mine = advantages.own_view(decisions, own, config.old_policy)
        step = objective(
            mine,
            advantages.peer_view(suggestions, policies, old, opened.valid),
            messages.view(opened.weight),
            config.objective,
            learner.kappa,
            num_steps=decisions.num_steps,
            follow_scale=opened.follow_scale,
        )
        learner.ascend(step.gain, opened.update)
        last = (mine, step, messages)
    assert last is not None  # K is at least 1
    return last


def action_advantages(
    learner: Learner,
    rollout: Rollout,
    env: VectorEnv,
    decisions: Decisions,
    links: Neighbourhood | None,
    update: int,
) -> tuple[ActionAdvantages, Float[Tensor, "T E N"] | None]:
    """Â_i of every action, and the critics' targets: none where the world knows alternatives.

    From the world's own formulas, else from a private model of credit, else from samples (Eq. 17).
    """
    config, spec = learner.config, learner.spec
    if config.counterfactuals and isinstance(env, CounterfactualEnv):
        table = env.counterfactual_rewards(links.receivers if links else learner.no_neighbours)
        return from_counterfactuals(table, decisions, links), None
    advantages, targets = sampled_advantages(learner, rollout, rollout.rewards)
    if learner.credit is not None:
        known = links or nobody(spec.num_agents).to(advantages.device)
        forget, ridge = config.credit_forget, config.credit_ridge
        table = estimated_alternatives(
            learner.credit, spec, rollout, advantages, known, forget=forget, ridge=ridge
        )
        return from_counterfactuals(table, decisions, links), targets
    scaled = scaled_advantages(learner, advantages, decisions)
    of_peers = scaled if links is None else less_own_action(learner, rollout, scaled, update)
    found = from_samples(scaled, decisions, links, spec.num_actions, of_peers=of_peers)
    return found, targets


def prepare(learner: Learner, generator: torch.Generator) -> None:
    """The private models that the settings ask for."""
    config, spec, device = learner.config, learner.spec, learner.generator.device
    if config.suggestion_baseline:  # Â_i(s, a_i): sees an observation and the own action
        seen = replace(spec, observation_size=spec.observation_size + spec.num_actions)
        bank = build_critics(seen, config.critic_hidden, generator, centralised=False)
        learner.models["own_model"] = Trained(bank, init_adam(bank.params, spec.num_agents))
    if config.credit == "model":
        learner.credit = build_credit(spec, device)
    if config.trust:
        learner.trust = no_trust_yet(spec.num_agents, device)


ALGORITHM = Algorithm(
    name="ss",
    title="SS (suggestions only)",
    short_title="SS",
    role="ours",
    description="suggestion sharing",
    crosses="action distributions and suggestions cross",
    reference="Jin, Wei and Montana (2025)",
    rank=1,
    in_paper=True,
    exchanges=("announcement", "own_policy", "suggestion"),
    judges_counterfactuals=True,
    beside_liars=True,
    learn=learn,
    prepare=prepare,
)
