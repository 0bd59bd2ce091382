"""Stacked perceptrons: many networks as one stack of weights and one batched product per layer.

Parameters are plain dicts of leaf tensors whose first axes are the stack. What the networks mean
(policies, suggestions, values) lives in `actors.py` and `feature_actor.py`.
"""

from itertools import pairwise

import torch
from jaxtyping import Float, Int, Real, Shaped
from torch import Tensor

from ss_core.env import Picture
from ss_core.policies.picture_layers import (
    Params,
    init_convolutions,
    is_convolution,
    picture_features,
    without_convolutions,
)
from ss_core.policies.sparse_layer import gather_sum


def init_stack(
    stack: tuple[int, ...],
    sizes: tuple[int, ...],
    generator: torch.Generator,
    *,
    zero_last: bool = False,
    active: int = 0,
    picture: Picture | None = None,
) -> Params:
    """Weights of a stack of perceptrons; uniform within 1/sqrt(fan in), as torch's Linear.

    Keys are `w0, b0, w1, …`; shapes `(*stack, fan in, fan out)` and `(*stack, 1, fan out)`. Of the
    inputs of a first layer on sparse rows only `active` count as its fan in. Where a `picture` is
    at the front of the inputs, convolutions stand before the perceptrons (`picture_layers.py`).
    """
    params: Params = {}
    if picture is not None:
        params, features = init_convolutions(stack, picture, generator)
        sizes = (sizes[0] - picture.size + features, *sizes[1:])
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        counted = active if active and layer == 0 else fan_in
        bound = 0.0 if zero_last and layer == len(sizes) - 2 else counted**-0.5
        params[f"w{layer}"] = _uniform((*stack, fan_in, fan_out), bound, generator)
        params[f"b{layer}"] = _uniform((*stack, 1, fan_out), bound, generator)
    return params


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    return ((2.0 * drawn - 1.0) * bound).requires_grad_()


def forward_stack(
    params: Params, x: Real[Tensor, "S B I"], *, first_layer: int = 0
) -> Float[Tensor, "S B K"]:
    """ReLU perceptrons of a flat stack: one batched matrix product per layer.

    With `first_layer` > 0, `x` is what the layers before it gave, their ReLU included.
    """
    layers = len(params) // 2
    for layer in range(first_layer, layers):
        x = torch.baddbmm(params[f"b{layer}"], x, params[f"w{layer}"])
        if layer < layers - 1:
            x = x.relu_()  # in place: neither gradient needs what was there before
    return x


def forward_agents(
    params: Params,
    observations: Real[Tensor, "B S O"],
    *,
    nets: int = 1,
    picture: Picture | None = None,
) -> Float[Tensor, "Q B K"]:
    """Each agent's rows through its own `nets` networks of a flat stack, Q = S·nets.

    Rows of integers are sparse: they list active features (see `sparse_layer.py`).
    """
    if observations.is_floating_point():
        x = observations.transpose(0, 1)
        x = x if nets == 1 else x.repeat_interleave(nets, dim=0)
        return forward_stack(*inputs_of(params, x, picture))
    every = torch.arange(observations.shape[1] * nets, device=observations.device)
    weight, bias = params["w0"], params["b0"]
    x = gather_sum(weight, bias, observations, nets=every, agents=every // nets)
    return forward_stack(params, x.relu_() if len(params) > 2 else x, first_layer=1)


def inputs_of(
    params: Params, x: Float[Tensor, "S B I"], picture: Picture | None
) -> tuple[Params, Float[Tensor, "S B K"]]:
    """The perceptrons of a stack, and what they look at."""
    if picture is None:
        return params, x
    return without_convolutions(params), picture_features(params, x, picture)


def through_heads(
    x: Float[Tensor, "S B H"],
    heads: Float[Tensor, "S N H A"],
    biases: Float[Tensor, "S N 1 A"],
    receivers: Int[Tensor, "S M"],
) -> Float[Tensor, "B S M A"]:
    """Each trunk's heads for its receivers, side by side in one product."""
    rows = torch.arange(len(receivers), device=receivers.device)[:, None]
    flat = (rows * heads.shape[1] + receivers).flatten()
    chosen = heads.flatten(0, 1).index_select(0, flat).unflatten(0, receivers.shape)
    bias = biases.flatten(0, 1).index_select(0, flat).unflatten(0, receivers.shape)
    side_by_side = chosen.transpose(1, 2).flatten(2)  # S, H, M*A
    logits = torch.baddbmm(bias.transpose(1, 2).flatten(2), x, side_by_side)
    return logits.unflatten(-1, (receivers.shape[1], -1)).transpose(0, 1)


def layers_under(prefix: str, params: Params) -> Params:
    """The layers `w0, b0, …` that carry a prefix in a larger dict of parameters."""
    names = {k: k.removeprefix(prefix) for k in params if k.startswith(prefix)}
    return {name: params[k] for k, name in names.items() if name[0] in "wb" or is_convolution(name)}


def at_neighbours(
    x: Shaped[Tensor, "B N *K"], neighbours: Int[Tensor, "N M"]
) -> Shaped[Tensor, "B N M *K"]:
    """`x[b, n, …]` of every agent's neighbours: `[b, i, m, …] = x[b, neighbours[i, m], …]`."""
    return x.index_select(1, neighbours.reshape(-1)).unflatten(1, tuple(neighbours.shape))
