"""References that know no more than the learners: same turns, outlook and plans, nothing learnt.

The equilibrium and the optimum know every job of the day and all base load beforehand; these do
not. Each picks, in turn, the plan that costs least at the load expected, to its owner or to all.
The private delay cost is the household's own.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gridsim.game.in_turn import NUM_COSTS, InTurnEnv
from gridsim.game.joint_schedules import Schedule
from gridsim.households.households import Days
from gridsim.households.outlook import Outlook
from ss_core.env import Step
from ss_core.random_streams import Stream, torch_generator

PAST_BATCHES = 16  # of days from which the outlook is known
SELFISH_BY_RULE, PLANNER_BY_RULE = "selfish_by_rule", "planner_by_rule"
RANDOM = "random_among_candidates"

BuildEnv = Callable[[Days | None, Outlook | None], InTurnEnv]  # None: fresh days; no history


def cost_weights(row: str, households: int) -> tuple[float, ...]:
    """Of a plan's price, congestion, the feeder charge of all, and the own delay.

    A planner counts congestion twice: what the plan costs its owner, and what it adds to others.
    """
    if row == SELFISH_BY_RULE:
        return (1.0, 1.0, 1.0 / households, 1.0)
    return (1.0, 2.0, 1.0, 1.0)


def outlook_of_past_days(row: str, build: BuildEnv, seeds: Sequence[int]) -> Outlook:
    """What past days tell of which everybody played `row`; one batch of days per seed."""
    outlook: Outlook | None = None
    for seed in seeds:
        env = build(None, outlook)
        _play(env, cost_weights(row, env.spec.num_agents), seed)
        outlook = env.history
    assert outlook is not None  # of the last batch
    return outlook


def schedule_by_rule(row: str, days: Days, outlook: Outlook, build: BuildEnv) -> Schedule:
    """What `row` does on the given days."""
    env = build(days, outlook)
    _play(env, cost_weights(row, env.spec.num_agents), 0)
    return env.schedule(row)


def random_schedule(days: Days, outlook: Outlook, build: BuildEnv, seed: int) -> Schedule:
    """A plan at random at every turn."""
    env = build(days, outlook)
    step, generator = env.reset(0), torch_generator(seed, Stream.RANDOM_PLANS)
    for _ in range(env.spec.horizon):
        assert step.action_mask is not None
        chance = step.action_mask.flatten(0, 1).double()
        drawn = torch.multinomial(chance, 1, generator=generator)
        step = env.step(drawn.view(step.action_mask.shape[:2]))
    return env.schedule(RANDOM)


def _play(env: InTurnEnv, weights: tuple[float, ...], seed: int) -> None:
    step = env.reset(seed)
    for _ in range(env.spec.horizon):
        step = env.step(_cheapest(step, env.spec.num_actions, weights))


def _cheapest(step: Step, num_actions: int, weights: tuple[float, ...]) -> Tensor:
    rows = step.observations.unflatten(-1, (num_actions, -1))
    costs = torch.cat([rows[..., :NUM_COSTS], rows[..., -1:]], dim=-1)
    total = costs @ torch.tensor(weights, dtype=costs.dtype)
    assert step.action_mask is not None
    return total.masked_fill(~step.action_mask, torch.inf).argmin(dim=-1)
