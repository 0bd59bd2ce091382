"""A fresh learner for an algorithm."""

import torch

from ss_core.algorithms.registry import algorithm_named
from ss_core.env import EnvSpec
from ss_core.errors import ConfigError
from ss_core.learning.learner import Learner, LearnerConfig, is_of_suggestions
from ss_core.objective.action_families import family_of
from ss_core.policies.actors import build_actors
from ss_core.policies.critics import build_critics
from ss_core.policies.optimiser import init_adam
from ss_core.random_streams import Stream, torch_generator


def build_learner(
    config: LearnerConfig, spec: EnvSpec, seed: int, device: torch.device | str = "cpu"
) -> Learner:
    """A fresh learner; the same seed gives the same networks and the same exploration.

    Raises:
        ConfigError: the algorithm is not there, or does not fit the settings or the world.
        InputError: the user's own algorithm cannot be loaded.
    """
    algorithm, n = algorithm_named(config.algorithm), spec.num_agents
    try:
        config.check_algorithm(algorithm)
    except ValueError as error:
        raise ConfigError(f"learner: {error}") from error
    if spec.num_features:
        _check_sparse(config, algorithm.suggests)
    if not family_of(spec).finite:
        _check_not_finite(config)
    init = torch_generator(seed, Stream.INITIAL_PARAMETERS, device=device)
    actors = build_actors(
        config.architecture,
        spec,
        config.hidden,
        init,
        suggestion_hidden=config.suggestion_hidden,
        zero_logits=config.zero_logits,
    )
    critics = build_critics(
        spec,
        config.critic_hidden,
        init,
        centralised=algorithm.single_critic,
        sees_time=config.critic_sees_time,
        gamma=config.gamma,
        zero_values=config.zero_values,
    )
    apart = config.exchange.per_update == "once" and config.architecture in ("shared", "tilted")
    of_suggestions = {k: w for k, w in actors.params.items() if apart and is_of_suggestions(k)}
    of_policies = {k: w for k, w in actors.params.items() if k not in of_suggestions}
    learner = Learner(
        config=config,
        facts=algorithm,
        spec=spec,
        actors=actors,
        critics=critics,
        actor_adam=init_adam(of_policies, n),
        critic_adam=init_adam(critics.params, 1 if algorithm.single_critic else n),
        kappa=torch.zeros(n, device=device),
        advantage_std=torch.zeros(n, device=device),
        generator=torch_generator(seed, Stream.TRAINING_ACTIONS, device=device),
        seed=seed,
        suggestion_adam=init_adam(of_suggestions, n) if of_suggestions else None,
    )
    algorithm.prepare(learner, init)
    return learner


def _check_not_finite(config: LearnerConfig) -> None:
    """What is defined by the probability of every action needs actions that are a few."""
    exchange = config.exchange
    for holds, setting, instead in (
        (config.credit == "model", "credit='model'", "credit='samples'"),
        (config.suggestions == "best", "suggestions='best'", "suggestions='networks'"),
        (config.objective.anchor == "kl", "objective.anchor='kl'", "objective.anchor='l2'"),
        (config.architecture == "table", "architecture='table'", "architecture='multihead'"),
        (config.vps_reward_model, "vps_reward_model=true", "vps_reward_model=false"),
        (config.trust, "trust=true", "trust=false"),
        (exchange.noise > 0.0, "exchange.noise", "exchange.noise=0"),
        (exchange.liars > 0.0, "exchange.liars", "exchange.liars=0"),
    ):
        if holds:
            raise ConfigError(
                f"learner.{setting}: is defined by the probability of every action, and here an "
                f"action is several choices at once or real numbers; use learner.{instead}"
            )


def _check_sparse(config: LearnerConfig, suggests: bool) -> None:
    """Agents who step one after the other see their own rows alone, suggestions need receivers'."""
    if suggests and config.agent_order == "sequential" and config.architecture == "shared":
        raise ConfigError(
            "learner.agent_order='sequential': suggestion networks of architecture='shared' look "
            "at what receivers see in this world; use architecture='tilted', or "
            "agent_order='simultaneous'"
        )
