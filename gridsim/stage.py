"""What every part of a grid run plays on, and days played by learned policies.

A function of the configuration alone: population, held-out days, environments, learners.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from gridsim.config import GridConfig
from gridsim.game.env import SchedulingEnv, World
from gridsim.game.in_turn import InTurnEnv
from gridsim.game.joint_schedules import Schedule, stepwise_schedule
from gridsim.game.quarter_hourly import QuarterHourlyEnv
from gridsim.game.tariff import build_tariff
from gridsim.households.forecast import LoadHistory
from gridsim.households.given import (
    with_cars_power,
    with_devices,
    with_meters,
    with_net_devices,
)
from gridsim.households.households import (
    SEASON_MONTHS,
    STEPS_PER_HOUR,
    Days,
    HouseholdConfig,
    Population,
    draw_population,
)
from gridsim.households.outlook import Outlook
from gridsim.households.profiles import load_profiles
from gridsim.network.connections import connections_of
from gridsim.network.feeder import Attachment, Feeder, attach_households, load_compiled
from gridsim.network.net_devices import NetDevices, devices_of
from gridsim.network.pandapower_io import feeder_names, load_feeder_with_notes
from gridsim.own_data.households_file import (
    HouseholdsFile,
    attach_as_given,
    file_notes,
    read_households_file,
)
from gridsim.own_data.meters import MeasuredDays, Meters, read_meters
from gridsim.own_data.prices import PriceDays, dated_curve, read_prices, season_curve
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.rollout import play_episode
from ss_core.random_streams import Stream, numpy_generator, torch_generator
from ss_core.record.checkpoint import Checkpoint
from ss_core.training.loop import Training

WELFARE_PLAYS = 2  # of every held-out day
COMPILED_NET = "feeder.npz"  # of the user's net, among the inputs that a run keeps
PAST_DAYS = 8  # from which the forecasting planner knows what is to come

Play = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Stage:
    """What every part of a run plays on: a function of the configuration alone."""

    world: World
    held_out: Days
    notes: tuple[str, ...] = ()  # what was read from the user's files, and what was filled in
    devices: NetDevices | None = None  # what the net gives households; None: all is drawn


def set_stage(config: GridConfig) -> Stage:
    """Draw the population and the held-out days, from the user's files where there are some.

    Raises:
        InputError: a file cannot be used; file, row, value and remedy are named.
    """
    profiles = load_profiles()
    population = draw_population(
        config.population,
        profiles,
        config.households,
        numpy_generator(config.seed, Stream.POPULATION),
    )
    devices = _net_devices(config)
    population, households, measured, notes = _as_given(config, population, devices)
    curve, price_notes = _given_prices(config)
    tariff = build_tariff(config.tariff, config.population.first_hour, curve)
    world = World(profiles, population, households, tariff, config.num_actions, measured)
    held_out = _days(config, world, config.days, Stream.HELD_OUT_DAYS)
    return Stage(world, held_out, (*notes, *price_notes), devices)


def with_copies(config: GridConfig, inputs: Path) -> GridConfig:
    """The configuration with the copies that a run keeps in place of the user's files.

    A net is compiled there, so that no process but the first waits for pandapower.
    """
    files = config.own_files.items()
    copies = {name: str(copy_of(name, path, inputs)) for name, path in files}
    compiled = inputs / COMPILED_NET
    if compiled.exists():
        copies["feeder"] = str(compiled)
    return replace(config, **copies)


def copy_of(setting: str, path: str, inputs: Path) -> Path:
    """Where a run keeps the file that a setting names."""
    return inputs / f"{setting}{Path(path).suffix}"


def own_net(config: GridConfig) -> tuple[Feeder, list[str]]:
    """The feeder with the transformer it has, read once; what of the net is not used."""
    if config.feeder_name in feeder_names():
        return load_feeder_with_notes(config.feeder_name, households=1, kva_per_household=None)
    return _read_once(_net_of, config.feeder_name)


def _net_of(path: Path) -> tuple[Feeder, list[str]]:
    if path.name == COMPILED_NET:
        return load_compiled(path), []
    return load_feeder_with_notes(path, households=1, kva_per_household=None)


def attach(config: GridConfig, feeder: Feeder) -> Attachment:
    """Where households live: at the buses of their file, or in the order of the net."""
    if config.households_file is not None:
        file = read_given_households(config)
        if file.bus:
            return attach_as_given(file, feeder)
    return attach_households(feeder, config.households, connections_of(feeder).home_load)


def _net_devices(config: GridConfig) -> NetDevices | None:
    """What the user's net has at the households' buses; None: it says nothing, or is not asked."""
    if config.devices == "drawn" or config.feeder_name in feeder_names():
        return None
    feeder, _ = own_net(config)
    return devices_of(feeder, attach(config, feeder))


def _as_given(
    config: GridConfig, population: Population, devices: NetDevices | None
) -> tuple[Population, HouseholdConfig, MeasuredDays | None, list[str]]:
    """Devices and base load from net and files, and what there is to say about files."""
    households, names, measured = config.population, None, None
    notes, else_by = list[str](), "drawn (population.*)"
    if devices is not None:
        population = with_net_devices(population, devices)
        households = with_cars_power(households, devices)
        else_by = "as the net has them"
    if config.households_file is not None:
        file = read_given_households(config)
        population, households = with_devices(population, file), with_cars_power(households, file)
        balanced = config.phases == "balanced"
        names, notes = file.name, file_notes(file, balanced=balanced, else_by=else_by)
    if config.meter is not None:
        first_hour = households.first_hour
        meters: Meters = _read_once(read_meters, config.meter, config.zone, first_hour)
        rng = numpy_generator(config.seed, Stream.METERS)
        population, measured, note = with_meters(population, meters, households.season, rng, names)
        notes += [*meters.notes, note]
    return population, households, measured, notes


def read_given_households(config: GridConfig) -> HouseholdsFile:
    """The households of the file, as many as the run has.

    Raises:
        ConfigError: the run has another number of them.
    """
    assert config.households_file is not None
    file = read_households_file(Path(config.households_file))
    if file.num_households != config.households:
        raise ConfigError(
            f"households={config.households}, and {file.path} has {file.num_households} rows: "
            "leave --households out, or change the file"
        )
    return file


def _given_prices(config: GridConfig) -> tuple[Float[np.ndarray, " step"] | None, list[str]]:
    """Mean prices of the run's dates, or of its season, and what there is to say about them."""
    if config.prices is None:
        return None, []
    prices: PriceDays = _read_once(
        read_prices, config.prices, config.zone, config.price_column, config.population.first_hour
    )
    season = config.population.season
    if config.day_0 is not None:
        curve, note = dated_curve(prices, config.day_0, config.days)
    else:
        curve, note = season_curve(prices, SEASON_MONTHS[season], season)
    added = (
        f", {config.tariff.surcharge:g} EUR/kWh added"
        if config.tariff.surcharge
        else (", without fees and taxes (--set tariff.surcharge=0.13 adds 13 ct/kWh)")
    )
    return curve, [prices.note, note + added]


def _read_once(read: Any, path: str, *how: str | int | None) -> Any:
    """What `read` makes of a file, kept while the file stays the same."""
    try:
        status = Path(path).stat()
    except OSError:
        return read(Path(path), *how)  # which says why it cannot
    return _read(read, path, how, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _read(read: Any, path: str, how: tuple[str | int | None, ...], *_: int) -> Any:
    return read(Path(path), *how)


def trial_days(config: GridConfig, stage: Stage) -> Days:
    """Days on which coordination is tried before it is recommended, the same for every row."""
    return _days(config, stage.world, config.trial_days, Stream.TRIAL_DAYS)


def past_days(config: GridConfig, stage: Stage) -> Days:
    """Days before the held-out ones, which a planner with a forecast has seen."""
    return _days(config, stage.world, PAST_DAYS, Stream.PAST_DAYS)


def _days(config: GridConfig, world: World, count: int, stream: Stream) -> Days:
    return world.draw(count, numpy_generator(config.seed, stream))


def build_training(config: GridConfig, learner: LearnerConfig, stage: Stage) -> Training:
    """A learner before its first update."""
    env = build_env(config, stage.world, learner.num_envs)
    return Training.begin(learner, env, config.seed, config.device)


def build_env(
    config: GridConfig,
    world: World,
    num_envs: int,
    days: Days | None = None,
    history: LoadHistory | Outlook | None = None,
) -> SchedulingEnv | QuarterHourlyEnv | InTurnEnv:
    """The environment of the configured form of decisions; `history` is of its kind."""
    if config.variant == "in_turn":
        assert not isinstance(history, LoadHistory)
        return in_turn_env(config, world, num_envs, days, history)
    assert not isinstance(history, Outlook)
    if config.variant == "quarter_hourly":
        return QuarterHourlyEnv(world, num_envs, days=days, history=history)
    return SchedulingEnv(world, num_envs, days=days, history=history)


def in_turn_env(
    config: GridConfig,
    world: World,
    num_envs: int,
    days: Days | None = None,
    history: Outlook | None = None,
) -> InTurnEnv:
    """Households in turn, as configured."""
    return InTurnEnv(
        world,
        num_envs,
        days=days,
        history=history,
        revise_after=config.revise_after,
        most_turns=config.most_turns,
    )


@dataclass(frozen=True, slots=True)
class Played:
    """One play of the held-out days."""

    schedule: Schedule
    decisions: Mapping[str, np.ndarray]  # [job]: plan `chosen`, its `probability`, `num_plans`


def play(
    training: Training,
    stage: Stage,
    config: GridConfig,
    *,
    sample: int,
    days: Days | None = None,
) -> Played:
    """Play days with the stochastic policies, the held-out ones if none are given.

    Nothing is exchanged or learned.
    """
    history = training.env.history  # type: ignore[attr-defined]
    days = days or stage.held_out
    env = build_env(config, stage.world, 0, days, history)
    generator = torch_generator(config.seed, Stream.PLAYED_ACTIONS, sample)
    log_probs = play_episode(env, training.learner.actors, seed=0, generator=generator)
    name = training.learner.config.algorithm
    if isinstance(env, QuarterHourlyEnv):  # decides on steps, not on jobs
        return Played(stepwise_schedule(name, days, env.ev_level, env.start_step), {})
    return Played(env.schedule(name), _decisions(env, log_probs, days))


def trial_costs(
    training: Training, stage: Stage, config: GridConfig
) -> Float[np.ndarray, "household day"]:
    """J_i of every trial day in EUR, private to each household."""
    days = trial_days(config, stage)
    played = play(training, stage, config, sample=config.policy_samples, days=days)
    return played.schedule.costs(stage.world.tariff).cost_eur.T.copy()


def daily_welfare(
    training: Training, stage: Stage, config: GridConfig
) -> Float[np.ndarray, " household"]:
    """-J_i of a held-out day in EUR, as learned policies play it."""
    played = [play(training, stage, config, sample=s) for s in range(WELFARE_PLAYS)]
    costs = [each.schedule.costs(stage.world.tariff).cost_eur.mean(axis=0) for each in played]
    return -np.mean(costs, axis=0)


def _decisions(
    env: SchedulingEnv | InTurnEnv, log_probs: Float[torch.Tensor, "T E N"], days: Days
) -> dict[str, np.ndarray]:
    """Of the last decision about each job: plan taken, its probability, how many there were."""
    jobs = days.jobs
    step = jobs.arrival_step // STEPS_PER_HOUR
    chosen, count = env.chosen, env.num_plans
    if isinstance(env, InTurnEnv):
        last = env.last_decision
        step, chosen, count = env.turns.turn[last], chosen[last], count[last]
    probability = log_probs.exp().numpy(force=True)[step, jobs.day, jobs.household]
    return {"chosen": chosen.copy(), "probability": probability.astype(float), "num_plans": count}


def schedules_of(result: Checkpoint, days: Days) -> list[Schedule]:
    """The reference schedules of a result, by name."""
    names = [key.removesuffix("/job_kw") for key in result.tensors if key.endswith("/job_kw")]
    return [
        Schedule.of_jobs(
            name,
            days,
            result.tensors[f"{name}/job_kw"].double().numpy(),
            result.tensors[f"{name}/delay_eur"].numpy(),
            _curtailed_kw(result, name),
        )
        for name in sorted(names)
    ]


def _curtailed_kw(result: Checkpoint, name: str) -> Float[np.ndarray, "day household step"] | None:
    kept = result.tensors.get(f"{name}/curtailed_kw")
    return None if kept is None else kept.double().numpy()


def plays_of(result: Checkpoint, name: str, days: Days) -> list[Schedule]:
    """The plays of a learned policy."""
    pairs = zip(result.tensors["job_kw"], result.tensors["delay_eur"], strict=True)
    return [Schedule.of_jobs(name, days, kw.double().numpy(), eur.numpy()) for kw, eur in pairs]
