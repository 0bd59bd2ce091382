"""Suggestions as tilts of what the receiver said it would do: one trunk, a head for each receiver.

An `ActorBank` (see `actors.py`) between `MultiheadBank`, whose suggestions share the trunk of the
own policy and start anywhere, and `ConditionedBank`, which runs a network once per receiver.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Real
from torch import Tensor

from ss_core.policies.feature_actor import PeerRows
from ss_core.policies.mlp_stack import (
    Params,
    forward_agents,
    init_stack,
    layers_under,
    own_log_probs,
    through_heads,
)


@dataclass(frozen=True, slots=True)
class ResidualHeads:
    """An own network and one suggestion trunk per agent, with a head for each receiver.

    log π^ij = log π^jj + δ_ij(s) + const, with δ_ij zero at first: suggestions start at agreement,
    and may learn at a pace of their own. Of the parameters only the heads grow with N².
    """

    params: (
        Params  # `own_…` and `suggest_…` layers, `suggest_head_w [N, N, H, A]`, `suggest_head_b`
    )
    num_agents: int

    def own(
        self, observations: Real[Tensor, "B N O"], mask: Bool[Tensor, "B N A"] | None
    ) -> Float[Tensor, "B N A"]:
        """log π^ii of the own networks."""
        return own_log_probs(self.params, observations, mask)

    def suggest(
        self,
        observations: Real[Tensor, "B N O"],
        shared: Float[Tensor, "B N M A"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> Float[Tensor, "B N M A"]:
        """log π^ij: what j said it would do, tilted by δ_ij."""
        trunk = layers_under("suggest_", self.params)
        x = torch.relu(forward_agents(trunk, observations))
        heads, biases = self.params["suggest_head_w"], self.params["suggest_head_b"]
        tilt = through_heads(x, heads, biases, peers.receivers)
        return torch.log_softmax(shared + tilt, dim=-1)  # what is illegal for j stays so


def init_residual_heads(
    num_agents: int,
    own_sizes: tuple[int, ...],
    hidden: tuple[int, ...],
    generator: torch.Generator,
    zero_logits: bool,
    active: int = 0,
) -> Params:
    """Own networks of `own_sizes`; suggestion trunks of `hidden` layers with zero heads."""
    inputs, actions = own_sizes[0], own_sizes[-1]
    own = init_stack((num_agents,), own_sizes, generator, zero_last=zero_logits, active=active)
    trunk = init_stack((num_agents,), (inputs, *hidden), generator, active=active)
    heads = (num_agents, num_agents)
    head = init_stack(heads, (hidden[-1], actions), generator, zero_last=True)
    suggest = trunk | {"head_w": head["w0"], "head_b": head["b0"]}
    named = {f"own_{k}": w for k, w in own.items()}
    return named | {f"suggest_{k}": w for k, w in suggest.items()}
