"""Hyper-parameters of every task: the published ones, literally, and ours.

`paper` is Tables 1 and 2 and Algorithm 1 as printed: N² networks, one episode per update, π_old
reset at every pass, agents in turn. `tuned` is what reached the optimum of Predation and learns the
other tasks within minutes. Both give every algorithm the same networks, data and steps.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from paper_envs.bench.results import PresetName
from paper_envs.tasks import task_named
from ss_core.errors import ConfigError
from ss_core.learner import AlgorithmName, LearnerConfig
from ss_core.presets import REGIMES, paper_learner

Change = Callable[[LearnerConfig], LearnerConfig]


def learner_config(
    task: str,
    num_agents: int,
    preset: PresetName,
    algorithm: AlgorithmName,
    variant: str = "",
    *,
    num_updates: int,
) -> LearnerConfig:
    """The learner of one condition of the benchmark.

    Raises:
        ConfigError: no such task or variant.
    """
    config = _published(task) if preset == "paper" else _tuned(task)
    config = replace(config, algorithm=algorithm, num_updates=num_updates)
    return variant_named(variant)(config) if variant else config


def env_options(task: str, preset: PresetName) -> Mapping[str, str]:
    """Further arguments of the environment: under `paper` the state is shown as published."""
    published = {"predation": {"encoding": "state"}, "navigation": {"encoding": "places"}}
    return MappingProxyType(published.get(task, {}) if preset == "paper" else {})


def _published(task: str) -> LearnerConfig:
    """Tables 1 and 2; a small variant has the figures of the task it comes from."""
    actor_lr, rho, hidden = {
        "cleanup": (1e-5, 1e3, (1024, 256)),
        "harvest": (5e-5, 0.1, (1024, 256)),
        "predation": (1e-4, 0.1, (128, 64)),
        "navigation": (1e-5, 1.0, (128, 64)),
    }[task_named(task).name.removesuffix("-small")]
    config = paper_learner()
    meets_all = task.startswith(("cleanup", "harvest"))  # no neighbourhood is published for these
    return replace(
        config,
        hidden=hidden,
        critic_hidden=hidden,
        actor_lr=actor_lr,
        critic_lr=1e-4,
        objective=replace(config.objective, rho=rho, rho_follow=rho),
        exchange=replace(config.exchange, protocol="all" if meets_all else "graph"),
    )


def _tuned(task: str) -> LearnerConfig:
    common = LearnerConfig(
        architecture="tilted",
        hidden=(32, 32),
        critic_hidden=(64, 64),
        critic_sees_time=True,
        zero_logits=True,
        num_envs=16,
        actor_lr=2e-3,
        suggestion_lr=1e-2,
        critic_lr=3e-3,
        advantage_scale="per_agent",
        suggestion_baseline=True,
        objective=replace(REGIMES["norm"], rho_follow=4.0),
        kappa="max",
    )
    if task == "predation":
        return replace(common, gae_lambda=0.0)
    return common


def variant_named(name: str) -> Change:
    """The change of that name.

    Raises:
        ConfigError: there is none; the nearest name is given.
    """
    if name in VARIANTS:
        return VARIANTS[name]
    near = difflib.get_close_matches(name, VARIANTS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ConfigError(f"no variant {name!r}: {hint}Known: {', '.join(VARIANTS)}")


def _weights(**changes: object) -> Change:
    return lambda config: replace(config, objective=replace(config.objective, **changes))


def _exchange(**changes: object) -> Change:
    return lambda config: replace(config, exchange=replace(config.exchange, **changes))


def _settings(**changes: object) -> Change:
    return lambda config: replace(config, **changes)


VARIANTS: dict[str, Change] = {
    "rho0": _weights(rho=0.0, rho_follow=0.0),  # Fig. 4: no constraints
    "m6": _exchange(protocol="random", num_neighbours=6),  # Fig. 8: random neighbours
    "m4": _exchange(protocol="random", num_neighbours=4),
    "m2": _exchange(protocol="random", num_neighbours=2),
    "every2": _exchange(every=2),  # Fig. 8: every second update
    "radius": _exchange(protocol="graph"),  # the environment's own neighbours
    "complete": _exchange(protocol="all"),
    # one part at a time, back to the paper's choice or off
    "anchor-only": _weights(rho_follow=0.0),
    "follow-only": _weights(rho=0.0),
    "equal-rho": _weights(rho_follow=0.1),
    "product": _weights(surrogate="product"),
    "l2-follow": _weights(follow="l2"),
    "no-indicators": _weights(indicators=False),
    "mean-kappa": _settings(kappa="mean"),
    "raw-advantages": _settings(advantage_scale="none"),
    "lambda-0.98": _settings(gae_lambda=0.98),
    "timeless-critic": _settings(critic_sees_time=False),
    "one-episode": _settings(num_envs=1),
}

ABLATIONS: tuple[str, ...] = (
    "rho0",
    "anchor-only",
    "follow-only",
    "equal-rho",
    "product",
    "l2-follow",
    "no-indicators",
    "mean-kappa",
    "raw-advantages",
    "lambda-0.98",
    "timeless-critic",
)
