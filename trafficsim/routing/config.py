"""The scenario's configuration: one frozen dataclass, its presets, and how requests change it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ss_core.algorithms.names import ALGORITHM_FACTS
from ss_core.errors import ConfigError
from ss_core.exchange.channel import ExchangeConfig
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import EQUAL_COSTS, paper_learner, refuse_idle_neighbours
from ss_core.objective.objective import ObjectiveWeights
from ss_core.scenario.adoption import MOST_PAIRS
from ss_core.scenario.config import (
    COMMON_SHORTHANDS,
    Check,
    RunConfig,
    cooperation_check,
    count_checks,
    needs_copies,
    on_cpu_check,
    override,
    with_regime,
)
from trafficsim.demand.candidate_routes import CandidateConfig
from trafficsim.demand.generate import GeneratorConfig
from trafficsim.nets.network import CAR
from trafficsim.nets.sumocfg import named_files
from trafficsim.routing.modelled import ModelledConfig
from trafficsim.routing.searches import SearchConfig
from trafficsim.sumo.simulation import SumoConfig

PRESETS = ("tuned", "sampled", "paper")
LIGHTS_LONGEST_S = 600.0  # `sumo.longest_s` where lights learn, too


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingConfig(RunConfig):
    """Everything a run's outcome depends on, the contents of its input files apart."""

    net: str = ""  # a .net.xml file, or the name of a net that comes with sumo-rl
    trips: str = ""  # demand in SUMO's formats: at most one of these three;
    routes: str = ""
    od: str = ""  # none: the .trips.xml file beside the net, else demand is drawn
    taz: str = ""  # zones of `od`, or of trips from zone to zone
    additional: str = ""  # SUMO's additional files, separated by commas
    classes: str = CAR  # vehicle classes that decide, separated by commas
    ignore_route_errors: bool = False  # leave trips out that cannot be driven
    share: float = 1.0  # of the drivers with a choice that take part; others drive as ever
    en_route: bool = False  # decide again at junctions where routes part
    decide_every_s: float = 30.0  # so often, under `en_route`
    signals: bool = False  # the net's traffic lights learn, too
    signals_suggest: bool = False  # and drivers and lights make suggestions for each other
    days: int = 16  # held-out days every policy is scored on
    trial_days: int = 16  # on which it is found out whether coordination helps
    cross_check: bool = False  # also run SUMO's own duaIterate
    evaluation_days: int = 8  # of each point of the learning curve
    neighbours: int = 8  # m: whom a driver suggests to
    link_model: bool = False  # alternatives are judged on a public model of the links
    modelled: ModelledConfig = field(default_factory=ModelledConfig)  # by how much of it
    candidates: CandidateConfig = field(default_factory=CandidateConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    sumo: SumoConfig = field(default_factory=SumoConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    learner: LearnerConfig = field(default_factory=lambda: sampled_learner())

    def checks(self) -> Iterator[Check]:
        """Checks of the routing game's own fields."""
        yield from count_checks(self, "days", "evaluation_days", "neighbours")
        yield (
            2 <= self.trial_days <= MOST_PAIRS,
            f"trial_days={self.trial_days}: between 2 and {MOST_PAIRS}",
        )
        yield 0.0 < self.share <= 1.0, f"share={self.share}: above 0, at most 1"
        every = self.decide_every_s
        yield 1.0 <= every <= 3600.0, f"decide_every_s={every}: between 1 and 3600"
        yield from cooperation_check(self, "driver")
        yield from on_cpu_check(self, "driver")
        yield from self._combinations()

    def _combinations(self) -> Iterator[Check]:
        given = [name for name in ("trips", "routes", "od") if getattr(self, name)]
        yield len(given) <= 1, f"{' and '.join(given)}: give one demand, not several"
        yield not self.taz or bool(given), "taz: zones belong to a demand (--od, --trips, --routes)"
        yield bool(self.classes.strip(" ,")), "classes: name at least one, as in passenger,taxi"
        meso = self.sumo.meso and self.en_route
        yield not meso, "en_route: vehicles of the mesoscopic model cannot be sent another way"
        yield (
            not (self.signals and self.en_route),
            ("signals: beside lights that learn, drivers decide at departure; leave en_route out"),
        )
        yield (
            not (self.signals and self.sumo.meso),
            ("signals: lights look at lanes, which the mesoscopic model has not; leave meso out"),
        )
        others = [name for name in ("en_route", "signals") if getattr(self, name)]
        others += ["meso"] if self.sumo.meso else []
        yield (
            not (self.link_model and others),
            f"link_model: the model knows drivers who decide at departure, under the net's own "
            f"lights, in SUMO's microscopic model; leave {' and '.join(others)} out, or link_model",
        )
        modelled = self.learner.credit == "model"
        plain = self.en_route or self.signals
        described = self.learner.architecture == "shared" and not plain
        fits = described or not modelled or self.learner.algorithm not in ("ss", "independent")
        yield fits, "learner.credit='model' needs architecture='shared', no en_route, no signals"


def modelled_learner() -> LearnerConfig:
    """Ours for route choice: alternatives are known from the link model, steps are mirror steps.

    A driver's policy is a table of its routes, since it decides once a day.
    """
    return LearnerConfig(
        architecture="table",
        critic_hidden=(),
        num_envs=16,
        num_updates=46,
        final_lr_fraction=0.2,
        gamma=1.0,
        gae_lambda=1.0,
        kappa="one",
        counterfactuals=True,
        suggestions="best",
        scale_rho_follow=True,
        svo_angle=EQUAL_COSTS,
        objective=ObjectiveWeights(
            rho=2.5, rho_follow=2.5, surrogate="additive", indicators=False, anchor="kl"
        ),
        exchange=ExchangeConfig(protocol="graph", per_update="once"),
    )


def sampled_learner() -> LearnerConfig:
    """Ours where alternatives are not known: the gradient regime, with private models of credit.

    Suggestions are the best there are for what a driver makes of its neighbours' choices.
    """
    return LearnerConfig(
        architecture="shared",
        hidden=(),
        suggestion_hidden=(),
        critic_hidden=(),
        num_envs=16,
        num_updates=80,
        actor_lr=0.1,
        critic_lr=0.05,
        final_lr_fraction=0.1,
        gamma=1.0,
        gae_lambda=1.0,
        advantage_scale="centred",
        kappa="one",
        credit="model",
        suggestions="best",
        scale_rho_follow=True,
        svo_angle=EQUAL_COSTS,
        objective=ObjectiveWeights(
            rho=10.0, rho_follow=10.0, surrogate="additive", indicators=False
        ),
        exchange=ExchangeConfig(protocol="graph"),
    )


def en_route_learner() -> LearnerConfig:
    """Ours where drivers decide again on their way: networks on sampled days.

    What a choice in mid-journey does to others depends on the hour; so nothing is regressed on who
    chose, and suggestions come from networks that see the hour.
    """
    return replace(
        sampled_learner(),
        num_envs=4,  # SUMO processes side by side
        num_updates=120,
        hidden=(32,),
        suggestion_hidden=(32,),
        critic_hidden=(32,),
        zero_logits=True,
        actor_lr=1e-2,
        suggestion_lr=3e-2,
        critic_lr=1e-2,
        credit="samples",
        suggestions="networks",
    )


def preset_config(preset: str) -> RoutingConfig:
    """The named starting point.

    Raises:
        ConfigError: no preset of that name.
    """
    if preset == "tuned":
        return RoutingConfig(link_model=True, learner=modelled_learner())
    if preset == "sampled":
        return RoutingConfig()
    if preset == "paper":
        learner = replace(paper_learner(), gamma=1.0, svo_angle=EQUAL_COSTS)
        return RoutingConfig(learner=learner)
    raise ConfigError(f"preset={preset!r}: choose {' or '.join(PRESETS)}")


SHORTHANDS = COMMON_SHORTHANDS | {"drivers": "generator.drivers", "meso": "sumo.meso"}
INSTEAD_OF_NUM_NEIGHBOURS = (
    "give --neighbours (the setting neighbours), which counts under protocol=graph"
)
# of algorithms that share copies of policies; nor do such networks see alternatives by features
WITH_OWN_NETWORKS = {
    "learner.architecture": "independent",
    "learner.critic_hidden": [64],
    "learner.credit": "samples",
    "learner.suggestions": "networks",
}


def resolve(preset: str, overrides: Mapping[str, Any]) -> RoutingConfig:
    """Preset, then what a configuration of SUMO names, then the regime, then every override.

    Raises:
        InputError: the configuration of SUMO cannot be read.
        ConfigError: unknown preset, regime or key, or values that do not fit; all listed.
    """
    values = dict(overrides)
    if sumocfg := values.pop("sumocfg", None):
        values = named_files(Path(sumocfg)) | {k: v for k, v in values.items() if v is not None}
    if preset == "tuned" and not _can_be_modelled(values):
        preset = "sampled"
    config = preset_config(preset)
    if values.get("signals"):
        config = _with_signals(config, preset)
    regime = values.pop("regime", None)
    if regime not in (None, "gradient"):  # other objectives have no closed form of suggestions
        config = replace(config, learner=replace(config.learner, suggestions="networks"))
    config = with_regime(config, regime)
    if values.get("en_route") and preset == "sampled":
        config = replace(config, en_route=True, learner=en_route_learner())
    if needs_copies(values.get("algorithm", values.get("learner.algorithm"))):
        values = WITH_OWN_NETWORKS | values
    config = override(config, values, SHORTHANDS)
    refuse_idle_neighbours(config.learner.exchange, values, INSTEAD_OF_NUM_NEIGHBOURS)
    return config


def _can_be_modelled(values: Mapping[str, Any]) -> bool:
    """Whether the link model can judge what these overrides ask for."""
    asked = values.get("algorithm", values.get("learner.algorithm", "ss"))
    facts = ALGORITHM_FACTS.get(asked)
    others = ("en_route", "signals", "meso", "sumo.meso", "regime")
    plain = not any(values.get(name) for name in others)
    return plain and facts is not None and facts.judges_counterfactuals


def _with_signals(config: RoutingConfig, preset: str) -> RoutingConfig:
    """The starting point where lights learn, too: they decide to the end of the day.

    So it ends soon after the last departure, for references as for learned rows.
    """
    learner = en_route_learner() if preset == "sampled" else config.learner
    sumo = replace(config.sumo, longest_s=LIGHTS_LONGEST_S)
    return replace(config, learner=learner, sumo=sumo)
