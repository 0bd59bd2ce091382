"""What critics see: their own observation, everybody's, and the time where asked."""

import torch

from ss_core.policies.critics import build_critics
from ss_core.policies.mlp_stack import forward_stack
from tests.support.small_learners import generator, sizes

AGENTS, ROWS = 4, 5


def test_critics_see_their_own_observation_or_all_of_them() -> None:
    observations = torch.randn((ROWS, AGENTS, 5), generator=generator())
    alone = build_critics(sizes(AGENTS), (6,), generator(), centralised=False)
    values = alone.values(observations)
    assert values.shape == (ROWS, AGENTS)
    for agent in range(AGENTS):
        row = {k: w[agent : agent + 1] for k, w in alone.params.items()}
        plain = forward_stack(row, observations[:, agent][None]).flatten()
        torch.testing.assert_close(values[:, agent], plain, rtol=0, atol=1e-6)
    central = build_critics(sizes(AGENTS), (6,), generator(), centralised=True)
    plain = forward_stack(central.params, observations.flatten(1)[None]).squeeze(0)
    torch.testing.assert_close(central.values(observations), plain, rtol=0, atol=1e-6)


def test_critics_may_start_at_zero_and_still_learn() -> None:
    observations = torch.randn((ROWS, AGENTS, 5), generator=generator())
    for zero in (False, True):
        critics = build_critics(
            sizes(AGENTS), (6,), generator(), centralised=False, zero_values=zero
        )
        values = critics.values(observations)
        assert bool((values == 0.0).all()) == zero
        values.sum().backward()
        assert bool(critics.params["w1"].grad.any())  # pyright: ignore[reportOptionalMemberAccess]


def test_the_time_is_one_more_input_of_each_observation() -> None:
    for centralised, inputs in ((False, 5 + 1), (True, AGENTS * (5 + 1))):
        critics = build_critics(
            sizes(AGENTS), (6,), generator(), centralised=centralised, sees_time=True
        )
        assert critics.params["w0"].shape[-2] == inputs
