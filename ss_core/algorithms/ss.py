"""Suggestion sharing (SS): agents exchange action distributions and suggestions, nothing else.

`simultaneous_passes` is the inner loop of Algorithm 1, one line of the paper after the other.
"""

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
    common_scale,
    from_counterfactuals,
    from_samples,
    less_own_action,
    sampled_advantages,
    scaled_advantages,
)
from ss_core.learning.communication import (
    CommunicationRound,
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
from ss_core.learning.minibatches import minibatches
from ss_core.learning.mirror import mirror_update
from ss_core.learning.rollout import Rollout
from ss_core.learning.sequential import sequential_passes
from ss_core.learning.update import improve_alone, links_at, step_metrics
from ss_core.objective.advantages import kappa
from ss_core.objective.objective import anchor_penalty, objective, suggestion_surrogate
from ss_core.policies.critics import build_critics
from ss_core.policies.optimiser import init_adam


def learn(
    learner: Learner, rollout: Rollout, env: VectorEnv, channel: Channel, update: int
) -> dict[str, float]:
    """One update, from what agent i stored in D_i; in a gap of the exchange all learn alone."""
    decisions = decisions_of(rollout, learner.spec)
    links = links_at(channel, rollout, update)  # N_i
    advantages, targets = action_advantages(
        learner, rollout, env, decisions, links, channel, update
    )
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
    if config.kappa == "common":
        learner.kappa = common_scale(learner.kappa, channel, update)
    opened = open_round(learner, decisions, channel, links, update)
    if config.objective.anchor == "kl":
        return mirror_update(learner, decisions, advantages, opened)
    if config.exchange.per_update == "once":
        return passes_after_one_exchange(learner, decisions, advantages, opened)
    passes = sequential_passes if config.agent_order == "sequential" else simultaneous_passes
    return passes(learner, decisions, advantages, opened)


def simultaneous_passes(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    opened: CommunicationRound,
) -> dict[str, float]:
    """The inner loop of Algorithm 1, for all agents i at once; metrics of the last step."""
    config, update, literal = learner.config, opened.update, learner.config.old_policy == "literal"
    acted = last = None  # the policies that acted, as neighbours know them
    if config.num_minibatches > 1 and not literal:
        acted = share(opened, decisions.old_log_probs, opened.valid)
    for part in minibatches(learner, len(decisions.rows), update, "policies"):  # to K do
        some, theirs = decisions.at(part), advantages.at(part)
        here = opened.at(learner, part, some)
        # share action distributions π^jj with neighbours
        own, suggestions = own_policies(learner, some, here)
        policies = share(here, own, here.valid)
        # share action suggestions π^ij with neighbours, and receive π^ji
        if suggestions is None:
            suggestions = suggest(learner, some, theirs, here, policies)
        messages = send(here, own, policies, suggestions)
        opened = weigh(learner, messages, opened) if last is None else opened
        # update π̃^i using Eq. 16
        acted = policies if acted is None or literal else acted
        old = policies if literal else acted[part]
        mine = theirs.own_view(some, own, config.old_policy)
        step = objective(
            mine,
            theirs.peer_view(suggestions, policies, old, here.valid),
            messages.view(opened.weight),
            config.objective,
            learner.kappa,
            num_steps=some.num_steps,
            follow_scale=opened.follow_scale,
            family=learner.family,
        )
        learner.ascend(step.gain, update)
        last = (mine, step, messages, some, here)
    assert last is not None  # K is at least 1
    mine, step, messages, some, here = last
    learner.last_round = last_round(here, messages, some)
    return step_metrics(mine, step, some) | agreement(messages, some, learner.family)


def passes_after_one_exchange(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    opened: CommunicationRound,
) -> dict[str, float]:
    """Algorithm 1 with one exchange before its inner loop, about the policies that acted.

    Suggestions learn first, by their part of Eq. 16, and are sent once; then every agent's policy
    takes K passes on its own part, with what it received as a fixed target.
    """
    config, update = learner.config, opened.update
    policies = share(opened, decisions.old_log_probs, opened.valid)
    anchored = learn_to_suggest(learner, decisions, advantages, opened, policies)
    with torch.no_grad():
        suggestions = suggest(learner, decisions, advantages, opened, policies)
    messages = send(opened, decisions.old_log_probs, policies, suggestions)
    opened, alone, last = weigh(learner, messages, opened), advantages.of_own_actions(), None
    for part in minibatches(learner, len(decisions.rows), update, "policies"):
        some = decisions.at(part)
        own = learner.actors.own(some.observations, some.action_mask)
        mine = alone.at(part).own_view(some, own, config.old_policy)
        step = objective(
            mine,
            None,
            messages.view(opened.weight, part),
            config.objective,
            learner.kappa,
            num_steps=some.num_steps,
            follow_scale=opened.follow_scale,
            family=learner.family,
        )
        learner.ascend(step.gain, update)
        last = (mine, step, some)
    assert last is not None  # K is at least 1
    learner.last_round = last_round(opened, messages, decisions)
    return step_metrics(*last) | anchored | agreement(messages, decisions, learner.family)


def learn_to_suggest(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    opened: CommunicationRound,
    policies: Float[Tensor, "B N M A"],
) -> dict[str, float]:
    """K passes of the suggestion networks on Σ_j E[ξ_ij Â_i] - κ_i ρ d(π^ij, π^jj)."""
    config, anchored = learner.config, {}
    if config.suggestions == "best":  # in closed form: nothing to learn
        return anchored
    for part in minibatches(learner, len(decisions.rows), opened.update, "suggestions"):
        some, shared = decisions.at(part), policies[part]
        here = opened.at(learner, part, some)
        suggestions = learner.actors.suggest(
            some.observations, shared, some.action_mask, here.peers
        )
        peers = advantages.at(part).peer_view(suggestions, shared, shared, here.valid)
        penalty = anchor_penalty(peers, config.objective, learner.family)
        surrogate = suggestion_surrogate(peers, config.objective.clip_eps, learner.family)
        gain = (surrogate * peers.valid).sum(dim=(0, 2))
        gain = (gain - learner.kappa * penalty.sum(dim=(0, 2))) / some.num_steps
        learner.ascend_suggestions(gain, opened.update)
        mean = penalty.detach().sum() / peers.valid.sum().clamp_min(1)
        anchored = {"anchor_penalty": float(mean)}
    return anchored


def action_advantages(
    learner: Learner,
    rollout: Rollout,
    env: VectorEnv,
    decisions: Decisions,
    links: Neighbourhood | None,
    channel: Channel,
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
    scaled = scaled_advantages(learner, advantages, decisions, channel, update)
    of_peers = scaled if links is None else less_own_action(learner, rollout, scaled, update)
    found = from_samples(scaled, decisions, links, learner.family, of_peers=of_peers)
    return found, targets


def prepare(learner: Learner, generator: torch.Generator) -> None:
    """The private models that the settings ask for."""
    config, spec, device = learner.config, learner.spec, learner.generator.device
    if config.suggestion_baseline:  # Â_i(s, a_i): sees an observation and the own action
        seen = spec.with_inputs(learner.family.inputs)
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
    exchanges=("announcement", "own_policy", "suggestion", "scale_total"),
    judges_counterfactuals=True,
    beside_liars=True,
    learn=learn,
    prepare=prepare,
)
