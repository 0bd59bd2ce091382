"""Adam is torch's Adam, one agent at a time if asked, each clipped by its own norm."""

import pytest
import torch
from torch import Tensor

from ss_core.policies.mlp_stack import Params
from ss_core.policies.optimiser import adam_step, clip_by_agent, init_adam

SHAPES = {"w0": (3, 4, 5), "b0": (3, 1, 5)}


def drawn(seed: int) -> Params:
    draw = torch.Generator().manual_seed(seed)
    return {k: torch.randn(shape, generator=draw) for k, shape in SHAPES.items()}


def test_steps_are_those_of_torch_adam() -> None:
    params, reference = drawn(0), drawn(0)
    optimiser = torch.optim.Adam(reference.values(), lr=1e-2, foreach=False)
    state = init_adam(params, num_agents=3)
    for step in range(1, 6):
        grads = drawn(step)
        for k, w in reference.items():
            w.grad = grads[k].clone()
        optimiser.step()
        adam_step(params, grads, state, lr=dict.fromkeys(params, 1e-2))
    for k, w in params.items():
        torch.testing.assert_close(w, reference[k], rtol=1e-6, atol=1e-7)
    assert state.steps.tolist() == [5, 5, 5]


def test_layout_of_the_gradient_does_not_matter() -> None:
    plain, strided = drawn(0), drawn(0)
    grads = drawn(1)
    turned = {k: g.transpose(1, 2).contiguous().transpose(1, 2) for k, g in grads.items()}
    sliced = {k: torch.cat([g, g], dim=-1)[..., : g.shape[-1]] for k, g in turned.items()}
    for other in (turned, sliced):
        for params, given in ((plain, grads), (strided, other)):
            adam_step(params, given, init_adam(params, 3), lr=dict.fromkeys(params, 0.1))
        assert all(torch.equal(plain[k], strided[k]) for k in plain)


def rows(params: dict[str, Tensor], agent: int) -> dict[str, Tensor]:
    return {k: w[agent : agent + 1] for k, w in params.items()}


def test_stepping_one_agent_touches_its_rows_alone() -> None:
    params, before = drawn(0), drawn(0)
    state = init_adam(params, 3)
    one = state.of_agent(1)
    adam_step(rows(params, 1), rows(drawn(1), 1), one, lr=dict.fromkeys(params, 0.1))
    for tensors, untouched in (
        (params, before),
        (state.exp_avg, {k: torch.zeros_like(w) for k, w in before.items()}),
        (state.exp_avg_sq, {k: torch.zeros_like(w) for k, w in before.items()}),
    ):
        for k, w in tensors.items():
            assert torch.equal(w[[0, 2]], untouched[k][[0, 2]])
            assert not torch.equal(w[1], untouched[k][1])
    assert state.steps.tolist() == [0, 1, 0]


def test_agents_in_turn_make_the_step_of_all() -> None:
    together, in_turn = drawn(0), drawn(0)
    one, other = init_adam(together, 3), init_adam(in_turn, 3)
    for seed in (1, 2):
        adam_step(together, drawn(seed), one, lr=dict.fromkeys(together, 0.1), max_grad_norm=0.5)
        for agent in range(3):
            adam_step(
                rows(in_turn, agent),
                rows(drawn(seed), agent),
                other.of_agent(agent),
                lr=dict.fromkeys(in_turn, 0.1),
                max_grad_norm=0.5,
            )
    assert all(torch.equal(together[k], in_turn[k]) for k in together)
    assert torch.equal(one.steps, other.steps)


def test_each_parameter_has_its_own_rate() -> None:
    params, before = drawn(0), drawn(0)
    adam_step(params, drawn(1), init_adam(params, 3), lr={"w0": 0.0, "b0": 0.25})
    assert torch.equal(params["w0"], before["w0"])
    moved = (params["b0"] - before["b0"]).abs()  # Adam's first step has the size of its rate
    assert moved.flatten().tolist() == pytest.approx([0.25] * 15, rel=1e-4)


def test_gradients_are_clipped_by_the_norm_of_their_agent() -> None:
    grads: dict[str, Tensor] = {
        "w": torch.tensor([[[3.0]], [[0.3]]]),
        "b": torch.tensor([[[4.0]], [[0.4]]]),
    }
    clipped = clip_by_agent(grads, max_norm=1.0)
    assert clipped["w"].flatten().tolist() == pytest.approx([0.6, 0.3])
    assert clipped["b"].flatten().tolist() == pytest.approx([0.8, 0.4])
