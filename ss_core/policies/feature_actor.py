"""`FeatureActor`: policies and suggestions for worlds that describe every action by features.

An action's logit is a linear part plus a small perceptron of its row of features, so the networks
serve any number of actions. Which rows a suggestion network looks at is packed once an update.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor
from torch.autograd.function import FunctionCtx

from ss_core.objective.action_families import masked_log_softmax
from ss_core.policies.mlp_stack import (
    Params,
    forward_stack,
    init_stack,
    layers_under,
)

CACHED_FLOATS = 512 * 1024  # what is worked on at a time: two megabytes


@dataclass(frozen=True, slots=True)
class PeerRows:
    """Whom agents make suggestions for, and what they see of those decisions.

    The seen rows are packed: agent i's r-th row is decision b of its slot m with
    `packed[i, r] = m·B + b`; `M·B` pads. Made once an update, it serves every pass.
    """

    receivers: Int[Tensor, "N M"]
    public: Float[Tensor, "N R A G"] | None = None
    packed: Int[Tensor, "N R"] | None = None


def pack_peer_rows(
    observations: Real[Tensor, "B N O"],
    valid: Bool[Tensor, "B N M"],
    receivers: Int[Tensor, "N M"],
    candidate_size: int,
    public_size: int,
) -> PeerRows:
    """The public features of neighbours' decisions, padding left out."""
    if not candidate_size:
        return PeerRows(receivers)
    rows, agents = observations.shape[:2]
    seen = valid.permute(1, 2, 0).flatten(1)  # N, M*B
    longest = max(1, int(seen.sum(dim=1).max()))
    order = torch.argsort((~seen).to(torch.int8), dim=1, stable=True)[:, :longest]
    packed = torch.where(seen.gather(1, order), order, seen.shape[1])
    slot, decision = order // rows, order % rows
    at = decision * agents + receivers.gather(1, slot)
    features = observations.unflatten(-1, (-1, candidate_size))[..., :public_size].flatten(0, 1)
    public = features.contiguous().index_select(0, at.flatten()).unflatten(0, tuple(at.shape))
    return PeerRows(receivers, public, packed)


@dataclass(frozen=True, slots=True)
class FeatureActor:
    """An own network and one suggestion network per agent, both scoring actions one by one.

    log π^ij = log π^jj + δ_i(public features of j's action) + const, with δ_i zero at first. The
    receiver's private state and action mask come along in π^jj.
    """

    params: Params  # `own_…` and `suggest_…`, each with layers and a linear part `skip`
    num_agents: int
    candidate_size: int
    own_size: int = 0  # of the features, the last so many; 0: all

    def own(
        self, observations: Real[Tensor, "B N O"], mask: Bool[Tensor, "B N A"] | None
    ) -> Float[Tensor, "B N A"]:
        """log π^ii from the agent's own rows of candidate features."""
        rows = observations.unflatten(-1, (-1, self.candidate_size))[..., -self.own_size :]
        logits = score_rows(self.params, "own_", rows.transpose(0, 1))
        return masked_log_softmax(logits.transpose(0, 1), mask)

    def suggest(
        self,
        observations: Real[Tensor, "B N O"],
        shared: Float[Tensor, "B N M A"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> Float[Tensor, "B N M A"]:
        """log π^ij: what j said it would do, tilted by δ_i."""
        assert peers.public is not None
        assert peers.packed is not None
        (n, m), b = peers.receivers.shape, shared.shape[0]
        scores = score_rows(self.params, "suggest_", peers.public)
        tilt = scores.new_zeros((n, m * b + 1, scores.shape[-1]))
        tilt = tilt.scatter(1, peers.packed.unsqueeze(-1).expand(scores.shape), scores)
        logits = shared + tilt[:, :-1].unflatten(1, (m, b)).permute(2, 0, 1, 3)
        return torch.log_softmax(logits, dim=-1)  # what is illegal for j has no chance in `shared`


def score_rows(
    params: Params, prefix: str, rows: Float[Tensor, "N R A F"]
) -> Float[Tensor, "N R A"]:
    """Linear part plus perceptron of every row of features."""
    x = rows.flatten(1, 2).transpose(1, 2)  # long rows last, so that each layer is contiguous
    layers, skip = layers_under(prefix, params), params[f"{prefix}skip"]
    if not layers:
        score = torch.bmm(skip.transpose(1, 2), x)
    elif len(layers) == 4:
        score = _OneHiddenLayer.apply(x, layers["w0"], layers["b0"], layers["w1"], skip)
        score = score + layers["b1"]
    else:
        score = torch.bmm(skip.transpose(1, 2), x)
        score = score + forward_stack(layers, x.transpose(1, 2)).transpose(1, 2)
    return score.squeeze(1).unflatten(1, rows.shape[1:3])


class _OneHiddenLayer(torch.autograd.Function):
    """skipᵀ x + w1ᵀ relu(w0ᵀ x + b0), for rows that are constants.

    Memory, not arithmetic, is what this costs: a few agents at a time, so that their layers stay in
    the cache, and one product for all that reads x.
    """

    @staticmethod
    def forward(
        ctx: FunctionCtx, x: Tensor, w0: Tensor, b0: Tensor, w1: Tensor, skip: Tensor
    ) -> Tensor:
        first = torch.cat([w0, skip], dim=-1).mT  # N, H + 1, F
        after = torch.nn.functional.pad(w1, (0, 0, 0, 1), value=1.0)  # the linear part as it is
        hidden = x.new_empty((*first.shape[:2], x.shape[2]))
        score = x.new_empty((x.shape[0], 1, x.shape[2]))
        for some in _few_agents(hidden):
            torch.bmm(first[some], x[some], out=hidden[some])
            hidden[some, :-1].add_(b0[some].mT).relu_()
            torch.bmm(after[some].mT, hidden[some], out=score[some])
        ctx.save_for_backward(x, hidden, after)
        return score

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        x, hidden, after = ctx.saved_tensors
        (grad,) = grad_outputs
        grad_after = torch.empty_like(after)
        grad_first = x.new_empty((*x.shape[:2], hidden.shape[1]))
        grad_b0 = x.new_empty((x.shape[0], 1, hidden.shape[1]))
        for some in _few_agents(hidden):
            torch.bmm(hidden[some], grad[some].mT, out=grad_after[some])
            active = hidden[some].sign()  # 1 where a unit is active, always of the linear part
            active[:, -1] = 1.0
            active.mul_(grad[some])
            torch.bmm(x[some], active.mT, out=grad_first[some])
            torch.sum(active, dim=2, out=grad_b0[some, 0])
        grad_first, grad_b0 = grad_first * after.mT, grad_b0 * after.mT
        return (
            None,
            grad_first[..., :-1],
            grad_b0[..., :-1],
            grad_after[:, :-1],
            grad_first[..., -1:],
        )


def _few_agents(hidden: Tensor) -> list[slice]:
    """Agents whose hidden layers fit the cache together."""
    step = max(1, CACHED_FLOATS // hidden[0].numel())
    return [slice(start, start + step) for start in range(0, len(hidden), step)]


def init_feature_actor(
    prefix: str, num_agents: int, sizes: tuple[int, ...], generator: torch.Generator
) -> Params:
    """A zero linear part, and a perceptron with zero output where `sizes` has a hidden layer."""
    skip = torch.zeros((num_agents, sizes[0], 1), device=generator.device, requires_grad=True)
    layers = init_stack((num_agents,), sizes, generator, zero_last=True) if len(sizes) > 2 else {}
    return {f"{prefix}{k}": w for k, w in layers.items()} | {f"{prefix}skip": skip}
