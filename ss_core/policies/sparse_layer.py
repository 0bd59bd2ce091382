"""First layers on sparse rows: instead of a product with mostly zeros, a gather and a sum.

A sparse row lists the numbers of its active features, padded with -1; what is listed twice counts
twice. Such rows are integers, dense ones floats, and that alone decides which form of a first layer
runs. `gather_sum` is exact: the product with the row of counts, at the cost of what is active.
"""

from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float, Int
from numba import njit
from torch import Tensor
from torch.autograd.function import FunctionCtx

PADDING = -1


def gather_sum(
    weight: Float[Tensor, "S F H"],
    bias: Float[Tensor, "S 1 H"],
    rows: Int[Tensor, "B N K"],
    *,
    nets: Int[Tensor, " Q"],
    agents: Int[Tensor, " Q"],
    extra: Int[Tensor, " Q"] | None = None,
) -> Float[Tensor, "Q B H"]:
    """Sums of the weights of active features: network `nets[q]` of the stack on a row of an agent.

    `out[q, b] = bias[s] + Σ_f weight[s, f]` with s = nets[q], over the features f that
    `rows[b, agents[q]]` lists and, where `extra` is given, `extra[q]`.

    Raises:
        IndexError: a network, agent or feature that there is not.
    """
    for name, chosen, size in (
        ("network", nets, weight.shape[0]),
        ("agent", agents, rows.shape[1]),
        ("feature", extra, weight.shape[1]),
    ):
        if chosen is not None and len(chosen) and not int(chosen.max()) < size:
            raise IndexError(f"{name} {int(chosen.max())} of {size}")
    if rows.device.type == "cpu":
        beside = torch.full_like(nets, PADDING) if extra is None else extra
        summed: Tensor = _GatherSum.apply(weight, bias, rows, nets, agents, beside)
        return summed
    return _by_bags(weight, bias, rows, nets, agents, extra)


def _by_bags(
    weight: Float[Tensor, "S F H"],
    bias: Float[Tensor, "S 1 H"],
    rows: Int[Tensor, "B N K"],
    nets: Int[Tensor, " Q"],
    agents: Int[Tensor, " Q"],
    extra: Int[Tensor, " Q"] | None,
) -> Float[Tensor, "Q B H"]:
    """The same by torch's `embedding_bag`, on any device; row S·F of its table is the padding."""
    features, table = weight.shape[1], weight.flatten(0, 1)
    seen = rows.long()[:, agents].transpose(0, 1)  # Q, B, K
    if extra is not None:
        seen = torch.cat([extra[:, None, None].expand(-1, len(rows), 1), seen], dim=2)
    flat = torch.where(seen < 0, len(table), seen + nets[:, None, None] * features).flatten(0, 1)
    padded = torch.cat([table, table.new_zeros(1, table.shape[1])])
    summed = torch.nn.functional.embedding_bag(
        flat, padded, mode="sum", padding_idx=len(table)
    ).unflatten(0, (len(nets), len(rows)))
    return summed + bias[nets]


class _GatherSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        weight: Tensor,
        bias: Tensor,
        rows: Tensor,
        nets: Tensor,
        agents: Tensor,
        extra: Tensor,
    ) -> Tensor:
        out = weight.new_empty((len(nets), len(rows), weight.shape[2]))
        listed = tuple(x.contiguous().numpy() for x in (rows, nets, agents, extra))
        _forward((weight.detach().numpy(), bias.detach().numpy()), listed, out.numpy())
        ctx.listed, ctx.sizes = listed, (weight.shape, bias.shape)  # type: ignore[attr-defined]
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        of_weight, of_bias = (grads[0].new_zeros(size) for size in ctx.sizes)
        _backward(grads[0].contiguous().numpy(), ctx.listed, (of_weight.numpy(), of_bias.numpy()))
        return of_weight, of_bias, None, None, None, None


@njit(cache=True, fastmath=True)
@no_type_check
def _forward(layer, listed, out):
    """Four features at a time: the sum is then read and written a quarter as often."""
    (weight, bias), (rows, nets, agents, extra) = layer, listed
    most, features = rows.shape[2], weight.shape[1]
    for q in range(out.shape[0]):
        net, agent = nets[q], agents[q]
        table = weight[net]
        start = bias[net, 0].copy()
        if extra[q] >= 0:
            start += table[extra[q]]
        for b in range(out.shape[1]):
            total, row, k, length = out[q, b], rows[b, agent], 0, 0
            total[:] = start
            while length < most and row[length] >= 0:
                if row[length] >= features:
                    raise IndexError("a row lists a feature that the layer has no weights for")
                length += 1
            while k + 3 < length:
                first, second = table[np.uint64(row[k])], table[np.uint64(row[k + 1])]
                third, fourth = table[np.uint64(row[k + 2])], table[np.uint64(row[k + 3])]
                for h in range(len(total)):
                    total[h] += (first[h] + second[h]) + (third[h] + fourth[h])
                k += 4
            while k < length:
                one = table[np.uint64(row[k])]
                for h in range(len(total)):
                    total[h] += one[h]
                k += 1


@njit(cache=True, fastmath=True)
@no_type_check
def _backward(grad, listed, layer):
    (of_weight, of_bias), (rows, nets, agents, extra) = layer, listed
    most = rows.shape[2]
    for q in range(grad.shape[0]):
        net, agent = nets[q], agents[q]
        over_rows = np.zeros(grad.shape[2], grad.dtype)
        for b in range(grad.shape[1]):
            arriving = grad[q, b]
            over_rows += arriving
            for k in range(most):
                feature = rows[b, agent, k]
                if feature < 0:
                    break
                row = of_weight[net, np.uint64(feature)]
                for h in range(len(arriving)):
                    row[h] += arriving[h]
        of_bias[net, 0] += over_rows
        if extra[q] >= 0:
            of_weight[net, extra[q]] += over_rows
