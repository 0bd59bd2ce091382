"""The settings of a run of traffic lights: one dataclass, its presets, how requests change it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ss_core.errors import ConfigError
from ss_core.exchange.channel import ExchangeConfig
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import paper_learner, refuse_idle_neighbours
from ss_core.objective.objective import ObjectiveWeights
from ss_core.record.atomic import sha256_of
from ss_core.scenario.config import (
    COMMON_SHORTHANDS,
    Check,
    RunConfig,
    cooperation_check,
    count_checks,
    needs_copies,
    override,
    with_regime,
)
from trafficsim.nets.catalogue import net_named
from trafficsim.signals.demand import drawn_demand
from trafficsim.signals.request import checked_scene
from trafficsim.signals.scene import SignalScene

PRESETS = ("tuned", "paper")
SHORTHANDS = COMMON_SHORTHANDS | {
    "net": "scene.net",
    "routes": "scene.routes",
    "trips": "scene.routes",
    "seconds": "scene.seconds",
    "reward": "scene.reward",
}
INSTEAD_OF_NUM_NEIGHBOURS = (
    "graph means the lights next along the roads, all means all lights; "
    "learner.exchange.protocol=random draws that many"
)
FIXED = ("net_sha256", "routes_sha256")  # follow from the files


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalsConfig(RunConfig):
    """Everything a run's outcome depends on."""

    scenario: str = ""  # a net inside sumo-rl, or
    scene: SignalScene = field(default_factory=SignalScene)  # its `net` and `routes`
    net_sha256: str = ""  # other files are another run
    routes_sha256: str = ""
    headway_s: float = 2.0  # between departures, where demand is drawn
    episodes: int = 10  # held-out episodes that every row is scored on
    evaluations: int = 4
    evaluation_episodes: int = 2  # of each point of the learning curve
    learner: LearnerConfig = field(default_factory=lambda: tuned_learner())

    def checks(self) -> Iterator[Check]:
        """Checks of the lights' own fields."""
        yield from count_checks(self, "episodes", "evaluation_episodes")
        headway_s = self.headway_s
        yield 0.1 <= headway_s <= 3600.0, f"headway_s={headway_s}: between 0.1 and 3600"
        yield from cooperation_check(self, "traffic light")


def tuned_learner() -> LearnerConfig:
    """Ours for traffic lights: suggestions from light to next light, in the gradient regime."""
    return LearnerConfig(
        architecture="tilted",
        hidden=(64, 64),
        critic_hidden=(64, 64),
        zero_logits=True,
        num_envs=4,
        num_updates=40,
        num_epochs=6,
        actor_lr=1e-2,
        suggestion_lr=1e-2,
        critic_lr=1e-2,
        final_lr_fraction=0.0,
        gamma=0.9,
        gae_lambda=0.9,
        advantage_scale="per_agent",
        suggestion_baseline=True,
        objective=ObjectiveWeights(rho=1.0, rho_follow=1.0, surrogate="additive", indicators=False),
        exchange=ExchangeConfig(protocol="graph"),
    )


def preset_config(preset: str) -> SignalsConfig:
    """The named starting point.

    Raises:
        ConfigError: no preset of that name.
    """
    if preset == "tuned":
        return SignalsConfig()
    if preset == "paper":
        return SignalsConfig(learner=paper_learner())
    raise ConfigError(f"preset={preset!r}: choose {' or '.join(PRESETS)}")


def resolve(preset: str, overrides: Mapping[str, Any]) -> SignalsConfig:
    """Preset, regime, what the named net brings, then every override; the files' checksums last.

    Raises:
        ConfigError, InputError: unknown names, values that do not fit, files that are not usable.
    """
    config, values = preset_config(preset), dict(overrides)
    for key in FIXED:
        if key in values:
            raise ConfigError(f"--set {key}: follows from the files")
    if "routes" in values and "trips" in values:
        raise ConfigError("routes and trips: give one demand, not both")
    scenario = values.get("scenario", "")
    if scenario:
        named = net_named(str(scenario))
        scene = replace(config.scene, begin_s=named.begin_s, seconds=named.seconds)
        config = replace(config, scene=scene)
    if needs_copies(values.get("algorithm", values.get("learner.algorithm"))):
        values.setdefault("learner.architecture", "multihead")
    config = override(with_regime(config, values.pop("regime", None)), values, SHORTHANDS)
    refuse_idle_neighbours(config.learner.exchange, values, INSTEAD_OF_NUM_NEIGHBOURS)
    return with_checksums(config)


def with_checksums(config: SignalsConfig) -> SignalsConfig:
    """The settings with what the files hold now.

    Raises:
        ConfigError, InputError: the files are not usable.
    """
    located = checked_scene(config.scenario, config.scene)
    if located.routes:
        routes_sha256 = sha256_of(Path(located.routes))
    else:
        drawn = drawn_demand(located, config.headway_s, config.seed)
        routes_sha256 = sha256(drawn.encode()).hexdigest()
    net_sha256 = sha256_of(Path(located.net))
    return replace(config, net_sha256=net_sha256, routes_sha256=routes_sha256)
