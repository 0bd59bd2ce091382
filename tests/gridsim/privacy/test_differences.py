"""The public sum before and after a turn: what it gives away, by hand and on days played."""

import numpy as np
import pytest
import torch

from gridsim.households.households import STEP_H, STEPS_PER_DAY
from gridsim.privacy.differences import Differences, described, differences_of
from tests.gridsim.game.in_turn_world import N, env_of, play, some_days


def test_an_arrival_and_a_revision_worked_by_hand() -> None:
    kw = np.zeros((3, STEPS_PER_DAY))
    kw[0, 40:44] = 2.0  # household 0 at step 40: 2 kWh at once
    kw[1, 44:48], kw[1, 60:64] = 8.0, 4.0  # household 1 at step 44: 12 kWh
    kw[2, 60:64], kw[2, 52:56] = -4.0, 4.0  # household 1 at step 48: 4 kWh two hours earlier
    seen = Differences(
        kw=kw,
        household=np.array([0, 1, 1]),
        now=np.array([40, 44, 48]),
        num_days=2,
        num_households=3,
    )
    np.testing.assert_allclose(seen.kwh, [2.0, 12.0, 0.0])
    np.testing.assert_allclose(seen.moved_kwh, [0.0, 0.0, 4.0])
    rows = described(seen)
    turns, came, large, changed, kwh_a_day, most = rows[:, :6].T
    np.testing.assert_allclose(turns, [0.5, 1.0, 0.0])
    np.testing.assert_allclose(came, [0.5, 0.5, 0.0])
    np.testing.assert_allclose(large, [0.0, 0.5, 0.0])
    np.testing.assert_allclose(changed, [0.0, 0.5, 0.0])
    np.testing.assert_allclose(kwh_a_day, [1.0, 6.0, 0.0])
    np.testing.assert_allclose(most, [2.0, 12.0, 0.0])
    np.testing.assert_allclose(rows[1, 6:9], [1.0, -2.0, 4.0])  # share, shift h, kWh moved
    np.testing.assert_allclose(rows[0, 9:13], [2.0, 2.0, 10.0, 0.375])  # kWh, kW, h, delay h
    np.testing.assert_allclose(rows[1, 13:17], [12.0, 8.0, 11.0, 0.375 + 4.0 / 3.0])
    np.testing.assert_allclose(rows[:, 17:].sum(axis=1), [1.0, 6.0, 0.0])  # kW by hour over 2 days
    assert rows[1, 17 + 11] == pytest.approx(4.0)
    assert not rows[2].any()


@pytest.mark.parametrize("most_turns", [96, 20])
def test_differences_are_what_the_public_sum_did_at_every_turn(most_turns: int) -> None:
    env = env_of(some_days(3, 5), most_turns=most_turns)
    generator = torch.Generator().manual_seed(1)
    step, sums = env.reset(0), [np.zeros((3, STEPS_PER_DAY))]
    for _ in range(most_turns):
        assert step.action_mask is not None
        drawn = torch.multinomial(step.action_mask.double().flatten(0, 1), 1, generator=generator)
        step = env.step(drawn.view(3, N))
        sums.append(N * env._playing().announced_kw.copy())
    day, turn = env.days.jobs.day[env.turns.job], env.turns.turn
    after, before = (np.stack(sums)[turn + more, day] for more in (1, 0))
    at_once = np.bincount(day * most_turns + turn)[day * most_turns + turn]
    assert at_once.max() == 1 or most_turns < 96
    seen = differences_of(env)
    np.testing.assert_allclose(seen.kw, (after - before) / at_once[:, None], atol=1e-4)


def test_whose_turn_is_alone_gives_away_its_job() -> None:
    env = env_of(some_days(2, 7))
    play(env, 3)
    seen, turns = differences_of(env), env.turns
    first = turns.is_first
    energy = STEP_H * env.schedule("played").job_kw.sum(axis=1)
    np.testing.assert_allclose(seen.kwh[first], energy[turns.job[first]], atol=1e-4)
    np.testing.assert_allclose(seen.kwh[~first], 0.0, atol=1e-4)
