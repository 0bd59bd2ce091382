"""The scenario's configuration: one frozen dataclass, its presets, and how requests change it."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from gridsim.game.tariff import TariffConfig
from gridsim.households.households import HouseholdConfig
from gridsim.references.config import SearchConfig
from ss_core.config import replace_paths
from ss_core.errors import ConfigError
from ss_core.exchange.channel import ExchangeConfig
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import TRUST_SHORTHANDS, Regime, in_regime, paper_learner
from ss_core.record.schema import TraceLevel
from ss_core.scenario.request import budget_overrides

Preset = Literal["tuned", "paper", "sampled"]
Check = tuple[bool, str]  # whether a value fits, and what to say if not

SMALL_FEEDER, LARGE_FEEDER = "kerber_dorfnetz", "kerber_146"
SMALL_FEEDER_LOADS = 57
COUNTS = ("households", "days", "policy_samples", "evaluations", "audit_steps", "commit_every")
FROM_SAMPLES = ("vps", "vs", "ps")  # algorithms that do not judge alternatives
OF_COPIES = ("ps",)  # algorithms that share copies of policies
DEVICE = re.compile(r"cpu|cuda(:\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioConfig:
    """Everything a run's outcome depends on."""

    households: int = 50
    feeder: str = "auto"  # a shipped name, a pandapower JSON file, or by the number of households
    kva_per_household: float | None = 2.0  # transformer rating; None: the net's own, as of a file
    power_factor: float = 0.97  # of every household, lagging
    days: int = 32  # held-out days every policy is scored on
    policy_samples: int = 4  # plays of each held-out day by the learned (stochastic) policies
    seed: int = 0
    num_actions: int = 8  # candidate schedules per job
    variant: Literal["per_job", "quarter_hourly"] = "per_job"  # form of the decisions
    compare_selfish: bool = True  # also train independent learners, for the table's selfish row
    evaluations: int = 20  # points of the learning curve on held-out days
    audit_steps: int = 12  # steps re-solved by pandapower
    commit_every: int = 10  # updates from checkpoint to checkpoint
    trace: TraceLevel = "agent"
    device: str = "cpu"
    budget_seconds: float | None = None  # of training; None: `learner.num_updates`
    population: HouseholdConfig = field(default_factory=HouseholdConfig)
    tariff: TariffConfig = field(default_factory=TariffConfig)
    learner: LearnerConfig = field(default_factory=lambda: tuned_learner())
    search: SearchConfig = field(default_factory=SearchConfig)

    def __post_init__(self) -> None:
        for fits, message in (*self._counts(), *self._ranges(), *self._combinations()):
            if not fits:
                raise ValueError(message)

    def _counts(self) -> Iterator[Check]:
        for name in COUNTS:
            value = getattr(self, name)
            yield value >= 1, f"{name}={value}: at least 1"
        yield self.seed >= 0, f"seed={self.seed}: 0 or more"

    def _ranges(self) -> Iterator[Check]:
        n, phi, kva = self.num_actions, self.power_factor, self.kva_per_household
        yield 3 <= n <= 96, f"num_actions={n}: between 3 and 96 schedules"
        yield 0.0 < phi <= 1.0, f"power_factor={phi}: above 0, at most 1"
        yield kva is None or 0 < kva < math.inf, f"kva_per_household={kva}: above 0"
        seconds = self.budget_seconds
        yield seconds is None or 0 < seconds < math.inf, f"budget_seconds={seconds}: above 0"
        known = DEVICE.fullmatch(self.device) is not None
        yield known, f"device={self.device!r}: cpu, cuda or cuda:N"

    def _combinations(self) -> Iterator[Check]:
        yield (
            self.variant == "per_job" or not self.learner.counterfactuals,
            "variant='quarter_hourly': alternatives are known of whole jobs only; "
            "set learner.counterfactuals=false",
        )
        yield (
            self.households > 1 or self.learner.algorithm != "centralised",
            "households=1: algorithm='centralised' needs two or more",
        )
        told = "tells which of its actions are cooperative"
        yield self.learner.algorithm != "imr", f"algorithm='imr': no household {told}"

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
        num_updates=200,
        actor_lr=3e-2,
        suggestion_lr=1e-1,
        final_lr_fraction=0.1,
        gamma=1.0,
        kappa="one",
        counterfactuals=True,
        exchange=ExchangeConfig(protocol="random", num_neighbours=8, redraw=False),
    )
    return in_regime(base, "gradient")


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


def preset_config(preset: str) -> ScenarioConfig:
    """The named starting point.

    Raises:
        ConfigError: no preset of that name.
    """
    if preset == "tuned":
        return ScenarioConfig()
    if preset == "sampled":
        learner = replace(
            tuned_learner(),
            counterfactuals=False,
            gae_lambda=1.0,
            advantage_scale="centred",
            critic_lr=1e-3,
            critic_hidden=(32,),
            num_envs=16,
        )
        return ScenarioConfig(learner=learner)
    if preset == "paper":
        return ScenarioConfig(learner=replace(paper_learner(), gamma=1.0))
    raise ConfigError(f"preset={preset!r}: choose tuned, paper or sampled")


SHORTHANDS = {
    "algorithm": "learner.algorithm",
    "neighbours": "learner.exchange.num_neighbours",
    **TRUST_SHORTHANDS,
}


def resolve(preset: str, overrides: Mapping[str, Any]) -> ScenarioConfig:
    """Preset, then the regime if one is named, then every override.

    Raises:
        ConfigError: unknown preset, regime or key, or values that do not fit; all listed.
    """
    config = preset_config(preset)
    values = dict(overrides)
    asked = values.get("algorithm", values.get("learner.algorithm"))
    if preset == "tuned" and asked in FROM_SAMPLES:
        config = preset_config("sampled")
    if asked in OF_COPIES and config.learner.architecture == "shared":  # which keeps no copies
        config = replace(config, learner=replace(config.learner, architecture="multihead"))
    regime = values.pop("regime", None)
    if regime is not None:
        if regime not in ("paper", "gradient", "norm"):
            raise ConfigError(f"regime={regime!r}: choose paper, gradient or norm")
        chosen: Regime = regime
        config = replace(config, learner=in_regime(config.learner, chosen))
    if values.get("variant") == "quarter_hourly":
        learner = stepwise_learner(config.learner)
        config = replace(config, variant="quarter_hourly", learner=learner)
    values |= budget_overrides(
        values.pop("budget", None), values.get("learner.num_envs"), config.learner.num_envs
    )
    paths = {SHORTHANDS.get(key, key): value for key, value in values.items()}
    if str(values.get("feeder", "")).endswith(".json"):  # somebody's own net: as it is
        paths.setdefault("kva_per_household", None)
    if "neighbours" in values:
        paths.setdefault("learner.exchange.protocol", "random")
    return replace_paths(config, paths)
