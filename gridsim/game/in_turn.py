"""The scheduling game in turn: nobody decides blind to those just before, and plans can be revised.

Data sheet
    agents        households
    step          a turn: of every day, the next household whose job came or is to be revised;
                  several at once where the day holds more decisions than turns (`turns.py`)
    action        which plan of `plans.py` the job, or what is left of it, follows from now on
    observation   per plan a row of features: the public ones, and the own private cost: delay,
                  and what is lost by feeding in
    public        what the plan costs at the load expected (price, congestion, feeder charge), its
                  peak and energy, the kind of job, which rule made it: all of it follows from the
                  job's announcement and public data
    load expected base load and later jobs as past days tell (`outlook.py`), and all plans announced
    reward        -J_i of the day, given at the last step; unit EUR
    end           of the day of 24 hours, `most_turns` steps, then a true end
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gridsim.game.alternatives import (
    more_feed_in_eur,
    others_bill_eur,
    own_alternatives_eur,
    senders_of,
)
from gridsim.game.costs import Costs, costs
from gridsim.game.env import ANNOUNCEMENT_FLOATS, World
from gridsim.game.joint_schedules import Schedule
from gridsim.game.plans import MOST_PLANS, OpenJobs, plans_by_rules
from gridsim.game.tariff import Tariff
from gridsim.game.turns import Turns, turns_of
from gridsim.households.households import DRAWN_KINDS, STEP_H, STEPS_PER_DAY, Days, mean_delay_cost
from gridsim.households.outlook import Outlook, expected_kw, regressors
from ss_core.env import Counterfactuals, EnvSpec, Step

NUM_COSTS = 3  # the first features: price, congestion, feeder charge of all
NUM_PUBLIC = NUM_COSTS + 2 + DRAWN_KINDS + MOST_PLANS
REVISE_AFTER = (4, 8, 16)  # quarter-hours after arrival
MOST_TURNS = 144  # a day
UNIT_EUR = 0.3  # of cost features
EVENTS_AT_ONCE = 4096  # of which alternatives are laid side by side: bounds memory


@dataclass(slots=True)
class _Episode:
    """The days being played; `event` is a decision, in order of day and turn."""

    days: Days
    turns: Turns
    plans_kw: Float[np.ndarray, "event action step"]  # from now on
    legal: Bool[np.ndarray, "event action"]  # none: the job was over by its turn
    chosen: Int[np.ndarray, " event"]
    changes_kw: Float[np.ndarray, "event step"]  # of the sum of all plans
    job_kw: Float[np.ndarray, "job step"]  # as planned at present
    announced_kw: Float[np.ndarray, "day step"]  # sum of plans, per household
    load_kw: Float[np.ndarray, "day household step"]
    coefficients: Float[np.ndarray, "now regressor step"]
    known: Float[np.ndarray, "day now regressor"]
    base_kw: Float[np.ndarray, "day step"]  # mean of households
    by_turn: list[np.ndarray]  # events of each turn
    at: int


class InTurnEnv:
    """`VectorEnv` and `CounterfactualEnv` over fresh days (the given ones, when `days` is set)."""

    def __init__(
        self,
        world: World,
        num_envs: int,
        *,
        days: Days | None = None,
        history: Outlook | None = None,
        history_decay: float = 0.9,
        revise_after: tuple[int, ...] = REVISE_AFTER,
        most_turns: int = MOST_TURNS,
    ) -> None:
        self.world = world
        self.history = history or Outlook.empty(with_sun=world.population.has_pv)
        self._days = days
        self._decay = history_decay
        self._revise_after = revise_after
        self._episode: _Episode | None = None
        self._mean_delay = mean_delay_cost(world.households)
        names = world.agent_names
        self._spec = EnvSpec(
            num_envs=num_envs if days is None else days.num_days,
            num_agents=len(names),
            num_actions=world.num_actions,
            observation_size=world.num_actions * (NUM_PUBLIC + 1),
            horizon=most_turns,
            agent_names=names,
            candidate_size=NUM_PUBLIC + 1,
            public_size=NUM_PUBLIC,
            announcement_floats=announcement_floats(world),
        )

    @property
    def spec(self) -> EnvSpec:
        """Sizes; a step is a turn."""
        return self._spec

    def reset(self, seed: int) -> Step:
        """Draw new days from `seed` (nothing is drawn when the days were given)."""
        days = self._days or self.world.training_days(self._spec.num_envs, seed)
        turns = turns_of(days, self._revise_after, self._spec.horizon)
        events, actions = turns.num_events, self._spec.num_actions
        order = np.argsort(turns.turn, kind="stable")
        ends = np.searchsorted(turns.turn[order], np.arange(1, self._spec.horizon))
        self._episode = _Episode(
            days=days,
            turns=turns,
            plans_kw=np.zeros((events, actions, STEPS_PER_DAY), dtype=np.float32),
            legal=np.zeros((events, actions), dtype=bool),
            chosen=np.zeros(events, dtype=np.int64),
            changes_kw=np.zeros((events, STEPS_PER_DAY), dtype=np.float32),
            job_kw=np.zeros((days.jobs.num_jobs, STEPS_PER_DAY)),
            announced_kw=np.zeros((days.num_days, STEPS_PER_DAY)),
            load_kw=days.base_kw.copy(),
            coefficients=self.history.coefficients(),
            known=regressors(days),
            base_kw=days.base_kw.mean(axis=1),
            by_turn=np.split(order, ends),
            at=0,
        )
        observations, mask = self._observe()
        return Step.first(observations, action_mask=mask)

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Announce the chosen plans of those whose turn it was.

        Raises:
            RuntimeError: the days are over or were never begun.
        """
        episode = self._playing()
        if episode.at == self._spec.horizon:
            raise RuntimeError("the days are over: call reset")
        event = episode.by_turn[episode.at]
        self._announce(event[episode.legal[event].any(axis=1)], actions.numpy(force=True))
        episode.at += 1
        observations, mask = self._observe()
        if episode.at < self._spec.horizon:
            nothing = torch.zeros(observations.shape[:2])
            return Step.next(observations, nothing, action_mask=mask)
        if self._days is None:
            self.history = self.history.after(episode.days, episode.job_kw, self._decay)
        rewards = torch.from_numpy(-self.outcome().cost_eur).float()
        return Step.last(observations, rewards, next_observations=observations, action_mask=mask)

    def _announce(self, event: Int[np.ndarray, " k"], actions: Int[np.ndarray, "E N"]) -> None:
        episode = self._playing()
        job = episode.turns.job[event]
        day, household = episode.days.jobs.day[job], episode.days.jobs.household[job]
        choice = actions[day, household]
        episode.chosen[event] = choice
        later = np.arange(STEPS_PER_DAY) >= episode.turns.now[event][:, None]
        change = np.where(later, episode.plans_kw[event, choice] - episode.job_kw[job], 0.0)
        episode.changes_kw[event] = change
        episode.job_kw[job] += change
        episode.load_kw[day, household] += change
        np.add.at(episode.announced_kw, day, change / self._spec.num_agents)

    def outcome(self) -> Costs:
        """What the days cost with the plans announced so far."""
        episode = self._playing()
        jobs = episode.days.jobs
        discomfort = np.zeros(episode.load_kw.shape[:2])
        np.add.at(discomfort, (jobs.day, jobs.household), self.delay_eur())
        return costs(episode.load_kw, discomfort, self.world.tariff)

    def delay_eur(self) -> Float[np.ndarray, " job"]:
        """Private discomfort of every job's present plan; 0 where there is none."""
        episode = self._playing()
        everyone = np.arange(len(episode.job_kw))
        return self._delay_eur(everyone, episode.job_kw[:, None])[:, 0]

    def schedule(self, name: str) -> Schedule:
        """The joint schedule as it was carried out."""
        episode = self._playing()
        return Schedule.of_jobs(name, episode.days, episode.job_kw.copy(), self.delay_eur())

    @property
    def load_kw(self) -> Float[np.ndarray, "day household step"]:
        """Base load and plans announced."""
        return self._playing().load_kw

    @property
    def last_decision(self) -> Int[np.ndarray, " job"]:
        """The last decision about each job."""
        episode = self._playing()
        event = np.flatnonzero(episode.legal.any(axis=1))
        last = np.zeros(len(episode.job_kw), dtype=np.int64)
        last[episode.turns.job[event]] = event  # in order of turns: later ones overwrite
        return last

    @property
    def turns(self) -> Turns:
        """Whose turn was when."""
        return self._playing().turns

    @property
    def chosen(self) -> Int[np.ndarray, " event"]:
        """Plan taken at every decision."""
        return self._playing().chosen

    @property
    def days(self) -> Days:
        """The days being played."""
        return self._playing().days

    @property
    def changes_kw(self) -> Float[np.ndarray, "event step"]:
        """How every decision changed the sum of announced plans, which is public."""
        return self._playing().changes_kw

    @property
    def num_plans(self) -> Int[np.ndarray, " event"]:
        """How many different plans there were; 0: the job was over by its turn."""
        return self._playing().legal.sum(axis=1)

    def state(self) -> dict[str, Tensor]:
        """The public outlook."""
        return self.history.tensors()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the outlook of a checkpoint."""
        self.history = Outlook.of_tensors(state)

    def counterfactual_rewards(self, neighbours: Int[Tensor, "N M"]) -> Counterfactuals:
        """Each household's own return had the rest of a job followed another plan to its end.

        Everything else is as it happened; values are relative to the plan chosen, kept to its end.
        """
        episode, receivers = self._playing(), neighbours.numpy(force=True)
        shape = (self._spec.horizon, *episode.load_kw.shape[:2])
        own = np.zeros((*shape, self._spec.num_actions), dtype=np.float32)
        peers = np.zeros((*shape, receivers.shape[1], own.shape[-1]), dtype=np.float32)
        jobs, tariff = episode.days.jobs, self.world.tariff
        for event in self._choices():
            job, turn = episode.turns.job[event], episode.turns.turn[event]
            day, household, chosen = jobs.day[job], jobs.household[job], episode.chosen[event]
            later = np.arange(STEPS_PER_DAY) >= episode.turns.now[event][:, None]
            done = np.where(later, episode.job_kw[job], 0.0).astype(np.float32)
            plans = episode.plans_kw[event]
            change = plans - done[:, None]
            bill, charge = own_alternatives_eur(change, episode.load_kw, day, household, tariff)
            delay = self._delay_eur(job, plans)
            own[turn, day, household] = -_beyond(bill + charge + delay, chosen)
            at, sender, slot = senders_of(receivers, household)
            more = others_bill_eur(change[at], episode.load_kw, day[at], sender, tariff)
            peers[turn[at], day[at], sender, slot] = -_beyond(more + charge[at], chosen[at])
        return Counterfactuals(own=torch.from_numpy(own), peers=torch.from_numpy(peers))

    def _choices(self) -> Iterator[Int[np.ndarray, " k"]]:
        """Decisions between two or more plans, some at a time."""
        event = np.flatnonzero(self.num_plans > 1)
        for start in range(0, len(event), EVENTS_AT_ONCE):
            yield event[start : start + EVENTS_AT_ONCE]

    def _playing(self) -> _Episode:
        if self._episode is None:
            raise RuntimeError("call reset before anything else")
        return self._episode

    def _observe(self) -> tuple[Float[Tensor, "E N O"], Bool[Tensor, "E N A"]]:
        """What those see whose turn it is, and what they may choose; at the end nothing."""
        episode, spec = self._playing(), self._spec
        shape = (spec.num_envs, spec.num_agents, spec.num_actions)
        rows = np.zeros((*shape, NUM_PUBLIC + 1), dtype=np.float32)
        mask = np.zeros(shape, dtype=bool)
        mask[..., 0] = True
        if episode.at < spec.horizon:
            event = self._unfinished(episode.by_turn[episode.at])
            if len(event):
                job = episode.turns.job[event]
                day, household = episode.days.jobs.day[job], episode.days.jobs.household[job]
                rows[day, household] = self._lay_out(event)
                mask[day, household] = episode.legal[event]
        return torch.from_numpy(rows).flatten(2), torch.from_numpy(mask)

    def _unfinished(self, event: Int[np.ndarray, " k"]) -> Int[np.ndarray, " unfinished"]:
        """Those whose job still has something to decide: not full, not yet begun."""
        jobs, job = self._playing().days.jobs, self._playing().turns.job[event]
        drawn = self._drawn_kw(event)
        left = self._units_left(event, drawn)
        is_open = np.where(jobs.units[job] > 0, left > 0, drawn == 0.0)
        return event[is_open | (jobs.battery_kwh[job] > 0.0)]

    def _drawn_kw(self, event: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Sum over steps of what the jobs drew before now."""
        episode = self._playing()
        before = np.arange(STEPS_PER_DAY) < episode.turns.now[event][:, None]
        return np.where(before, episode.job_kw[episode.turns.job[event]], 0.0).sum(axis=1)

    def _stored_kwh(self, event: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """What batteries hold now; 0 for all other jobs."""
        episode = self._playing()
        job = episode.turns.job[event]
        before = np.arange(STEPS_PER_DAY) < episode.turns.now[event][:, None]
        kept = episode.days.battery.kept_kwh(np.where(before, episode.job_kw[job], 0.0))
        capacity = episode.days.jobs.battery_kwh[job]
        return np.where(capacity > 0.0, np.clip(kept.sum(axis=1), 0.0, capacity), 0.0)

    def _public_cost(self, job: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Delay as it costs the mean household; a battery's wear is the same for all."""
        jobs = self._playing().days.jobs
        kind = jobs.kind[job]
        mean = self._mean_delay[np.minimum(kind, DRAWN_KINDS - 1)]
        return np.where(kind < DRAWN_KINDS, mean, jobs.delay_cost[job])

    def _delay_eur(
        self, job: Int[np.ndarray, " k"], plans_kw: Float[np.ndarray, "k action step"]
    ) -> Float[np.ndarray, "k action"]:
        """What plans of their jobs cost households in private: delay, or wear less what is left."""
        days = self._playing().days
        delay = _delay_eur(days, job, plans_kw)
        is_battery = np.flatnonzero(days.jobs.battery_kwh[job] > 0.0)
        if len(is_battery):
            wear = days.jobs.delay_cost[job[is_battery], None]
            delay[is_battery] = days.battery.cost_eur(plans_kw[is_battery], wear)
        return delay

    def _units_left(
        self, event: Int[np.ndarray, " k"], drawn_kw: Float[np.ndarray, " k"]
    ) -> Int[np.ndarray, " k"]:
        days = self._playing().days
        units = days.jobs.units[self._playing().turns.job[event]]
        taken = np.round(drawn_kw / days.ev_level_kw).astype(np.int64)
        return np.where(units > 0, units - taken, 0)

    def _lay_out(self, event: Int[np.ndarray, " k"]) -> Float[np.ndarray, "k action feature"]:
        """Make the plans of those whose turn it is; their features."""
        episode, tariff, n = self._playing(), self.world.tariff, self._spec.num_agents
        days, jobs = episode.days, episode.days.jobs
        job, now = episode.turns.job[event], episode.turns.now[event]
        day, later = jobs.day[job], np.arange(STEPS_PER_DAY) >= now[:, None]
        planned = np.where(later, episode.job_kw[job], 0.0)
        expected = expected_kw(episode.coefficients, episode.known, episode.base_kw, day, now)
        others = episode.announced_kw[day] - planned / n
        expected += others if jobs.battery_kwh.any() else np.maximum(others, 0.0)
        rest = OpenJobs(
            now=now,
            end=jobs.end_step[job],
            duration=jobs.duration_steps[job],
            cycle_kw=jobs.cycle_kw[job],
            units=self._units_left(event, self._drawn_kw(event)),
            delay_cost=self._public_cost(job),
            battery_kwh=jobs.battery_kwh[job],
            stored_kwh=self._stored_kwh(event),
            planned_kw=planned,
            is_first=episode.turns.is_first[event],
            own_kw=episode.load_kw[day, jobs.household[job]] - planned,
        )
        plans, legal = plans_by_rules(rest, expected, tariff, n, days, self._spec.num_actions)
        episode.plans_kw[event], episode.legal[event] = plans, legal
        rows = np.zeros((*plans.shape[:2], NUM_PUBLIC + 1), dtype=np.float32)
        rows[..., :NUM_PUBLIC] = _public_features(plans, expected, jobs.kind[job], tariff, n)
        private_eur = self._delay_eur(job, plans)
        private_eur += more_feed_in_eur(plans, rest.own_kw, tariff)
        rows[..., NUM_PUBLIC] = private_eur / UNIT_EUR
        return rows


def announcement_floats(world: World) -> int:
    """Numbers that announce a job: where its plans follow the owner's own sun, the plans, too."""
    if world.tariff.feed_in_loss is None or not world.population.has_pv:
        return ANNOUNCEMENT_FLOATS
    return ANNOUNCEMENT_FLOATS + world.num_actions * STEPS_PER_DAY


def _beyond(
    cost_eur: Float[np.ndarray, "k action"], chosen: Int[np.ndarray, " k"]
) -> Float[np.ndarray, "k action"]:
    """Costs beyond those of the plan chosen."""
    return cost_eur - np.take_along_axis(cost_eur, chosen[:, None], axis=1)


def _public_features(
    plans_kw: Float[np.ndarray, "k action step"],
    expected_kw: Float[np.ndarray, "k step"],
    kind: Int[np.ndarray, " k"],
    tariff: Tariff,
    households: int,
) -> Float[np.ndarray, "k action feature"]:
    """Costs of each plan [`UNIT_EUR`], peak and energy, kind and rule one-hot."""
    rows = np.zeros((*plans_kw.shape[:2], NUM_PUBLIC), dtype=np.float32)
    load = expected_kw.astype(np.float32)[:, None]
    over = tariff.excess_kw(load) ** 2
    after = tariff.excess_kw(load + plans_kw / households) ** 2
    rows[..., 0] = plans_kw @ (tariff.base_price - tariff.base_price.mean()).astype(np.float32)
    rows[..., 1] = tariff.beta * ((load + plans_kw / households) * plans_kw).sum(axis=-1)
    rows[..., 2] = households * tariff.gamma * (after - over).sum(axis=-1)
    rows[..., :NUM_COSTS] *= STEP_H / UNIT_EUR
    rows[..., 3] = plans_kw.max(axis=-1) / 11.0
    rows[..., 4] = STEP_H * plans_kw.sum(axis=-1) / 13.0
    drawn = np.flatnonzero(kind < DRAWN_KINDS)  # a battery is none of these
    rows[drawn, :, 5 + kind[drawn]] = 1.0
    rows[..., 5 + DRAWN_KINDS :] = np.eye(plans_kw.shape[1], MOST_PLANS, dtype=np.float32)
    return rows


def _delay_eur(
    days: Days, job: Int[np.ndarray, " k"], plans_kw: Float[np.ndarray, "k action step"]
) -> Float[np.ndarray, "k action"]:
    """What each household suffers from plans of its jobs; 0 for no load."""
    jobs = days.jobs
    cost, arrival = jobs.delay_cost[job][:, None], jobs.arrival_step[job][:, None]
    energy = STEP_H * plans_kw.sum(axis=-1)
    moment = STEP_H * (plans_kw @ np.arange(STEPS_PER_DAY, dtype=plans_kw.dtype))
    car = STEP_H * (moment - arrival * energy)
    silent = (jobs.cycle_kw[job] > 0).argmax(axis=1)[:, None]  # steps before a cycle draws
    start = (plans_kw > 0).argmax(axis=-1) - silent
    cycle = STEP_H * (start - arrival) * (energy > 0)
    return cost * np.where((jobs.units[job] > 0)[:, None], car, cycle)
