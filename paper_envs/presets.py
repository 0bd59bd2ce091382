"""Hyper-parameters of every task: the published ones, literally, and ours.

`paper` is Tables 1 and 2 and Algorithm 1 as printed: N² networks, one episode per update, π_old
reset at every pass, agents in turn. `tuned` is what reached the optimum of Predation and learns the
other tasks within minutes. Both give every algorithm networks of one size, the same data and steps.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from paper_envs.preset_names import PresetName
from paper_envs.tasks import task_named
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import EQUAL_COSTS, REGIMES, paper_learner

FULL_SIZE = ("cleanup", "harvest")  # worlds with sparse rows

Change = Callable[[LearnerConfig], LearnerConfig]
COSTLY = ("predation", "navigation")  # tasks in which no reward is above 0


def learner_config(
    task: str,
    num_agents: int,
    preset: PresetName,
    algorithm: str,
    variant: str = "",
    *,
    num_updates: int,
) -> LearnerConfig:
    """The learner of one condition of the benchmark.

    Raises:
        ConfigError: no such task or variant.
    """
    config = _published(task) if preset == "paper" else _tuned(task, algorithm)
    config = replace(
        config,
        algorithm=algorithm,
        num_updates=num_updates,
        imr_bonus=_moral_bonus(task, num_agents, preset),
    )
    if task in COSTLY:
        config = replace(config, svo_angle=EQUAL_COSTS)
    return variant_named(variant)(config) if variant else config


def _moral_bonus(task: str, num_agents: int, preset: PresetName) -> float:
    """IMR's bonus: Tennant et al.'s 5, or enough to make cooperating dominate."""
    if preset == "paper":
        return 5.0
    return 2.0 * num_agents + 1.0 if task == "predation" else 0.3


def env_options(task: str, preset: PresetName) -> Mapping[str, str]:
    """Further arguments of the environment: under `paper` the state is shown as published."""
    published = {"predation": {"encoding": "state"}, "navigation": {"encoding": "places"}}
    ours = {name: {"encoding": "egocentric"} for name in FULL_SIZE}
    return MappingProxyType((published if preset == "paper" else ours).get(task, {}))


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


def _tuned(task: str, algorithm: str) -> LearnerConfig:
    """Ours; chosen on seeds 0 to 4, and what is not about suggestions is alike for everybody."""
    common = LearnerConfig(
        algorithm=algorithm,
        architecture="multihead" if algorithm == "ps" else "tilted",
        hidden=(32, 32),
        critic_hidden=(32, 32),
        critic_sees_time=True,
        zero_logits=True,
        num_envs=16,
        actor_lr=2e-3,
        suggestion_lr=1e-2,
        critic_lr=3e-3,
        advantage_scale="per_agent",
        suggestion_baseline=True,
    )
    if task == "cleanup":
        careful = replace(_in_one_unit(common), num_envs=32, suggestion_hidden=(64, 64))
        return replace(careful, objective=replace(careful.objective, ent_coef=0.01))
    if task == "harvest":  # what is spared now is eaten much later
        collective = replace(_in_one_unit(common), gamma=1.0)
        weights = replace(collective.objective, rho=2.0, rho_follow=4.0)
        return replace(collective, objective=weights)
    if task == "predation":  # deceptive: suggestions go to a corner and are obeyed
        obeyed = replace(REGIMES["norm"], rho_follow=4.0)
        slowly = replace(common, actor_lr=1e-3, final_lr_fraction=0.1)  # until suggestions say much
        return replace(slowly, gae_lambda=0.0, objective=obeyed, kappa="max")
    if task == "navigation":  # hardly a conflict: stay close to the own gain
        lightly = replace(REGIMES["gradient"], rho=0.1, rho_follow=0.1)
        return replace(
            common, gae_lambda=0.95, actor_lr=5e-3, final_lr_fraction=0.0, objective=lightly
        )
    if task == "cleanup-small":
        small = replace(_in_one_unit(common), num_envs=32, gae_lambda=0.98)
        return replace(small, objective=replace(small.objective, ent_coef=0.01))
    collective = replace(REGIMES["gradient"], rho=1.0, rho_follow=3.0, ent_coef=0.005)
    return replace(  # small Harvest: who spares an apple spares it for all the time left
        common,
        hidden=(64, 64),
        suggestion_hidden=(64,),
        critic_hidden=(64, 64),
        gae_lambda=0.98,
        final_lr_fraction=0.0,
        objective=collective,
    )


def _in_one_unit(common: LearnerConfig) -> LearnerConfig:
    """One unit of advantages for all, suggestions sent once an update, steps on minibatches."""
    collective = replace(REGIMES["gradient"], rho=0.5, rho_follow=0.5, ent_coef=0.005)
    return replace(
        common,
        architecture="multihead" if common.architecture == "multihead" else "shared",
        hidden=(64, 64),
        suggestion_hidden=(32, 32),
        critic_hidden=(64, 64),
        zero_values=True,
        num_minibatches=4,
        actor_lr=1e-3,
        suggestion_lr=3e-3,
        critic_lr=2e-3,
        final_lr_fraction=0.0,
        gae_lambda=0.95,
        advantage_scale="unit",
        kappa="one",
        suggestion_baseline=False,
        objective=collective,
        exchange=replace(common.exchange, per_update="once"),
    )


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
    "no-baseline": _settings(suggestion_baseline=False),
    "slow-suggestions": _settings(suggestion_lr=1e-3),  # Predation's rate of policies
    "lambda-0.98": _settings(gae_lambda=0.98),
    "timeless-critic": _settings(critic_sees_time=False),
}

ABLATIONS: tuple[str, ...] = (
    "product",
    "l2-follow",
    "no-indicators",
    "no-baseline",
    "equal-rho",
    "mean-kappa",
    "lambda-0.98",
    "timeless-critic",
    "follow-only",
    "anchor-only",
    "slow-suggestions",
)

# training episodes of a run, by task and number of agents (0: any), preset, profile; `literal` has
# the published ones, which stand in `tasks.py`
_EPISODES: dict[tuple[str, int, PresetName], dict[str, int]] = {
    ("predation", 0, "paper"): {"smoke": 2},
    ("predation", 2, "tuned"): {"smoke": 32, "quick": 3_200, "full": 4_800},
    ("predation", 12, "tuned"): {"quick": 16_000, "full": 16_000},
    ("predation", 0, "tuned"): {"smoke": 32, "quick": 8_000, "full": 9_600},
    ("navigation", 0, "paper"): {"smoke": 1},
    ("navigation", 0, "tuned"): {"smoke": 32, "quick": 2_560, "full": 2_560},
    ("cleanup", 0, "tuned"): {"quick": 22_400, "full": 22_400},
    ("cleanup", 8, "tuned"): {"full": 6_400},  # twice the agents: as many steps to learn from
    ("cleanup", 16, "tuned"): {"full": 4_800},
    ("harvest", 0, "tuned"): {"quick": 9_600, "full": 9_600},
    ("harvest", 8, "tuned"): {"full": 4_000},
    ("harvest", 16, "tuned"): {"full": 3_840},
    ("cleanup-small", 0, "paper"): {"smoke": 1},
    ("cleanup-small", 0, "tuned"): {"smoke": 32},
}


def episodes(task: str, num_agents: int, preset: PresetName, profile: str) -> int:
    """How many episodes a run of the benchmark trains on.

    Raises:
        ConfigError: the profile does not have the task.
    """
    published = task_named(task).published_episodes
    if profile == "literal" and preset == "paper" and published is not None:
        return published
    by_profile = _EPISODES.get((task, num_agents, preset)) or _EPISODES.get((task, 0, preset), {})
    if profile not in by_profile:
        have = ", ".join(by_profile) or "none"
        raise ConfigError(
            f"the profile {profile!r} has no {task} under the preset {preset}; those that have "
            f"it: {have}"
        )
    return by_profile[profile]
