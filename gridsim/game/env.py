"""The scheduling game as a batched environment: every hour, households decide on jobs that came.

Data sheet
    agents        households
    step          one hour; a household decides on at most one job an hour, on its arrival
    action        which of `num_actions` candidate schedules the job follows (`schedules.py`)
    observation   per candidate a row of features: the public ones, and the own delay cost
    public        per candidate: price, forecast load and excess over its block, power, energy,
                  kind, energy per hour (follows from the job's announcement and public data)
    reward        -J_i of the day, given at the last step; unit EUR
    end           noon to noon, 24 steps, then a true end
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gridsim.game.alternatives import others_bill_eur, own_alternatives_eur, senders_of
from gridsim.game.costs import Costs, costs
from gridsim.game.joint_schedules import Schedule, chosen_schedule
from gridsim.game.tariff import Tariff
from gridsim.households.days import draw_days
from gridsim.households.forecast import (
    HOURS,
    LoadHistory,
    day_regressors,
    empty_history,
    forecast,
    remember,
)
from gridsim.households.households import (
    STEP_H,
    STEPS_PER_HOUR,
    Days,
    HouseholdConfig,
    JobKind,
    Population,
    household_names,
)
from gridsim.households.profiles import Profiles
from gridsim.households.schedules import Candidates, candidate_schedules
from gridsim.own_data.meters import MeasuredDays
from ss_core.env import Counterfactuals, EnvSpec, Step
from ss_core.random_streams import Stream, numpy_generator

NUM_PUBLIC = 5 + len(JobKind) + HOURS
NUM_PRIVATE = 1
ANNOUNCEMENT_FLOATS = 6  # kind, arrival, deadline, power, energy, plan: all else is public rules


@dataclass(frozen=True, slots=True)
class World:
    """What stays the same from day to day."""

    profiles: Profiles
    population: Population
    households: HouseholdConfig
    tariff: Tariff
    num_actions: int
    measured: MeasuredDays | None = None  # base load from meters in place of profiles

    @property
    def agent_names(self) -> tuple[str, ...]:
        """Of the households, in their order."""
        return tuple(household_names(self.population.num_households).tolist())

    def draw(self, num_days: int, rng: np.random.Generator) -> Days:
        """Days of these households."""
        return draw_days(
            self.households, self.profiles, self.population, num_days, rng, self.measured
        )

    def training_days(self, num_days: int, seed: int) -> Days:
        """Days that a reset with this seed begins, the same in every form of the decisions."""
        return self.draw(num_days, numpy_generator(seed, Stream.TRAINING_DAYS))


@dataclass(slots=True)
class _Episode:
    """The days being played."""

    days: Days
    candidates: Candidates
    job_at: Int[np.ndarray, "day household hour"]  # -1: none
    features: Float[np.ndarray, "job action feature"]  # those that do not depend on the forecast
    regressors: Float[np.ndarray, "day regressor"]
    dawn_kw: Float[np.ndarray, "day step"]  # load expected before the day began
    load_kw: Float[np.ndarray, "day household step"]
    chosen: Int[np.ndarray, " job"]
    hour: int


class SchedulingEnv:
    """`VectorEnv` and `CounterfactualEnv` over fresh days (the given ones, when `days` is set)."""

    def __init__(
        self,
        world: World,
        num_envs: int,
        *,
        days: Days | None = None,
        history: LoadHistory | None = None,
        history_decay: float = 0.9,
    ) -> None:
        self.world = world
        self.history = history or empty_history()
        self._days = days
        self._decay = history_decay
        self._episode: _Episode | None = None
        names = world.agent_names
        self._spec = EnvSpec(
            num_envs=num_envs if days is None else days.num_days,
            num_agents=len(names),
            num_actions=world.num_actions,
            observation_size=world.num_actions * (NUM_PUBLIC + NUM_PRIVATE),
            horizon=HOURS,
            agent_names=names,
            candidate_size=NUM_PUBLIC + NUM_PRIVATE,
            public_size=NUM_PUBLIC,
            announcement_floats=ANNOUNCEMENT_FLOATS,
        )

    @property
    def spec(self) -> EnvSpec:
        """Sizes; 24 steps of an hour."""
        return self._spec

    def reset(self, seed: int) -> Step:
        """Draw new days from `seed` (nothing is drawn when the days were given)."""
        days = self._days or self.world.training_days(self._spec.num_envs, seed)
        candidates = candidate_schedules(days, self.world.num_actions)
        jobs = days.jobs
        job_at = np.full((days.num_days, days.num_households, HOURS), -1)
        job_at[jobs.day, jobs.household, jobs.arrival_step // STEPS_PER_HOUR] = np.arange(
            jobs.num_jobs
        )
        regressors = day_regressors(days.temperature_c, days.is_weekend)
        self._episode = _Episode(
            regressors=regressors,
            dawn_kw=self.history.expected_kw(regressors),
            days=days,
            candidates=candidates,
            job_at=job_at,
            features=_static_features(days, candidates, self.world.tariff),
            load_kw=days.base_kw.copy(),
            chosen=np.zeros(jobs.num_jobs, dtype=np.int64),
            hour=0,
        )
        observations, mask = self._observe()
        return Step.first(observations, action_mask=mask)

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Commit the chosen schedules of the jobs that arrived this hour."""
        episode = self._playing()
        if episode.hour == HOURS:
            raise RuntimeError("the days are over: call reset")
        day, household = np.nonzero(episode.job_at[:, :, episode.hour] >= 0)
        job = episode.job_at[day, household, episode.hour]
        choice = actions.numpy(force=True)[day, household]
        episode.chosen[job] = choice
        episode.load_kw[day, household] += episode.candidates.load_kw[job, choice]
        episode.hour += 1
        observations, mask = self._observe()
        if episode.hour < HOURS:
            nothing = torch.zeros(observations.shape[:2])
            return Step.next(observations, nothing, action_mask=mask)
        if self._days is None:
            curves = episode.load_kw.mean(axis=1)
            self.history = remember(self.history, curves, episode.regressors, self._decay)
        rewards = torch.from_numpy(-self.outcome().cost_eur).float()
        return Step.last(observations, rewards, next_observations=observations, action_mask=mask)

    def outcome(self) -> Costs:
        """What the days cost with the schedules committed so far."""
        episode = self._playing()
        return costs(episode.load_kw, self.discomfort_eur(), self.world.tariff)

    def discomfort_eur(self) -> Float[np.ndarray, "day household"]:
        """D_i of the schedules committed so far."""
        episode = self._playing()
        jobs = episode.days.jobs
        discomfort = np.zeros(episode.load_kw.shape[:2])
        delay = episode.candidates.delay_eur[np.arange(jobs.num_jobs), episode.chosen]
        committed = jobs.arrival_step // STEPS_PER_HOUR < episode.hour
        np.add.at(discomfort, (jobs.day, jobs.household), delay * committed)
        return discomfort

    def schedule(self, name: str) -> Schedule:
        """The joint schedule committed so far."""
        episode = self._playing()
        return chosen_schedule(name, episode.days, episode.candidates, episode.chosen)

    @property
    def load_kw(self) -> Float[np.ndarray, "day household step"]:
        """Committed load."""
        return self._playing().load_kw

    @property
    def chosen(self) -> Int[np.ndarray, " job"]:
        """Action taken per job."""
        return self._playing().chosen

    @property
    def num_plans(self) -> Int[np.ndarray, " job"]:
        """How many different plans each job had."""
        return self._playing().candidates.legal.sum(axis=1)

    def state(self) -> dict[str, Tensor]:
        """The public history of load curves."""
        return history_tensors(self.history)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the history of a checkpoint."""
        self.history = history_from(state)

    def counterfactual_rewards(self, neighbours: Int[Tensor, "N M"]) -> Counterfactuals:
        """Each household's own return under every alternative of its own or a neighbour's job."""
        episode, tariff = self._playing(), self.world.tariff
        jobs, plans = episode.days.jobs, episode.candidates
        change = plans.load_kw - plans.load_kw[np.arange(jobs.num_jobs), episode.chosen][:, None]
        change = change.astype(np.float32)
        bill, charge = own_alternatives_eur(
            change, episode.load_kw, jobs.day, jobs.household, tariff
        )
        delay = plans.delay_eur - plans.delay_eur[np.arange(jobs.num_jobs), episode.chosen][:, None]

        hour = jobs.arrival_step // STEPS_PER_HOUR
        shape = (HOURS, *episode.load_kw.shape[:2])
        own = np.zeros((*shape, plans.load_kw.shape[1]), dtype=np.float32)
        own[hour, jobs.day, jobs.household] = -(bill + charge + delay)
        receivers = neighbours.numpy(force=True)
        peers = np.zeros((*shape, receivers.shape[1], own.shape[-1]), dtype=np.float32)
        job, sender, slot = senders_of(receivers, jobs.household)
        more = others_bill_eur(change[job], episode.load_kw, jobs.day[job], sender, tariff)
        peers[hour[job], jobs.day[job], sender, slot] = -(more + charge[job])
        return Counterfactuals(own=torch.from_numpy(own), peers=torch.from_numpy(peers))

    def _playing(self) -> _Episode:
        if self._episode is None:
            raise RuntimeError("call reset before anything else")
        return self._episode

    def _observe(self) -> tuple[Float[Tensor, "E N O"], Bool[Tensor, "E N A"]]:
        """What is seen of the hour to come, and what may be chosen; at the end nothing."""
        episode, spec = self._playing(), self._spec
        shape = (spec.num_envs, spec.num_agents, spec.num_actions)
        rows = np.zeros((*shape, NUM_PUBLIC + NUM_PRIVATE), dtype=np.float32)
        mask = np.zeros(shape, dtype=bool)
        mask[..., 0] = True
        if episode.hour < HOURS:
            day, household = np.nonzero(episode.job_at[:, :, episode.hour] >= 0)
            job = episode.job_at[day, household, episode.hour]
            today = episode.load_kw.mean(axis=1)
            expected = forecast(self.history, episode.dawn_kw, today, episode.hour)
            rows[day, household] = episode.features[job]
            rows[day, household, :, 1:3] = _forecast_features(
                episode.candidates.load_kw[job], expected[day], self.world.tariff
            )
            mask[day, household] = episode.candidates.legal[job]
        return torch.from_numpy(rows).flatten(2), torch.from_numpy(mask)


_PRICE_EUR, _LOAD_KW_KWH, _EXCESS_KW_KWH, _DELAY_EUR, _HOUR_KWH = 1.0, 10.0, 3.0, 0.3, 3.0  # scales


def _static_features(
    days: Days, plans: Candidates, tariff: Tariff
) -> Float[np.ndarray, "job action feature"]:
    """Rows of (price, 0, 0, peak power, energy, kind one-hot, energy per hour; delay cost)."""
    jobs, actions = days.jobs, plans.load_kw.shape[1]
    rows = np.zeros((jobs.num_jobs, actions, NUM_PUBLIC + NUM_PRIVATE), dtype=np.float32)
    rows[..., 0] = (
        STEP_H * plans.load_kw @ (tariff.base_price - tariff.base_price.mean()) / _PRICE_EUR
    )
    rows[..., 3] = plans.load_kw.max(axis=-1) / 11.0
    rows[..., 4] = STEP_H * plans.load_kw.sum(axis=-1) / 13.0
    rows[np.arange(jobs.num_jobs), :, 5 + jobs.kind] = 1.0
    per_hour = plans.load_kw.reshape(jobs.num_jobs, actions, HOURS, STEPS_PER_HOUR).sum(axis=-1)
    rows[..., 5 + len(JobKind) : NUM_PUBLIC] = STEP_H * per_hour / _HOUR_KWH
    rows[..., NUM_PUBLIC] = plans.delay_eur / _DELAY_EUR
    return rows


def _forecast_features(
    load_kw: Float[np.ndarray, "job action step"],
    expected_kw: Float[np.ndarray, "job step"],
    tariff: Tariff,
) -> Float[np.ndarray, "job action 2"]:
    excess = np.maximum(expected_kw - tariff.kappa, 0.0)
    return np.stack(
        [
            STEP_H * np.einsum("jat,jt->ja", load_kw, expected_kw) / _LOAD_KW_KWH,
            STEP_H * np.einsum("jat,jt->ja", load_kw, excess) / _EXCESS_KW_KWH,
        ],
        axis=-1,
    )


def history_tensors(history: LoadHistory) -> dict[str, Tensor]:
    """A load history for a checkpoint."""
    return {
        "moments": torch.from_numpy(history.moments.copy()),
        "cross": torch.from_numpy(history.cross.copy()),
        "covariance": torch.from_numpy(history.covariance.copy()),
        "weight": torch.tensor([history.weight], dtype=torch.float64),
    }


def history_from(state: Mapping[str, Tensor]) -> LoadHistory:
    """The load history of a checkpoint."""
    arrays = {name: state[name].numpy().copy() for name in ("moments", "cross", "covariance")}
    return LoadHistory(**arrays, weight=float(state["weight"][0]))
