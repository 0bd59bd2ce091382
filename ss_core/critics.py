"""Critics: one value network per agent as one stack, or a single one that sees everything."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.env import EnvSpec
from ss_core.stacks import Params, forward_stack, init_stack


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
    spec: EnvSpec,
    hidden: tuple[int, ...],
    generator: torch.Generator,
    *,
    centralised: bool,
    sees_time: bool = False,
) -> CriticBank:
    """Value networks for an environment; `sees_time` adds t / horizon to each observation."""
    count, inputs = spec.num_agents, spec.observation_size + sees_time
    if centralised:
        count, inputs = 1, inputs * count
    return CriticBank(init_stack((count,), (inputs, *hidden, 1), generator), centralised)
