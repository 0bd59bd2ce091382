"""Critics and other private regressions: what they look at, and K steps on what they are to say."""

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor

from ss_core.env import EnvSpec
from ss_core.learning.learner import Learner, Trained, lr_decay
from ss_core.learning.minibatches import minibatches
from ss_core.learning.rollout import Rollout, flatten
from ss_core.objective.action_families import family_of
from ss_core.policies.optimiser import adam_step


def regress(
    learner: Learner,
    model: Trained,
    inputs: Real[Tensor, "B N I"],
    targets: Float[Tensor, "B C"],
    update: int,
) -> float:
    """K passes on Eq. 18, E[(V_i(s_t) - Σ γˡ r_i,t+l)²]; returns the last loss."""
    params = model.bank.params
    rate = lr_decay(learner.config, update) * learner.config.critic_lr
    loss = inputs.new_zeros(())
    for part in minibatches(learner, len(inputs), update, "regression"):
        loss = (model.bank.values(inputs[part]) - targets[part]).square().mean(dim=0).sum()
        grads = torch.autograd.grad(loss, list(params.values()))
        adam_step(
            params,
            dict(zip(params, grads, strict=True)),
            model.adam,
            lr=dict.fromkeys(params, rate),
            max_grad_norm=learner.config.max_grad_norm,
        )
    return float(loss.detach())


def update_critics(
    learner: Learner, rollout: Rollout, targets: Float[Tensor, "T E N"], update: int
) -> float:
    """The critics learn the returns; a single, centralised one those of the first column."""
    seen, _ = critic_inputs(
        rollout, sees_time=learner.config.critic_sees_time, one_view=learner.one_view
    )
    wanted = targets[..., :1] if learner.critics.centralised else targets
    critics = Trained(learner.critics, learner.critic_adam)
    return regress(learner, critics, flatten(seen), flatten(wanted), update)


def critic_inputs(
    rollout: Rollout, *, sees_time: bool, one_view: bool = False
) -> tuple[Real[Tensor, "T E N I"], Real[Tensor, "T E N I"]]:
    """What critics look at before and after each step; with `sees_time` also t / horizon, or t.

    With `one_view` all look at the state as the first agent sees it.
    """
    assert rollout.next_observations is not None
    seen, following = rollout.observations, rollout.next_observations
    if one_view:
        seen, following = (x[:, :, :1].expand_as(x) for x in (seen, following))
    if not sees_time:
        return seen, following
    before = _time_in_episode(rollout.terminated | rollout.truncated)
    if not seen.is_floating_point():
        return _with_time(seen, before), _with_time(following, before + 1)
    horizon = len(before)
    return (
        _with_time(seen, before / horizon),
        _with_time(following, (before + 1) / horizon),
    )


def _time_in_episode(ended: Bool[Tensor, "T E"]) -> Int[Tensor, "T E"]:
    """Steps since the copy's last start, at the beginning of each step."""
    times = torch.arange(len(ended), device=ended.device)[:, None].expand(ended.shape)
    starts = torch.where(ended, times + 1, 0).cummax(dim=0).values
    return times - torch.cat([torch.zeros_like(starts[:1]), starts[:-1]])


def with_choices(
    seen: Real[Tensor, "B N I"], choices: Int[Tensor, "B N C"], spec: EnvSpec
) -> Real[Tensor, "B N O"]:
    """What networks see, and C actions beside it: as one-hots, or sparse as further features.

    Choice c of sparse rows is feature `num_features + c·A + action`.
    """
    if not spec.num_features:
        taken = torch.nn.functional.one_hot(choices, spec.num_actions)
        return torch.cat([seen, taken.flatten(2).to(seen.dtype)], dim=-1)
    first = torch.arange(choices.shape[2], device=choices.device) * spec.num_actions
    features = choices + first + spec.num_features
    return torch.cat([features.to(seen.dtype), seen], dim=-1)


def with_own_action(
    seen: Real[Tensor, "B N I"], actions: Real[Tensor, "B N *K"], spec: EnvSpec
) -> Real[Tensor, "B N O"]:
    """What networks see, and an agent's own action beside it, as its family shows actions."""
    family = family_of(spec)
    if family.finite:
        return with_choices(seen, actions.unsqueeze(-1), spec)
    return torch.cat([seen, family.as_inputs(actions).to(seen.dtype)], dim=-1)


def _with_time(
    observations: Real[Tensor, "T E N O"], time: Real[Tensor, "T E"]
) -> Real[Tensor, "T E N I"]:
    column = time[:, :, None, None].expand(*observations.shape[:3], 1)
    return torch.cat([observations, column.to(observations.dtype)], dim=-1)
