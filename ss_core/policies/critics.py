"""Critics: one value network per agent as one stack, or a single one that sees everything."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.env import EnvSpec
from ss_core.policies.mlp_stack import Params, forward_stack, init_stack


@dataclass(frozen=True, slots=True)
class CriticBank:
    """One value network V_i per agent on its own observation, or a single one on all of them."""

    params: Params
    centralised: bool
    horizon: int = 0  # > 0: outputs are per discounted step left, the last input being t / horizon
    gamma: float = 1.0

    def values(self, observations: Float[Tensor, "B N O"]) -> Float[Tensor, "B C"]:
        """V_i(s); C is the number of agents, or 1 when centralised.

        With a horizon it is V_i(s, t) = h(t) v_i(s, t), where h(t) = Σ γᵏ over the steps left: what
        the network learns then has the scale of a reward, and nothing follows the last step.
        """
        x = observations.flatten(1)[None] if self.centralised else observations.transpose(0, 1)
        values = forward_stack(self.params, x).squeeze(-1).transpose(0, 1)
        if not self.horizon:
            return values
        left = discounted_steps((1.0 - observations[..., -1]) * self.horizon, self.gamma)
        return left[:, : values.shape[1]] * values


def discounted_steps(steps: Float[Tensor, "*batch"], gamma: float) -> Float[Tensor, "*batch"]:
    """Σ γᵏ for k from 0 to steps - 1."""
    return steps if gamma == 1.0 else (1.0 - gamma**steps) / (1.0 - gamma)


def build_critics(
    spec: EnvSpec,
    hidden: tuple[int, ...],
    generator: torch.Generator,
    *,
    centralised: bool,
    sees_time: bool = False,
    gamma: float | None = None,
) -> CriticBank:
    """Value networks for an environment; `sees_time` adds t / horizon to each observation.

    With `gamma` and `sees_time` the networks' outputs are per discounted step left.
    """
    count, inputs = spec.num_agents, spec.observation_size + sees_time
    if centralised:
        count, inputs = 1, inputs * count
    params = init_stack((count,), (inputs, *hidden, 1), generator)
    if gamma is None or not sees_time:
        return CriticBank(params, centralised)
    return CriticBank(params, centralised, spec.horizon, gamma)
