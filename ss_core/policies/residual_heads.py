"""Suggestions as tilts of what the receiver said it would do: one trunk, a head for each receiver.

An `ActorBank` (see `actors.py`) between `MultiheadBank`, whose suggestions share the trunk of the
own policy and start anywhere, and `ConditionedBank`, which runs a network once per receiver.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Real
from torch import Tensor

from ss_core.env import Picture
from ss_core.objective.action_families import ActionFamily
from ss_core.policies.feature_actor import PeerRows
from ss_core.policies.mlp_stack import (
    Params,
    forward_agents,
    init_stack,
    layers_under,
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
    family: ActionFamily
    picture: Picture | None = None

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
        """log π^ij: what j said it would do, tilted by δ_ij."""
        trunk = layers_under("suggest_", self.params)
        x = torch.relu(forward_agents(trunk, observations, picture=self.picture))
        heads, biases = self.params["suggest_head_w"], self.params["suggest_head_b"]
        tilt = through_heads(x, heads, biases, peers.receivers)
        return self.family.normalised(shared + tilt, None)  # what is illegal for j stays so


def init_heads(num_agents: int, sizes: tuple[int, int], generator: torch.Generator) -> Params:
    """Heads that tilt nothing at first, for each pair."""
    head = init_stack((num_agents, num_agents), sizes, generator, zero_last=True)
    return {"head_w": head["w0"], "head_b": head["b0"]}
