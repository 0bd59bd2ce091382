"""The scheduling game in small steps: every 15 minutes a charging level and whether a cycle starts.

The same days, tariff and costs as `env.py`, for comparison: there a household decides once per job,
here its decisions are spread over 96 steps and credit has to travel through time.

Data sheet
    agents        households
    step          15 minutes
    action        2 * level + start: EV level 0..3 times "start the next waiting cycle", no or yes;
                  next is the cycle that must start first
    legal         what keeps all deadlines; a household without a job has action 0 alone
    observation   time, price and public forecast of the next 12 hours, own jobs (`OBSERVED`)
    reward        -J_it: bill and share of the feeder charge of this step, cost of what waits in it
    end           noon to noon, 96 steps, then a true end; call `reset` for other days
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gridsim.game.costs import Costs, costs
from gridsim.game.env import World, history_from, history_tensors
from gridsim.households.forecast import (
    LoadHistory,
    day_regressors,
    empty_history,
    forecast,
    remember,
)
from gridsim.households.households import (
    MAX_CYCLE_STEPS,
    STEP_H,
    STEPS_PER_DAY,
    STEPS_PER_HOUR,
    Days,
)
from gridsim.households.schedules import EV_LEVELS
from gridsim.households.workload import NUM_ACTIONS, Choices, Workload, choices, lay_out
from ss_core.env import EnvSpec, Step

HOURS_AHEAD = 12
OBSERVED = (
    *("sin_time", "cos_time", "elapsed"),
    "price_now",
    *(f"price_in_{hour}_h" for hour in range(HOURS_AHEAD)),
    "load_now",
    *(f"load_in_{hour}_h" for hour in range(HOURS_AHEAD)),
    *("ev_connected", "ev_units", "ev_steps_left", "ev_lowest_level", "ev_delay_cost"),
    *("cycles_waiting", "cycle_kw", "cycle_steps", "cycle_slack", "cycle_delay_cost"),
)
_PRICE_EUR, _LOAD_KW, _UNITS, _STEPS, _EV_COST, _CYCLE_COST = 0.1, 2.0, 16.0, 48.0, 0.005, 0.03


@dataclass(slots=True)
class _Episode:
    """The days being played."""

    days: Days
    work: Workload
    regressors: Float[np.ndarray, "day regressor"]
    dawn_kw: Float[np.ndarray, "day step"]  # load expected before the day began
    expected_kw: Float[np.ndarray, "day step"]  # as of the last full hour
    load_kw: Float[np.ndarray, "day household padded_step"]
    discomfort_eur: Float[np.ndarray, "day household"]
    ev_units: Int[np.ndarray, "day household"]  # still to charge
    started: Bool[np.ndarray, "day household slot"]
    ev_level: Int[np.ndarray, "day household step"]
    start_step: Int[np.ndarray, " job"]  # of cycles; -1: not yet, and cars
    step: int = 0


class QuarterHourlyEnv:
    """`VectorEnv` over fresh days (or the given ones, when `days` is set); see the data sheet."""

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
            num_actions=NUM_ACTIONS,
            observation_size=len(OBSERVED),
            horizon=STEPS_PER_DAY,
            agent_names=names,
        )

    @property
    def spec(self) -> EnvSpec:
        """Sizes; 96 steps of 15 minutes."""
        return self._spec

    def reset(self, seed: int) -> Step:
        """Draw new days from `seed`, those of `SchedulingEnv` (or begin the given ones again)."""
        days = self._days or self.world.training_days(self._spec.num_envs, seed)
        work, regressors = lay_out(days), day_regressors(days.temperature_c, days.is_weekend)
        dawn_kw = self.history.expected_kw(regressors)
        self._episode = _Episode(
            days=days,
            work=work,
            regressors=regressors,
            dawn_kw=dawn_kw,
            expected_kw=dawn_kw,
            load_kw=np.pad(days.base_kw, [[0, 0], [0, 0], [0, MAX_CYCLE_STEPS]]),
            discomfort_eur=np.zeros(days.base_kw.shape[:2]),
            ev_units=work.ev_units.copy(),
            started=work.job < 0,
            ev_level=np.zeros(days.base_kw.shape, dtype=np.int8),
            start_step=np.full(days.jobs.num_jobs, -1),
        )
        observations, mask = self._observe()
        return Step.first(observations, action_mask=mask)

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Charge and start as asked; what would break a deadline becomes the nearest legal action.

        Raises:
            RuntimeError: the days are over or were never begun.
        """
        episode = self._playing()
        if episode.step == STEPS_PER_DAY:
            raise RuntimeError("the days are over: call reset")
        chosen = actions.numpy(force=True)
        _charge_and_start(episode, chosen // 2, chosen % 2 == 1)
        cost_eur = _cost_of_step(episode, self.world)
        episode.step += 1
        rewards = torch.from_numpy(-cost_eur).float()
        observations, mask = self._observe()
        if episode.step < STEPS_PER_DAY:
            return Step.next(observations, rewards, action_mask=mask)
        if self._days is None:
            curves = self.load_kw.mean(axis=1)
            self.history = remember(self.history, curves, episode.regressors, self._decay)
        return Step.last(observations, rewards, next_observations=observations, action_mask=mask)

    def outcome(self) -> Costs:
        """What the days cost with the load committed so far."""
        return costs(self.load_kw, self.discomfort_eur(), self.world.tariff)

    def discomfort_eur(self) -> Float[np.ndarray, "day household"]:
        """D_i so far."""
        return self._playing().discomfort_eur.copy()

    @property
    def load_kw(self) -> Float[np.ndarray, "day household step"]:
        """Committed load."""
        return self._playing().load_kw[..., :STEPS_PER_DAY]

    @property
    def ev_level(self) -> Int[np.ndarray, "day household step"]:
        """Charging levels so far."""
        return self._playing().ev_level

    @property
    def start_step(self) -> Int[np.ndarray, " job"]:
        """When each cycle started; -1 for cars and what has not started."""
        return self._playing().start_step

    def state(self) -> dict[str, Tensor]:
        """The public history of load curves."""
        return history_tensors(self.history)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the history of a checkpoint."""
        self.history = history_from(state)

    def _playing(self) -> _Episode:
        if self._episode is None:
            raise RuntimeError("call reset before anything else")
        return self._episode

    def _observe(self) -> tuple[Float[Tensor, "E N O"], Bool[Tensor, "E N A"]]:
        """What is seen of the step to come, and what may be done; at the end nothing."""
        episode, spec = self._playing(), self._spec
        shape = (spec.num_envs, spec.num_agents)
        seen = np.zeros((*shape, spec.observation_size), dtype=np.float32)
        legal = np.zeros((*shape, NUM_ACTIONS), dtype=np.bool_)
        legal[..., 0] = True
        if episode.step < STEPS_PER_DAY:
            hour, since = divmod(episode.step, STEPS_PER_HOUR)
            if since == 0:
                today = self.load_kw.mean(axis=1)
                episode.expected_kw = forecast(self.history, episode.dawn_kw, today, hour)
            may = choices(episode.work, episode.step, episode.ev_units, episode.started)
            legal = may.legal()
            public = _public_features(episode, self.world)
            seen[..., : public.shape[-1]] = public[:, None]
            seen[..., public.shape[-1] :] = _own_features(episode, may)
        return torch.from_numpy(seen), torch.from_numpy(legal)


def _charge_and_start(
    episode: _Episode,
    level: Int[np.ndarray, "day household"],
    start: Bool[np.ndarray, "day household"],
) -> None:
    work, t = episode.work, episode.step
    may = choices(work, t, episode.ev_units, episode.started)
    level = np.clip(level, may.lowest, may.highest)
    episode.ev_level[..., t] = level
    episode.ev_units -= level
    episode.load_kw[..., t] += level * episode.days.ev_level_kw
    begins = may.due | (may.following & start[..., None])
    episode.started |= begins
    episode.start_step[work.job[begins]] = t
    day, household, _ = np.nonzero(begins)
    run = t + np.arange(MAX_CYCLE_STEPS)
    np.add.at(episode.load_kw, (day[:, None], household[:, None], run), work.cycle_kw[begins])


def _cost_of_step(episode: _Episode, world: World) -> Float[np.ndarray, "day household"]:
    """J_it, and what waits is added to the discomfort so far."""
    work, t, tariff = episode.work, episode.step, world.tariff
    load_kw = episode.load_kw[..., t]
    mean_kw = load_kw.mean(axis=1, keepdims=True)
    bill = STEP_H * (tariff.base_price[t] + tariff.beta * mean_kw) * load_kw
    charge = tariff.gamma * STEP_H * np.maximum(mean_kw - tariff.kappa, 0.0) ** 2
    waits = (work.arrival <= t) & ~episode.started
    discomfort = (work.delay_cost * waits).sum(axis=-1)
    discomfort += work.ev_delay_cost * episode.ev_units * (work.ev_arrival <= t)
    episode.discomfort_eur += discomfort
    return bill + charge + discomfort


def _public_features(episode: _Episode, world: World) -> Float[np.ndarray, "day feature"]:
    """Time, then price and forecast load: now and the means of the hours to come."""
    t, price = episode.step, world.tariff.base_price
    ahead = np.minimum(t + np.arange(HOURS_AHEAD * STEPS_PER_HOUR), STEPS_PER_DAY - 1)
    elapsed = t / STEPS_PER_DAY
    time = [np.sin(2 * np.pi * elapsed), np.cos(2 * np.pi * elapsed), elapsed]
    above = (price - price.mean()) / _PRICE_EUR
    common = np.array([*time, above[t], *_hourly_means(above[ahead])])
    load = episode.expected_kw / _LOAD_KW
    return np.concatenate(
        [np.tile(common, (len(load), 1)), load[:, t : t + 1], _hourly_means(load[:, ahead])], axis=1
    )


def _hourly_means(x: Float[np.ndarray, "*day step"]) -> Float[np.ndarray, "*day hour"]:
    return x.reshape(*x.shape[:-1], -1, STEPS_PER_HOUR).mean(axis=-1)


def _own_features(episode: _Episode, may: Choices) -> Float[np.ndarray, "day household feature"]:
    """The car, how many cycles wait, and the one that starts next."""
    work, t = episode.work, episode.step
    connected = (work.ev_arrival <= t) & (t < work.ev_end)
    next_cycle = may.following
    kw = work.cycle_kw.sum(axis=-1) / np.maximum(work.duration, 1)
    next_kw, next_steps, next_slack, next_cost = (
        np.where(next_cycle, x, 0.0).sum(axis=-1)
        for x in (kw, work.duration, work.latest_start - t, work.delay_cost / STEP_H)
    )
    cost = work.ev_delay_cost / (STEP_H * STEP_H * episode.days.ev_level_kw)
    return np.stack(
        [
            connected,
            connected * episode.ev_units / _UNITS,
            connected * (work.ev_end - t) / _STEPS,
            may.lowest / EV_LEVELS,
            connected * cost / _EV_COST,
            may.waiting.sum(axis=-1) / 2.0,
            next_kw / _LOAD_KW,
            next_steps / MAX_CYCLE_STEPS,
            next_slack / _UNITS,
            next_cost / _CYCLE_COST,
        ],
        axis=-1,
    )
