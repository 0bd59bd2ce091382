"""Convolutions in front of perceptrons: the same as torch's own, one set for each network."""

import pytest
import torch
from torch.nn import Conv2d, Flatten, Linear, ReLU, Sequential

from ss_core.env import EnvSpec, Picture
from ss_core.policies.actors import Architecture, build_actors
from ss_core.policies.critics import build_critics
from ss_core.policies.feature_actor import PeerRows
from ss_core.policies.mlp_stack import forward_agents, init_stack

AGENTS, BATCH, BEHIND = 2, 3, 2


def picture(*, channels_last: bool) -> Picture:
    return Picture(channels=3, rows=12, columns=20, channels_last=channels_last)


@pytest.mark.parametrize("channels_last", [True, False])
def test_each_network_is_torch_conv2d_on_its_own_picture(channels_last: bool) -> None:
    shown = picture(channels_last=channels_last)
    generator = torch.Generator().manual_seed(0)
    size = shown.size + BEHIND
    params = init_stack((AGENTS,), (size, 7, 4), generator, picture=shown)
    x = torch.rand((BATCH, AGENTS, size), generator=generator)
    found = forward_agents(params, x, picture=shown)
    for agent in range(AGENTS):
        first, second = (Conv2d(n, m, 3, stride=2, padding=1) for n, m in ((3, 16), (16, 32)))
        third, fourth = Linear(32 * 3 * 5 + BEHIND, 7), Linear(7, 4)
        convolutions = Sequential(first, ReLU(), second, ReLU(), Flatten())
        perceptron = Sequential(third, ReLU(), fourth)
        with torch.no_grad():
            for place, convolution in enumerate((first, second)):
                assert convolution.bias is not None
                convolution.weight.copy_(params[f"conv{place}_w"][agent])
                convolution.bias.copy_(params[f"conv{place}_b"][agent])
            for place, linear in enumerate((third, fourth)):
                linear.weight.copy_(params[f"w{place}"][agent].T)
                linear.bias.copy_(params[f"b{place}"][agent, 0])
        pixels = x[:, agent, : shown.size]
        if channels_last:
            maps = pixels.unflatten(-1, (12, 20, 3)).permute(0, 3, 1, 2)
        else:
            maps = pixels.unflatten(-1, (3, 12, 20))
        seen = torch.cat([convolutions(maps), x[:, agent, shown.size :]], dim=-1)
        torch.testing.assert_close(found[agent], perceptron(seen))


@pytest.mark.parametrize("architecture", ["independent", "multihead", "tilted", "shared"])
def test_every_architecture_sees_pictures(architecture: Architecture) -> None:
    shown = picture(channels_last=True)
    spec = EnvSpec(
        num_envs=1,
        num_agents=AGENTS,
        num_actions=3,
        observation_size=shown.size,
        horizon=1,
        agent_names=("a", "b"),
        picture=shown,
    )
    generator = torch.Generator().manual_seed(0)
    bank = build_actors(architecture, spec, (8,), generator)
    x = torch.rand((BATCH, AGENTS, shown.size), generator=generator)
    own = bank.own(x, None)
    peers = PeerRows(torch.tensor([[1], [0]]))
    shared = own.detach()[:, [1, 0]].unsqueeze(2)
    suggestions = bank.suggest(x, shared, None, peers)
    torch.testing.assert_close(own.exp().sum(dim=-1), torch.ones(BATCH, AGENTS))
    torch.testing.assert_close(suggestions.exp().sum(dim=-1), torch.ones(BATCH, AGENTS, 1))
    convolutions = [w for name, w in bank.params.items() if "conv0_w" in name]
    weights = torch.arange(3.0)
    grads = torch.autograd.grad(
        ((own * weights).sum() + (suggestions * weights).sum()), convolutions, allow_unused=True
    )
    assert any(grad is not None and bool(grad.any()) for grad in grads)


def test_critics_see_pictures_and_the_time_behind_them() -> None:
    shown = picture(channels_last=True)
    spec = EnvSpec(
        num_envs=1,
        num_agents=AGENTS,
        num_actions=3,
        observation_size=shown.size,
        horizon=4,
        agent_names=("a", "b"),
        picture=shown,
    )
    generator = torch.Generator().manual_seed(0)
    critics = build_critics(spec, (8,), generator, centralised=False, sees_time=True, gamma=1.0)
    x = torch.rand((BATCH, AGENTS, shown.size + 1), generator=generator)
    x[..., -1] = 1.0  # nothing is left
    assert critics.values(x).tolist() == [[0.0] * AGENTS] * BATCH
    x[..., -1] = 0.0
    assert bool((critics.values(x) != 0.0).all())
