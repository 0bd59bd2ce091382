"""The sub-tasks of a run, each in a folder and a process of its own: learning, and the references.

Called by `ss_core.processes.child_tasks` with plain arguments. Each commits its own work and, run
again, goes on where it was; a finished one returns at once.
"""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from gridsim.config import ScenarioConfig
from gridsim.game.env import SchedulingEnv, World
from gridsim.game.joint_schedules import Schedule, chosen_schedule, stepwise_schedule
from gridsim.game.quarter_hourly import QuarterHourlyEnv
from gridsim.game.tariff import build_tariff
from gridsim.households.forecast import LoadHistory
from gridsim.households.households import Days, draw_days, draw_population
from gridsim.households.profiles import load_profiles
from ss_core.algorithms.build import build_learner
from ss_core.config import from_dict
from ss_core.exchange.channel import Channel, exchange_facts
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.rollout import Rollout, collect_rollout
from ss_core.processes.child_tasks import Report, Stop
from ss_core.record.checkpoint import Checkpoint, load_latest, save_checkpoint
from ss_core.record.trace_writer import TraceWriter
from ss_core.training.loop import Training, affordable_updates, train

POPULATION, HELD_OUT, PAST, RANDOM_PLANS = 0, 2, 3, 4  # streams of random numbers below a seed
PAST_DAYS = 8  # from which the forecasting planner knows what is to come
CALIBRATION_UPDATES = 6

Play = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Stage:
    """What every part of a run plays on: a function of the configuration alone."""

    world: World
    held_out: Days


def set_stage(config: ScenarioConfig) -> Stage:
    """Draw the population and the held-out days."""
    profiles = load_profiles()
    population = draw_population(
        config.population,
        profiles,
        config.households,
        np.random.default_rng([config.seed, POPULATION]),
    )
    world = World(
        profiles, population, config.population, build_tariff(config.tariff), config.num_actions
    )
    return Stage(world, _days(config, world, config.days, HELD_OUT))


def _days(config: ScenarioConfig, world: World, count: int, stream: int) -> Days:
    rng = np.random.default_rng([config.seed, stream])
    return draw_days(config.population, world.profiles, world.population, count, rng)


def learn(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train one learner, then play the held-out days with it; result in `result/`."""
    torch.set_num_threads(1)
    config = from_dict(ScenarioConfig, arguments["config"], where="run")
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is not None:
        return True
    stage = set_stage(config)
    learner = replace(config.learner, algorithm=arguments["algorithm"])
    learner = replace(learner, num_updates=_num_updates(config, learner, stage, folder))
    constants = {"run_id": arguments["run_id"], "algorithm": learner.algorithm, "seed": config.seed}
    writer = TraceWriter(folder, level=config.trace, constants=constants)
    training = build_training(config, learner, stage)

    def evaluate(now: Training) -> dict[str, float]:
        schedule = play(now, stage, config, sample=0).schedule
        cost = schedule.costs(stage.world.tariff).social_cost_eur / config.households
        return {"held_out_cost_eur_per_household": float(cost.mean())}

    finished = train(
        training,
        folder,
        writer,
        evaluate=evaluate,
        evaluate_every=max(1, learner.num_updates // config.evaluations),
        commit_every=config.commit_every,
        progress=report,
        stop_requested=stop,
    )
    if finished:
        _save_result(training, stage, config, folder)
    return finished


def build_training(config: ScenarioConfig, learner: LearnerConfig, stage: Stage) -> Training:
    """A learner before its first update."""
    env = build_env(config, stage.world, learner.num_envs)
    built = build_learner(learner, env.spec, config.seed, config.device)
    channel = Channel(learner.exchange, env.spec.num_agents, config.seed)
    return Training(built, env, channel, config.seed)


def build_env(
    config: ScenarioConfig,
    world: World,
    num_envs: int,
    days: Days | None = None,
    history: LoadHistory | None = None,
) -> SchedulingEnv | QuarterHourlyEnv:
    """The environment of the configured form of decisions."""
    if config.variant == "quarter_hourly":
        return QuarterHourlyEnv(world, num_envs, days=days, history=history)
    return SchedulingEnv(world, num_envs, days=days, history=history)


def _num_updates(config: ScenarioConfig, learner: LearnerConfig, stage: Stage, folder: Path) -> int:
    """The configured number, or what a budget of seconds affords."""
    if config.budget_seconds is None:
        return learner.num_updates
    trial = nullcontext(build_training(config, learner, stage))
    return affordable_updates(folder, config.budget_seconds, trial, CALIBRATION_UPDATES)


@dataclass(frozen=True, slots=True)
class Played:
    """One play of the held-out days."""

    schedule: Schedule
    decisions: Mapping[str, np.ndarray]  # [job]: candidate `chosen`, `probability` it had


def play(training: Training, stage: Stage, config: ScenarioConfig, *, sample: int) -> Played:
    """Play the held-out days with the stochastic policies; nothing is exchanged or learnt."""
    history = training.env.history  # type: ignore[attr-defined]
    env = build_env(config, stage.world, 0, stage.held_out, history)
    generator = torch.Generator().manual_seed(config.seed * 1009 + sample)
    rollout = collect_rollout(
        env, training.learner.actors, seed=0, generator=generator, with_successors=False
    )
    name = training.learner.config.algorithm
    if isinstance(env, QuarterHourlyEnv):  # decides on steps, not on jobs
        return Played(stepwise_schedule(name, stage.held_out, env.ev_level, env.start_step), {})
    probability = _probabilities(rollout, stage.held_out)
    return Played(env.schedule(name), {"chosen": env.chosen.copy(), "probability": probability})


def _probabilities(rollout: Rollout, days: Days) -> Float[np.ndarray, " job"]:
    log_probs = rollout.log_probs.gather(-1, rollout.actions.unsqueeze(-1)).squeeze(-1)
    hour = days.jobs.arrival_step // 4
    return log_probs.exp().numpy(force=True)[hour, days.jobs.day, days.jobs.household].astype(float)


def _save_result(training: Training, stage: Stage, config: ScenarioConfig, folder: Path) -> None:
    plays = [play(training, stage, config, sample=s) for s in range(config.policy_samples)]
    tensors = {
        "job_kw": torch.from_numpy(np.stack([p.schedule.job_kw for p in plays])).float(),
        "delay_eur": torch.from_numpy(np.stack([p.schedule.delay_eur for p in plays])),
    }
    for name in plays[0].decisions:
        tensors[name] = torch.from_numpy(np.stack([p.decisions[name] for p in plays]))
    told = exchange_facts(training.channel, training.learner.spec.agent_names)
    state = {"num_updates": training.update} | told
    save_checkpoint(folder / "result", training.update, tensors, state)


def refer(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Compute every reference of the held-out days; result in `result/`."""
    from gridsim.households.schedules import candidate_schedules
    from gridsim.references.certificate import certify_dilemma
    from gridsim.references.references import compute_references, load_to_come, nash, optimum

    config = from_dict(ScenarioConfig, arguments["config"], where="run")
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is not None:
        return True
    stage = set_stage(config)
    tariff, days = stage.world.tariff, stage.held_out
    report(0, 4, "what past days tell")
    past = _days(config, stage.world, PAST_DAYS, PAST)
    to_come = load_to_come(optimum(past, tariff, config.search)[0], past)
    if stop():
        return False
    report(1, 4, "equilibrium, optimum, lower bound")
    found = compute_references(days, tariff, to_come_kw=to_come, config=config.search)
    report(2, 4, "equilibrium among the candidate schedules")
    plans = candidate_schedules(days, config.num_actions)
    restricted = nash(days, tariff, replace(config.search, num_random_starts=0), plans)[0]
    report(3, 4, "certificate")
    certificate = certify_dilemma(days, tariff, found, config=config.search)
    rng = np.random.default_rng([config.seed, RANDOM_PLANS])
    pick = rng.random(plans.legal.shape) * plans.legal
    schedules = (
        *found.schedules,
        replace(restricted, name="nash_among_candidates"),
        chosen_schedule("random_among_candidates", days, plans, pick.argmax(axis=1)),
    )
    tensors = {f"{s.name}/job_kw": torch.from_numpy(s.job_kw).float() for s in schedules}
    tensors |= {f"{s.name}/delay_eur": torch.from_numpy(s.delay_eur) for s in schedules}
    tensors["lower_bound_eur"] = torch.from_numpy(found.lower_bound_eur)
    facts = {name: getattr(certificate, name) for name in certificate.__slots__}
    state = {
        "certificate": {name: float(value) for name, value in facts.items()},
        "no_dilemma": bool(certificate.no_dilemma),
        "gap": float(certificate.gap),
    }
    save_checkpoint(folder / "result", 0, tensors, state)
    report(4, 4, "")
    return True


def schedules_of(result: Checkpoint, days: Days) -> list[Schedule]:
    """The reference schedules of a result, by name."""
    names = [key.removesuffix("/job_kw") for key in result.tensors if key.endswith("/job_kw")]
    return [
        Schedule.of_jobs(
            name,
            days,
            result.tensors[f"{name}/job_kw"].double().numpy(),
            result.tensors[f"{name}/delay_eur"].numpy(),
        )
        for name in sorted(names)
    ]


def plays_of(result: Checkpoint, name: str, days: Days) -> list[Schedule]:
    """The plays of a learned policy."""
    pairs = zip(result.tensors["job_kw"], result.tensors["delay_eur"], strict=True)
    return [Schedule.of_jobs(name, days, kw.double().numpy(), eur.numpy()) for kw, eur in pairs]
