"""Adam over stacks of networks: can step one agent of a stack, is saved as plain tensors."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.optim.adam import adam

from ss_core.policies.mlp_stack import Params


@dataclass(frozen=True, slots=True)
class AdamState:
    """First and second moments and step counts, one count per agent (row of the stacks)."""

    exp_avg: Params
    exp_avg_sq: Params
    steps: Tensor  # [N]

    def of_agent(self, agent: int) -> "AdamState":
        """One agent's row of everything, in the same memory."""
        here = slice(agent, agent + 1)
        return AdamState(
            exp_avg={k: w[here] for k, w in self.exp_avg.items()},
            exp_avg_sq={k: w[here] for k, w in self.exp_avg_sq.items()},
            steps=self.steps[here],
        )


def init_adam(params: Params, num_agents: int) -> AdamState:
    """Zero moments."""
    return AdamState(
        exp_avg={k: torch.zeros_like(w) for k, w in params.items()},
        exp_avg_sq={k: torch.zeros_like(w) for k, w in params.items()},
        steps=torch.zeros(num_agents, device=next(iter(params.values())).device),
    )


def ascend(
    params: Params,
    gain: Float[Tensor, " N"],
    state: AdamState,
    *,
    lr: dict[str, float],
    max_grad_norm: float = 0.0,
) -> Bool[Tensor, " N"] | None:
    """One step of every agent on its own gain, by its own rows; returns what `adam_step` does."""
    grads = torch.autograd.grad(-gain.sum(), list(params.values()), allow_unused=True)
    found = {
        k: torch.zeros_like(w) if g is None else g
        for (k, w), g in zip(params.items(), grads, strict=True)
    }
    return adam_step(params, found, state, lr=lr, max_grad_norm=max_grad_norm)


def adam_step(
    params: Params,
    grads: Params,
    state: AdamState,
    *,
    lr: dict[str, float],
    max_grad_norm: float = 0.0,
) -> Bool[Tensor, " N"] | None:
    """One step of Adam, in place, of the agents whose rows these are; `lr` by parameter name.

    `max_grad_norm` > 0 clips the gradient of each agent by its own norm, never by others'.
    Returns whose gradient was no number: their rows stay as they are. None: all are well.
    """
    non_finite = non_finite_agents(grads)
    if non_finite is None:
        _step(params, grads, state, lr, max_grad_norm)
        return None
    before = [w.detach().clone() for w in _all_rows(params, state)]
    numbers = {k: g.nan_to_num(0.0, 0.0, 0.0) for k, g in grads.items()}
    _step(params, numbers, state, lr, max_grad_norm)
    with torch.no_grad():
        for row, old in zip(_all_rows(params, state), before, strict=True):
            row[non_finite] = old[non_finite]
    return non_finite


def non_finite_agents(grads: Params) -> Bool[Tensor, " N"] | None:
    """Agents in whose gradient there is a NaN or an infinity; None if there is none."""
    total = sum(g.flatten(1).sum(dim=1) for g in grads.values())
    assert isinstance(total, Tensor)
    bad = ~total.isfinite()
    return bad if bool(bad.any()) else None


def _all_rows(params: Params, state: AdamState) -> list[Tensor]:
    return [*params.values(), *state.exp_avg.values(), *state.exp_avg_sq.values(), state.steps]


def _step(
    params: Params, grads: Params, state: AdamState, lr: dict[str, float], max_grad_norm: float
) -> None:
    if max_grad_norm > 0.0:
        grads = clip_by_agent(grads, max_grad_norm)
    state.steps.add_(1)
    for rate in sorted(set(lr.values())):
        names = [k for k in params if lr[k] == rate]
        if rate == 0.0 or not names:
            continue
        step = state.steps.max() - 1
        with torch.no_grad():
            adam(
                [params[k] for k in names],
                [grads[k].contiguous() for k in names],  # the kernel ignores strides
                [state.exp_avg[k] for k in names],
                [state.exp_avg_sq[k] for k in names],
                [],
                [step.clone() for _ in names],
                fused=True,
                grad_scale=None,
                found_inf=None,
                amsgrad=False,
                beta1=0.9,
                beta2=0.999,
                lr=rate,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )


def clip_by_agent(grads: Params, max_norm: float) -> Params:
    """Scale each agent's gradient down to `max_norm`."""
    square = sum(g.flatten(1).square().sum(dim=1) for g in grads.values())
    assert isinstance(square, Tensor)
    scale = (max_norm / square.sqrt().clamp_min(1e-12)).clamp_max(1.0)
    return {k: g * scale.view(-1, *[1] * (g.dim() - 1)) for k, g in grads.items()}
