"""`TableBank`: a distribution over actions for each agent, whatever it observes.

For worlds in which every agent decides once, as drivers do on which way to take: a table is the
largest set of policies there is, and a step in closed form can be taken exactly.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Real
from torch import Tensor

from ss_core.objective.action_families import masked_log_softmax
from ss_core.policies.feature_actor import PeerRows
from ss_core.policies.mlp_stack import Params


@dataclass(frozen=True, slots=True)
class TableBank:
    """Own policies π^ii; suggestions come in closed form, from no network."""

    params: Params  # `own_logits [N, A]`

    def own(
        self, observations: Real[Tensor, "B N O"], mask: Bool[Tensor, "B N A"] | None
    ) -> Float[Tensor, "B N A"]:
        """log π^ii, the same at every decision but for what is legal."""
        logits = self.params["own_logits"].expand(len(observations), -1, -1)
        return masked_log_softmax(logits, mask)

    def suggest(
        self,
        observations: Real[Tensor, "B N O"],
        shared: Float[Tensor, "B N M A"],
        mask: Bool[Tensor, "B N A"] | None,
        peers: PeerRows,
    ) -> Float[Tensor, "B N M A"]:
        """Agreement: what was shared."""
        return shared

    def write(self, log_probs: Float[Tensor, "N A"]) -> None:
        """Make these the policies."""
        with torch.no_grad():
            self.params["own_logits"].copy_(log_probs)


def init_table(num_agents: int, num_actions: int, generator: torch.Generator) -> TableBank:
    """Uniform policies."""
    logits = torch.zeros((num_agents, num_actions), device=generator.device, requires_grad=True)
    return TableBank({"own_logits": logits})
