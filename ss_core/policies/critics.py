"""Critics: one value network per agent as one stack, or a single one that sees everything."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Real
from torch import Tensor

from ss_core.env import EnvSpec, Picture
from ss_core.policies.mlp_stack import Params, forward_agents, init_stack


@dataclass(frozen=True, slots=True)
class CriticBank:
    """One value network V_i per agent on its own observation, or a single one on all of them."""

    params: Params
    centralised: bool
    horizon: int = 0  # > 0: outputs are per discounted step left; last input t / horizon, sparse t
    gamma: float = 1.0
    picture: Picture | None = None

    def values(self, observations: Real[Tensor, "B N O"]) -> Float[Tensor, "B C"]:
        """V_i(s); C is the number of agents, or 1 when centralised.

        With a horizon it is V_i(s, t) = h(t) v_i(s, t), where h(t) = Σ γᵏ over the steps left: what
        the network learns then has the scale of a reward, and nothing follows the last step.
        """
        seen = self._seen(observations)
        values = forward_agents(self.params, seen, picture=self.picture)
        values = values.squeeze(-1).transpose(0, 1)
        if not self.horizon:
            return values
        time = observations[..., -1]
        sparse = not time.is_floating_point()
        left = self.horizon - time if sparse else (1.0 - time) * self.horizon
        left = discounted_steps(left.to(values.dtype), self.gamma)
        return left[:, : values.shape[1]] * values

    def _seen(self, observations: Tensor) -> Tensor:
        """Rows of the networks; one that sees everything reads the first of sparse ones alone."""
        if observations.is_floating_point():
            return observations.flatten(1)[:, None] if self.centralised else observations
        rows = observations[..., :-1] if self.horizon else observations
        return rows[:, :1] if self.centralised else rows


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
    zero_values: bool = False,
) -> CriticBank:
    """Value networks for an environment; `sees_time` adds t / horizon to each dense observation.

    With `zero_values` they expect nothing at first.

    With `gamma` and `sees_time` the networks' outputs are per discounted step left.
    """
    count, inputs, active = spec.num_agents, spec.input_size, spec.active_size
    if not active:
        inputs += sees_time
    if centralised:
        count, inputs = 1, inputs if active else inputs * count
    picture = None if centralised else spec.picture  # who sees all has several beside each other
    params = init_stack(
        (count,),
        (inputs, *hidden, 1),
        generator,
        zero_last=zero_values,
        active=active,
        picture=picture,
    )
    if gamma is None or not sees_time:
        return CriticBank(params, centralised, picture=picture)
    return CriticBank(params, centralised, spec.horizon, gamma, picture)
