"""Actors as stacks of networks: N (or N²) policies are one batched product.

`ActorBank` has three architectures behind one interface: own policies and suggestions in, log
probabilities out. Parameters are plain dicts of leaf tensors whose first axis is the agent, so that
agent i's gradient touches row i alone. Axis `S`: the agents a bank speaks for, all N or one.
"""

from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor

from ss_core.env import EnvSpec, Picture
from ss_core.objective.action_families import ActionFamily, family_of
from ss_core.policies.feature_actor import FeatureActor, PeerRows, init_feature_actor
from ss_core.policies.mlp_stack import (
    Params,
    forward_agents,
    forward_stack,
    init_stack,
    inputs_of,
    layers_under,
    through_heads,
)
from ss_core.policies.residual_heads import ResidualHeads, init_heads
from ss_core.policies.sparse_layer import gather_sum
from ss_core.policies.table import TableBank, init_table

Architecture = Literal["independent", "multihead", "shared", "tilted", "table"]


class ActorBank(Protocol):
    """Own policies π^ii and suggestions π^ij of all agents."""

    @property
    def params(self) -> Params:
        """Leaf tensors by name; the first axis is the agent."""
        ...

    def own(
        self, observations: Real[Tensor, "B N O"], mask: Bool[Tensor, "B N A"] | None
    ) -> Float[Tensor, "B N A"]:
        """log π^ii(· | s) of every agent."""
        ...

    def suggest(
        self,
        observations: Real[Tensor, "B N O"],
        shared: Float[Tensor, "B N M A"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> Float[Tensor, "B N M A"]:
        """log π^ij(· | s) of every agent i for its m-th neighbour j = peers.receivers[i, m].

        `shared` is what those neighbours shared with agent i: log π^jj(· | s).
        """
        ...


@runtime_checkable
class JointActorBank(ActorBank, Protocol):
    """An `ActorBank` whose suggestions do not look at what was shared: both come in one forward."""

    def own_and_suggest(
        self,
        observations: Real[Tensor, "B N O"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> tuple[Float[Tensor, "B N A"], Float[Tensor, "B N M A"]]:
        """What `own` and `suggest` give; `mask` is everybody's, whoever speaks."""
        ...


@dataclass(frozen=True, slots=True)
class IndependentBank:
    """The paper's N² networks: one per ordered pair, the pair (i, i) being the own policy."""

    params: Params
    num_agents: int
    family: ActionFamily
    picture: Picture | None = None
    agent: int | None = None  # whose networks alone these are; None: everybody's

    def own(
        self, observations: Real[Tensor, "B S O"], mask: Bool[Tensor, "B S A"] | None
    ) -> Float[Tensor, "B S A"]:
        """log π^ii of the diagonal networks."""
        logits = self._some_logits(observations, _speakers(self, observations)[:, None])
        return self.family.normalised(logits.squeeze(2), mask)

    def suggest(
        self,
        observations: Real[Tensor, "B N O"],
        shared: Float[Tensor, "B N M A"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> Float[Tensor, "B N M A"]:
        """log π^ij: sender i's observation through network (i, j)."""
        logits = self._some_logits(observations, peers.receivers)
        return self.family.normalised(logits, _peer_mask(mask, peers))

    def own_and_suggest(
        self,
        observations: Real[Tensor, "B S O"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> tuple[Float[Tensor, "B S A"], Float[Tensor, "B S M A"]]:
        """One forward of all networks in use; of the whole stack, uncopied, when all are."""
        pairs = torch.cat([_speakers(self, observations)[:, None], peers.receivers], dim=1)
        if pairs.shape[1] < self.num_agents:
            logits = self._some_logits(observations, pairs)
        else:
            rows = torch.arange(len(pairs), device=pairs.device)[:, None]
            logits = self._all_logits(observations)[:, rows, pairs]
        own = self.family.normalised(logits[:, :, 0], _own_mask(self, mask))
        return own, self.family.normalised(logits[:, :, 1:], _peer_mask(mask, peers))

    def _all_logits(self, observations: Tensor) -> Float[Tensor, "B S N A"]:
        params = {k: w.flatten(0, 1) for k, w in self.params.items()}
        return self._forward(params, observations, self.num_agents)

    def _some_logits(self, observations: Tensor, receivers: Tensor) -> Float[Tensor, "B S M A"]:
        rows = torch.arange(len(receivers), device=receivers.device)[:, None]
        flat = (rows * self.num_agents + receivers).flatten()
        params = {k: w.flatten(0, 1).index_select(0, flat) for k, w in self.params.items()}
        return self._forward(params, observations, receivers.shape[1])

    def _forward(self, params: Params, observations: Tensor, nets: int) -> Tensor:
        logits = forward_agents(params, observations, nets=nets, picture=self.picture)
        return logits.unflatten(0, (-1, nets)).permute(2, 0, 1, 3)


@dataclass(frozen=True, slots=True)
class MultiheadBank:
    """N trunks, each with one head per receiver; head (i, i) is the own policy."""

    params: Params  # trunk layers `w0…`, then `head_w [N, N, H, A]`, `head_b [N, N, 1, A]`
    num_agents: int
    family: ActionFamily
    picture: Picture | None = None
    agent: int | None = None  # whose networks alone these are; None: everybody's

    def own(
        self, observations: Real[Tensor, "B S O"], mask: Bool[Tensor, "B S A"] | None
    ) -> Float[Tensor, "B S A"]:
        """log π^ii through each trunk's own head."""
        logits = self._logits(observations, _speakers(self, observations)[:, None])
        return self.family.normalised(logits.squeeze(2), mask)

    def suggest(
        self,
        observations: Real[Tensor, "B N O"],
        shared: Float[Tensor, "B N M A"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> Float[Tensor, "B N M A"]:
        """log π^ij through the trunk of i and its head for j."""
        logits = self._logits(observations, peers.receivers)
        return self.family.normalised(logits, _peer_mask(mask, peers))

    def own_and_suggest(
        self,
        observations: Real[Tensor, "B S O"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> tuple[Float[Tensor, "B S A"], Float[Tensor, "B S M A"]]:
        """Both from one forward of the trunks."""
        pairs = torch.cat([_speakers(self, observations)[:, None], peers.receivers], dim=1)
        logits = self._logits(observations, pairs)
        own = self.family.normalised(logits[:, :, 0], _own_mask(self, mask))
        return own, self.family.normalised(logits[:, :, 1:], _peer_mask(mask, peers))

    def _logits(self, observations: Tensor, receivers: Tensor) -> Float[Tensor, "B S M A"]:
        trunk = {k: w for k, w in self.params.items() if not k.startswith("head")}
        x = torch.relu(forward_agents(trunk, observations, picture=self.picture))
        return through_heads(x, self.params["head_w"], self.params["head_b"], receivers)


@dataclass(frozen=True, slots=True)
class ConditionedBank:
    """An own network and one suggestion network per agent, which sees whom it is for.

    log π^ij = log π^jj + δ_i(s, one-hot j) + const, with δ_i zero at first: suggestions start at
    agreement. Cost grows with N·m; of the parameters only the first layer's rows of the one-hot
    grow with N². Where all see the whole state, each from its own place in sparse rows, δ_i looks
    at what the receiver sees.
    """

    params: Params  # `own_…` and `suggest_…` layers
    num_agents: int
    family: ActionFamily
    picture: Picture | None = None
    full_view: bool = False

    def own(
        self, observations: Real[Tensor, "B N O"], mask: Bool[Tensor, "B N A"] | None
    ) -> Float[Tensor, "B N A"]:
        """log π^ii of the own networks."""
        own = layers_under("own_", self.params)
        logits = forward_agents(own, observations, picture=self.picture)
        return self.family.normalised(logits.transpose(0, 1), mask)

    def suggest(
        self,
        observations: Real[Tensor, "B N O"],
        shared: Float[Tensor, "B N M A"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> Float[Tensor, "B N M A"]:
        """log π^ij: what j said it would do, tilted by δ_i."""
        layers = layers_under("suggest_", self.params)
        if observations.is_floating_point():
            layers, seen = inputs_of(layers, observations.transpose(0, 1), self.picture)
            first = self._dense(layers, seen, peers.receivers)
        else:
            first = self._sparse(layers, observations, peers.receivers)
        if len(layers) > 2:
            first = first.relu_()
        tilt = forward_stack(layers, first.flatten(1, 2), first_layer=1)
        tilt = tilt.unflatten(1, (peers.receivers.shape[1], -1))
        raw = shared + tilt.permute(2, 0, 1, 3)
        return self.family.normalised(raw, None)  # what is illegal for j has no chance in `shared`

    def _dense(
        self,
        layers: Params,
        seen: Float[Tensor, "N B I"],
        receivers: Int[Tensor, "N M"],
    ) -> Float[Tensor, "N M B H"]:
        """The first layer: one product for what i sees, and the receiver's row of weights."""
        of_state, of_receiver = layers["w0"].split([seen.shape[-1], self.num_agents], dim=1)
        state = torch.baddbmm(layers["b0"], seen, of_state)
        slot = receivers.unsqueeze(-1).expand(-1, -1, of_receiver.shape[-1])
        return state[:, None] + of_receiver.gather(1, slot)[:, :, None]

    def _sparse(
        self,
        layers: Params,
        observations: Real[Tensor, "B N K"],
        receivers: Int[Tensor, "N M"],
    ) -> Float[Tensor, "N M B H"]:
        """The first layer by gathering, on j's row or i's own."""
        weight, bias = layers["w0"], layers["b0"]
        sender = torch.arange(len(receivers), device=receivers.device)
        nets, to = sender.repeat_interleave(receivers.shape[1]), receivers.flatten()
        seen, whom = to if self.full_view else nets, weight.shape[1] - self.num_agents + to
        summed = gather_sum(weight, bias, observations, nets=nets, agents=seen, extra=whom)
        return summed.unflatten(0, tuple(receivers.shape))


def one_agent(bank: ActorBank, agent: int) -> ActorBank:
    """The bank of one agent, S = 1: its parameters as leaves of their own, in the same memory."""
    rows = {k: w.detach()[agent : agent + 1].requires_grad_() for k, w in bank.params.items()}
    if isinstance(bank, (IndependentBank, MultiheadBank)):
        return replace(bank, params=rows, agent=agent)
    assert isinstance(bank, (ConditionedBank, ResidualHeads, FeatureActor, TableBank))
    return replace(bank, params=rows)


def _speakers(
    bank: IndependentBank | MultiheadBank, observations: Real[Tensor, "B S O"]
) -> Int[Tensor, " S"]:
    if bank.agent is None:
        return torch.arange(bank.num_agents, device=observations.device)
    return torch.full((1,), bank.agent, device=observations.device)


def _own_mask(
    bank: IndependentBank | MultiheadBank, mask: Bool[Tensor, "B N A"] | None
) -> Bool[Tensor, "B S A"] | None:
    if mask is None or bank.agent is None:
        return mask
    return mask[:, bank.agent : bank.agent + 1]


def _peer_mask(
    mask: Bool[Tensor, "B N A"] | None, peers: PeerRows
) -> Bool[Tensor, "B S M A"] | None:
    return None if mask is None else mask[:, peers.receivers]


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
    suggestion_layers = hidden if suggestion_hidden is None else suggestion_hidden
    n, a, o, active = spec.num_agents, spec.num_actions, spec.input_size, spec.active_size
    family, picture = family_of(spec), spec.picture

    def stack(shape: tuple[int, ...], sizes: tuple[int, ...], *, zero_last: bool = False) -> Params:
        return init_stack(
            shape, sizes, generator, zero_last=zero_last, active=active, picture=picture
        )

    if architecture == "table":
        return init_table(n, a, generator)
    if architecture == "independent":
        networks = stack((n, n), (o, *hidden, a), zero_last=zero_logits)
        return IndependentBank(networks, n, family, picture)
    if architecture == "multihead":
        params = stack((n,), (o, *hidden))
        head = init_stack((n, n), (hidden[-1], a), generator, zero_last=zero_logits)
        heads = {"head_w": head["w0"], "head_b": head["b0"]}
        return MultiheadBank(params | heads, n, family, picture)
    if architecture == "tilted":
        own = stack((n,), (o, *hidden, a), zero_last=zero_logits)
        trunk = stack((n,), (o, *suggestion_layers))
        heads = init_heads(n, (suggestion_layers[-1], a), generator)
        return ResidualHeads(_own_and_suggest(own, trunk | heads), n, family, picture)
    if spec.candidate_size:
        seen = spec.own_size or spec.candidate_size
        own = init_feature_actor("own_", n, (seen, *hidden, 1), generator)
        suggest = init_feature_actor(
            "suggest_", n, (spec.public_size, *suggestion_layers, 1), generator
        )
        return FeatureActor(own | suggest, n, spec.candidate_size, spec.own_size)
    own = stack((n,), (o, *hidden, a), zero_last=zero_logits)
    suggest = stack((n,), (o + n, *suggestion_layers, a), zero_last=True)
    return ConditionedBank(_own_and_suggest(own, suggest), n, family, picture, spec.full_view)


def _own_and_suggest(own: Params, suggest: Params) -> Params:
    named = {f"own_{k}": w for k, w in own.items()}
    return named | {f"suggest_{k}": w for k, w in suggest.items()}
