"""The scenario's configuration: one frozen dataclass, its presets, and how requests change it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from gridsim.game.in_turn import MOST_TURNS, REVISE_AFTER
from gridsim.game.plans import MOST_PLANS
from gridsim.game.tariff import TariffConfig
from gridsim.households.households import HouseholdConfig
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.names import named, problem_of
from gridsim.network.sizing import sized_kappa_kw, sized_kva_per_household
from gridsim.own_data.households_file import read_households_file
from gridsim.own_data.timestamps import zone_problem
from gridsim.references.config import SearchConfig
from ss_core.errors import ConfigError
from ss_core.exchange.channel import ExchangeConfig
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import EQUAL_COSTS, in_regime, paper_learner
from ss_core.scenario.adoption import MOST_PAIRS
from ss_core.scenario.config import (
    COMMON_SHORTHANDS,
    Check,
    RunConfig,
    cooperation_check,
    count_checks,
    facts_of,
    needs_copies,
    on_cpu_check,
    override,
    with_regime,
)

Preset = Literal["tuned", "paper", "sampled"]
Variant = Literal["in_turn", "per_job", "quarter_hourly"]
Devices = Literal["net", "drawn"]

SMALL_FEEDER, LARGE_FEEDER = "kerber_dorfnetz", "kerber_146"
SMALL_FEEDER_LOADS = 57
CASES: Mapping[str, Mapping[str, Any]] = {
    "winter-evening": {},
    "summer-noon": {  # roofs feed in what cars, washing and a charge on reverse flow could use
        "population.season": "summer",
        "population.first_hour": 6,
        "population.ev_by_day": 0.4,
        "population.heat_pump_ownership": 0.0,
        "population.pv_ownership": 0.6,
        "population.battery_ownership": 0.7,
        "tariff.kappa_feed_in": 1.1,
        "tariff.feed_in": 0.08,
    },
}
OWN_FILES = ("meter", "households_file", "prices")
MANY = 500  # households beyond which fewer days tell as much: scored and tried on 8


@dataclass(frozen=True, slots=True, kw_only=True)
class GridConfig(RunConfig):
    """Everything a grid run's outcome depends on, the contents of input files apart."""

    households: int = 50  # as many as `households_file` has, if it is given
    feeder: str = "auto"  # a shipped name, a pandapower JSON file, or by the number of households
    kva_per_household: float | Literal["auto"] | None = 2.0
    # transformer rating; auto: with diversity (`sizing.py`); None: the net's own, as of a file
    meter: str | None = None  # file of measured loads, which take the place of base load
    households_file: str | None = None  # who lives at which bus, and with what
    prices: str | None = None  # file of a day-ahead series, in place of `tariff.shape`
    price_column: str | None = None  # a part of its header, where `prices` has several
    zone: str | None = None  # of the clock in these files, as Europe/Berlin; None: as they write it
    devices: Devices = "net"  # where a net file has devices at house connections, who has which
    power_factor: float = 0.97  # of every household, lagging
    phases: Literal["balanced", "unbalanced"] = "balanced"  # three alike, or each household on one
    days: int = 32  # held-out days every policy is scored on
    trial_days: int = 32  # on which coordination is tried before it is recommended
    policy_samples: int = 4  # plays of each held-out day by the learned (stochastic) policies
    num_actions: int = 8  # candidate schedules per job
    variant: Variant = "in_turn"  # form of the decisions
    revise_after: tuple[int, ...] = REVISE_AFTER  # of `in_turn`: quarter-hours after arrival
    most_turns: int = MOST_TURNS  # of `in_turn`: a day; where it holds more, several decide at once
    evaluations: int = 10
    audit_steps: int = 12  # steps re-solved by pandapower
    instruments: tuple[str, ...] = ()  # policy instruments to show as further rows
    instrument_rules: InstrumentRules = field(default_factory=InstrumentRules)
    population: HouseholdConfig = field(default_factory=HouseholdConfig)
    tariff: TariffConfig = field(default_factory=TariffConfig)
    learner: LearnerConfig = field(default_factory=lambda: tuned_learner())
    search: SearchConfig = field(default_factory=SearchConfig)

    def checks(self) -> Iterator[Check]:
        """Checks of the grid's own fields."""
        yield from count_checks(self, "households", "days", "policy_samples", "audit_steps")
        n, phi, kva = self.num_actions, self.power_factor, self.kva_per_household
        yield 3 <= n <= 96, f"num_actions={n}: between 3 and 96 schedules"
        yield (
            2 <= self.trial_days <= MOST_PAIRS,
            f"trial_days={self.trial_days}: between 2 and {MOST_PAIRS}",
        )
        yield 0.0 < phi <= 1.0, f"power_factor={phi}: above 0, at most 1"
        yield (
            kva is None or kva == "auto" or 0 < kva < math.inf,
            f"kva_per_household={kva}: above 0, or auto",
        )
        yield (
            self.variant != "in_turn" or n <= MOST_PLANS,
            f"num_actions={n}: variant='in_turn' has rules for {MOST_PLANS} plans; "
            "fewer, or variant='per_job'",
        )
        problem = "" if self.zone is None else zone_problem(self.zone)
        yield not problem, problem
        yield (
            self.price_column is None or self.prices is not None,
            f"price_column={self.price_column!r}: names a column of a file; give prices, too",
        )
        waits = self.revise_after
        yield all(wait >= 1 for wait in waits), f"revise_after={waits}: quarter-hours, 1 or more"
        yield self.most_turns >= 48, f"most_turns={self.most_turns}: at least 48"
        yield (
            self.variant != "quarter_hourly" or not self.learner.counterfactuals,
            "variant='quarter_hourly': alternatives are known of whole jobs only; "
            "set learner.counterfactuals=false",
        )
        yield (
            self.households > 1 or self.learner.algorithm != "centralised",
            "households=1: algorithm='centralised' needs two or more",
        )
        problem = problem_of(self.instruments)
        yield not problem, problem
        yield from cooperation_check(self, "household")
        yield from on_cpu_check(self, "household")

    @property
    def own_files(self) -> dict[str, str]:
        """Paths of the user's own tables by setting."""
        known = {name: getattr(self, name) for name in OWN_FILES}
        return {name: path for name, path in known.items() if path}

    @property
    def rating_kva(self) -> float | None:
        """Transformer rating per household, `auto` resolved."""
        if self.kva_per_household == "auto":
            return sized_kva_per_household(self.households)
        return self.kva_per_household

    @property
    def feeder_name(self) -> str:
        """The feeder, `auto` resolved."""
        if self.feeder != "auto":
            return self.feeder
        return SMALL_FEEDER if self.households <= SMALL_FEEDER_LOADS else LARGE_FEEDER


def tuned_learner() -> LearnerConfig:
    """Ours for the scheduling game: the gradient regime on exact own-reward alternatives."""
    base = LearnerConfig(
        architecture="shared",
        hidden=(16,),
        critic_hidden=(),  # nothing is estimated where every alternative is known
        num_envs=16,
        num_updates=55,
        actor_lr=3e-2,
        suggestion_lr=1e-1,
        final_lr_fraction=0.1,
        gamma=1.0,
        kappa="one",
        counterfactuals=True,
        svo_angle=EQUAL_COSTS,
        exchange=ExchangeConfig(protocol="random", num_neighbours=8, redraw=False),
    )
    return in_regime(base, "gradient")


def days_per_update(households: int) -> int:
    """About as many decisions an update for any number of households: few of them need days."""
    return min(64, max(2, round(400 / households)))


def stepwise_learner(learner: LearnerConfig) -> LearnerConfig:
    """The learner where a job is decided on in many steps: values are estimated from samples."""
    if not learner.counterfactuals:
        return learner
    return replace(
        learner,
        counterfactuals=False,
        gae_lambda=0.95,
        advantage_scale="centred",
        critic_lr=1e-3,
        critic_hidden=(32,),
    )


def preset_config(
    preset: str,
    variant: Variant = "in_turn",
    households: int = 50,
    *,
    of_alternatives: bool = True,
) -> GridConfig:
    """The named starting point for a form of the decisions and a number of households.

    `of_alternatives`: the algorithm asked for judges alternatives, by a formula or by a model.

    Raises:
        ConfigError: no preset of that name.
    """
    learner = tuned_learner()
    if variant == "in_turn":
        learner = replace(learner, num_envs=days_per_update(households))
    else:
        learner = replace(learner, num_updates=200)
    if preset == "sampled":
        learner = replace(
            learner,
            counterfactuals=False,
            gae_lambda=1.0,
            advantage_scale="centred",
            critic_lr=1e-3,
            critic_hidden=(32,),
            num_updates=200,
        )
        if variant == "in_turn" and of_alternatives:  # regressed on the public features of plans
            learner = replace(
                learner,
                credit="model",
                suggestions="best",
                num_updates=55,
                exchange=replace(learner.exchange, num_neighbours=16),
            )
    elif preset == "paper":
        learner = replace(paper_learner(), gamma=1.0, svo_angle=EQUAL_COSTS)
    elif preset != "tuned":
        raise ConfigError(f"preset={preset!r}: choose tuned, paper or sampled")
    if variant == "quarter_hourly" and preset != "paper":
        learner = stepwise_learner(learner)
    config = GridConfig(learner=learner, variant=variant)
    if households > MANY:
        return replace(config, days=8, trial_days=8, evaluations=4)
    return config


def _case(name: object) -> Mapping[str, Any]:
    """Settings of a case, each of which can be set to something else.

    Raises:
        ConfigError: no case of that name.
    """
    if name not in CASES:
        raise ConfigError(f"case={name!r}: choose {' or '.join(CASES)}")
    return CASES[str(name)]


SHORTHANDS = COMMON_SHORTHANDS | {"neighbours": "learner.exchange.num_neighbours"}


def resolve(preset: str, overrides: Mapping[str, Any]) -> GridConfig:
    """Preset, then the regime if one is named, then every override.

    Raises:
        ConfigError: unknown preset, regime or key, or values that do not fit; all listed.
    """
    values = dict(overrides)
    for key, value in _case(values.pop("case", "winter-evening")).items():
        values.setdefault(key, value)
    if isinstance(file := values.get("households_file"), str) and "households" not in values:
        values["households"] = read_households_file(Path(file)).num_households
    if values.get("prices"):  # an exchange's, as they are
        values.setdefault("tariff.spread", 1.0)
    variant, households = values.get("variant", "in_turn"), values.get("households", 50)
    known: Variant = variant if variant in get_args(Variant) else "in_turn"  # others: refused below
    several = households if type(households) is int and households > 0 else 50
    asked = values.get("algorithm", values.get("learner.algorithm"))
    facts = facts_of(asked)
    sampled = preset == "tuned" and facts is not None and not facts.judges_counterfactuals
    config = preset_config(
        "sampled" if sampled else preset,
        known,
        several,
        of_alternatives=facts is None or facts.judges_counterfactuals,
    )
    if needs_copies(asked) and config.learner.architecture == "shared":  # which keeps no copies
        config = replace(config, learner=replace(config.learner, architecture="multihead"))
    config = with_regime(config, values.pop("regime", None))
    if str(values.get("feeder", "")).endswith(".json"):  # somebody's own net: as it is
        values.setdefault("kva_per_household", None)
    if values.get("kva_per_household") == "auto" and households == several:
        values.setdefault("tariff.kappa", round(sized_kappa_kw(several), 3))
    if "instruments" in values:
        values["instruments"] = named(values["instruments"])
    if "neighbours" in values:
        values.setdefault("learner.exchange.protocol", "random")
    return override(config, values, SHORTHANDS)
