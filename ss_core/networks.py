"""Stacked networks: N (or N²) policies are one stack of weights and one batched product.

`ActorBank` has three architectures behind one interface (own policies and suggestions in, log
probabilities out); `CriticBank` holds one value network per agent. Parameters are plain dicts of
leaf tensors whose first axis is the agent, so that agent i's gradient touches row i alone.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.env import EnvSpec

Architecture = Literal["independent", "multihead", "shared"]
Params = dict[str, Tensor]


def init_stack(
    stack: tuple[int, ...],
    sizes: tuple[int, ...],
    generator: torch.Generator,
    *,
    zero_last: bool = False,
) -> Params:
    """Weights of a stack of multi-layer perceptrons; uniform within 1/sqrt(fan in), as torch's Linear.

    Keys are `w0, b0, w1, …`; shapes `(*stack, fan in, fan out)` and `(*stack, 1, fan out)`.
    """
    params: Params = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        bound = 0.0 if zero_last and layer == len(sizes) - 2 else fan_in**-0.5
        params[f"w{layer}"] = _uniform((*stack, fan_in, fan_out), bound, generator)
        params[f"b{layer}"] = _uniform((*stack, 1, fan_out), bound, generator)
    return params


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(shape, generator=generator, device=generator.device)
    return ((2.0 * drawn - 1.0) * bound).requires_grad_()


def forward_stack(params: Params, x: Float[Tensor, "S B I"]) -> Float[Tensor, "S B K"]:
    """ReLU perceptrons of a flat stack: one batched matrix product per layer."""
    layers = len(params) // 2
    for layer in range(layers):
        x = torch.baddbmm(params[f"b{layer}"], x, params[f"w{layer}"])
        if layer < layers - 1:
            x = torch.relu(x)
    return x


def masked_log_softmax(
    logits: Float[Tensor, "*batch A"], mask: Bool[Tensor, "*batch A"] | None
) -> Float[Tensor, "*batch A"]:
    """Log probabilities; illegal actions get the smallest finite logit and so probability 0."""
    if mask is not None:
        logits = logits.masked_fill(~mask, -1e9)
    return torch.log_softmax(logits, dim=-1)


def at_neighbours(x: Tensor, neighbours: Int[Tensor, "N M"]) -> Tensor:
    """`x[b, n, …]` of every agent's neighbours: `[b, i, m, …] = x[b, neighbours[i, m], …]`."""
    return x[:, neighbours.reshape(-1)].unflatten(1, tuple(neighbours.shape))


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
    observations: Float[Tensor, "B N O"],
    valid: Bool[Tensor, "B N M"],
    receivers: Int[Tensor, "N M"],
    candidate_size: int,
    public_size: int,
) -> PeerRows:
    """The public features of neighbours' decisions, padding left out."""
    if not candidate_size:
        return PeerRows(receivers)
    b, n = observations.shape[:2]
    seen = valid.permute(1, 2, 0).flatten(1)  # N, M*B
    longest = max(1, int(seen.sum(dim=1).max()))
    order = torch.argsort((~seen).to(torch.int8), dim=1, stable=True)[:, :longest]
    packed = torch.where(seen.gather(1, order), order, seen.shape[1])
    slot, decision = order // b, order % b
    agent = receivers.gather(1, slot)
    rows = observations.unflatten(-1, (-1, candidate_size))[..., :public_size]
    return PeerRows(receivers, rows[decision, agent], packed)


class ActorBank(Protocol):
    """Own policies π^ii and suggestions π^ij of all agents."""

    params: Params

    def own(
        self, observations: Float[Tensor, "B N O"], mask: Bool[Tensor, "B N A"] | None
    ) -> Float[Tensor, "B N A"]:
        """log π^ii(· | s) of every agent."""
        ...

    def suggest(
        self,
        observations: Float[Tensor, "B N O"],
        shared: Float[Tensor, "B N M A"],
        mask: Bool[Tensor, "B N A"] | None,
        where: PeerRows,
    ) -> Float[Tensor, "B N M A"]:
        """log π^ij(· | s) of every agent i for its m-th neighbour j = where.receivers[i, m].

        `shared` is what those neighbours told agent i: log π^jj(· | s).
        """
        ...


@dataclass(frozen=True, slots=True)
class IndependentBank:
    """The paper's N² networks: one per ordered pair, the pair (i, i) being the own policy."""

    params: Params
    num_agents: int

    def own(self, observations: Tensor, mask: Tensor | None) -> Tensor:
        """log π^ii of the diagonal networks."""
        own = torch.arange(self.num_agents, device=observations.device)
        params = {k: w[own, own] for k, w in self.params.items()}
        logits = forward_stack(params, observations.transpose(0, 1))
        return masked_log_softmax(logits.transpose(0, 1), mask)

    def suggest(
        self,
        observations: Tensor,
        shared: Tensor,
        mask: Tensor | None,
        where: PeerRows,
    ) -> Tensor:
        """log π^ij: sender i's observation through network (i, j)."""
        neighbours = where.receivers
        n, m = neighbours.shape
        sender = torch.arange(n, device=neighbours.device).repeat_interleave(m)
        receiver = neighbours.reshape(-1)
        params = {k: w[sender, receiver] for k, w in self.params.items()}
        x = observations.transpose(0, 1)[sender]
        logits = forward_stack(params, x).unflatten(0, (n, m)).permute(2, 0, 1, 3)
        return masked_log_softmax(logits, None if mask is None else at_neighbours(mask, neighbours))


@dataclass(frozen=True, slots=True)
class MultiheadBank:
    """N trunks, each with one head per receiver; head (i, i) is the own policy."""

    params: Params  # trunk layers `w0…`, then `head_w [N, N, H, A]`, `head_b [N, N, 1, A]`
    num_agents: int

    def _trunk(self, observations: Tensor) -> Tensor:
        trunk = {k: w for k, w in self.params.items() if not k.startswith("head")}
        return torch.relu(forward_stack(trunk, observations.transpose(0, 1)))

    def own(self, observations: Tensor, mask: Tensor | None) -> Tensor:
        """log π^ii through each trunk's own head."""
        own = torch.arange(self.num_agents, device=observations.device)
        w, b = self.params["head_w"][own, own], self.params["head_b"][own, own]
        logits = torch.baddbmm(b, self._trunk(observations), w)
        return masked_log_softmax(logits.transpose(0, 1), mask)

    def suggest(
        self,
        observations: Tensor,
        shared: Tensor,
        mask: Tensor | None,
        where: PeerRows,
    ) -> Tensor:
        """log π^ij through the trunk of i and its head for j."""
        neighbours = where.receivers
        sender = torch.arange(neighbours.shape[0], device=neighbours.device)[:, None]
        w, b = self.params["head_w"][sender, neighbours], self.params["head_b"][sender, neighbours]
        logits = torch.einsum("nbh,nmha->bnma", self._trunk(observations), w) + b.squeeze(2)
        return masked_log_softmax(logits, None if mask is None else at_neighbours(mask, neighbours))


@dataclass(frozen=True, slots=True)
class ConditionedBank:
    """An own network and one suggestion network per agent, told which receiver it speaks to.

    log π^ij = log π^jj + δ_i(s, one-hot j) + const, with δ_i zero at first: suggestions start at
    agreement. Parameters grow with N, cost with N·m, neither with N².
    """

    params: Params  # `own_…` and `suggest_…` layers
    num_agents: int

    def own(self, observations: Tensor, mask: Tensor | None) -> Tensor:
        """log π^ii of the own networks."""
        logits = forward_stack(_layers(self.params, "own_"), observations.transpose(0, 1))
        return masked_log_softmax(logits.transpose(0, 1), mask)

    def suggest(
        self,
        observations: Tensor,
        shared: Tensor,
        mask: Tensor | None,
        where: PeerRows,
    ) -> Tensor:
        """log π^ij: what j said it would do, tilted by δ_i."""
        neighbours = where.receivers
        n, m = neighbours.shape
        rows = observations.shape[0]
        receiver = torch.nn.functional.one_hot(neighbours, self.num_agents).to(observations.dtype)
        state = observations.transpose(0, 1)[:, None].expand(n, m, rows, -1)
        x = torch.cat([state, receiver[:, :, None].expand(n, m, rows, -1)], dim=-1).flatten(1, 2)
        tilt = forward_stack(_layers(self.params, "suggest_"), x).unflatten(1, (m, rows))
        logits = shared + tilt.permute(2, 0, 1, 3)
        return masked_log_softmax(logits, None if mask is None else at_neighbours(mask, neighbours))


@dataclass(frozen=True, slots=True)
class CandidateBank:
    """`ConditionedBank` for worlds that describe every action by a row of features.

    Own and suggestion networks score actions one by one (a linear part plus a small perceptron), so
    they serve any number of actions. δ_i sees the public features of the receiver's actions; the
    receiver's private state and action mask come along in π^jj without being told.
    """

    params: Params  # `own_…` and `suggest_…`, each with layers and a linear part `skip`
    num_agents: int
    candidate_size: int

    def own(self, observations: Tensor, mask: Tensor | None) -> Tensor:
        """log π^ii from the agent's own rows of candidate features."""
        rows = observations.unflatten(-1, (-1, self.candidate_size))
        logits = _score_rows(self.params, "own_", rows.transpose(0, 1))
        return masked_log_softmax(logits.transpose(0, 1), mask)

    def suggest(
        self,
        observations: Tensor,
        shared: Tensor,
        mask: Tensor | None,
        where: PeerRows,
    ) -> Tensor:
        """log π^ij: what j said it would do, tilted by δ_i."""
        assert where.public is not None and where.packed is not None
        n, m = where.receivers.shape
        b = shared.shape[0]
        scores = _score_rows(self.params, "suggest_", where.public)
        tilt = scores.new_zeros((n, m * b + 1, scores.shape[-1]))
        tilt = tilt.scatter(1, where.packed.unsqueeze(-1).expand(scores.shape), scores)
        by_slot = tilt[:, :-1].unflatten(1, (m, b)).permute(2, 0, 1, 3)
        logits = shared + by_slot
        mask = None if mask is None else at_neighbours(mask, where.receivers)
        return masked_log_softmax(logits, mask)


def _layers(params: Params, prefix: str) -> Params:
    skip = prefix + "skip"
    return {k[len(prefix) :]: w for k, w in params.items() if k.startswith(prefix) and k != skip}


def _score_rows(
    params: Params, prefix: str, rows: Float[Tensor, "N B A F"]
) -> Float[Tensor, "N B A"]:
    flat = rows.flatten(1, 2)
    score = torch.bmm(flat, params[f"{prefix}skip"])
    layers = _layers(params, prefix)
    if layers:
        score = score + forward_stack(layers, flat)
    return score.squeeze(-1).unflatten(1, rows.shape[1:3])


def build_actors(
    architecture: Architecture,
    spec: EnvSpec,
    hidden: tuple[int, ...],
    generator: torch.Generator,
    *,
    suggestion_hidden: tuple[int, ...] | None = None,
    zero_logits: bool = False,
) -> ActorBank:
    """An `ActorBank` for an environment; `zero_logits` starts all policies uniform.

    `suggestion_hidden` gives the suggestion networks of `shared` other layers than `hidden`.
    """
    told = hidden if suggestion_hidden is None else suggestion_hidden
    n, a, o = spec.num_agents, spec.num_actions, spec.observation_size
    if architecture == "independent":
        sizes = (o, *hidden, a)
        return IndependentBank(init_stack((n, n), sizes, generator, zero_last=zero_logits), n)
    if architecture == "multihead":
        params = init_stack((n,), (o, *hidden), generator)
        head = init_stack((n, n), (hidden[-1], a), generator, zero_last=zero_logits)
        return MultiheadBank(params | {"head_w": head["w0"], "head_b": head["b0"]}, n)
    if spec.candidate_size:
        own = _candidate_params("own_", n, (spec.candidate_size, *hidden, 1), generator)
        suggest = _candidate_params("suggest_", n, (spec.public_size, *told, 1), generator)
        return CandidateBank(own | suggest, n, spec.candidate_size)
    own = init_stack((n,), (o, *hidden, a), generator, zero_last=zero_logits)
    suggest = init_stack((n,), (o + n, *told, a), generator, zero_last=True)
    named = {f"own_{k}": w for k, w in own.items()} | {f"suggest_{k}": w for k, w in suggest.items()}
    return ConditionedBank(named, n)


def _candidate_params(
    prefix: str, num_agents: int, sizes: tuple[int, ...], generator: torch.Generator
) -> Params:
    layers = init_stack((num_agents,), sizes, generator, zero_last=True) if len(sizes) > 2 else {}
    skip = torch.zeros((num_agents, sizes[0], 1), device=generator.device, requires_grad=True)
    return {f"{prefix}{k}": w for k, w in layers.items()} | {f"{prefix}skip": skip}


@dataclass(frozen=True, slots=True)
class CriticBank:
    """One value network V_i per agent on its own observation, or a single one on all of them."""

    params: Params
    centralised: bool

    def values(self, observations: Float[Tensor, "B N O"]) -> Float[Tensor, "B C"]:
        """V_i(s); C is the number of agents, or 1 when centralised."""
        x = observations.flatten(1)[None] if self.centralised else observations.transpose(0, 1)
        return forward_stack(self.params, x).squeeze(-1).transpose(0, 1)


def build_critics(
    spec: EnvSpec, hidden: tuple[int, ...], generator: torch.Generator, *, centralised: bool
) -> CriticBank:
    """Value networks for an environment."""
    count, inputs = spec.num_agents, spec.observation_size
    if centralised:
        count, inputs = 1, inputs * count
    return CriticBank(init_stack((count,), (inputs, *hidden, 1), generator), centralised)
