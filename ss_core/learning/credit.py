"""Private models of credit: what an agent's own and its neighbours' actions did to its return.

Where the world gives no formula for alternatives, an agent can still learn from days gone by. It
regresses its own advantages on features of its own action and, summed over the neighbours that it
was linked to, on the public features of theirs; newer days weigh more. The fitted model says what
every alternative would have brought *this agent*, for use where `CounterfactualEnv` gives it
exactly. Nothing of it is sent to anybody.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.env import Counterfactuals, EnvSpec
from ss_core.errors import ConfigError
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.learning.rollout import Rollout, flatten


@dataclass(slots=True)
class CreditModel:
    """Moments of a ridge regression per agent; `D`: own features, then neighbours' public ones."""

    gram: Float[Tensor, "N D D"]  # Σ w x xᵀ
    moment: Float[Tensor, "N D"]  # Σ w x y


def build_credit(
    spec: EnvSpec, device: torch.device | str = "cpu", *, of_neighbours: bool = True
) -> CreditModel:
    """Nothing known yet; who never meets anybody needs no room `of_neighbours`.

    Raises:
        ConfigError: the world does not describe actions by features.
    """
    if not spec.candidate_size:
        raise ConfigError(
            "learner.credit='model' needs a world that describes actions by features; "
            "use credit='samples' here"
        )
    n, d = spec.num_agents, own_size(spec) + of_neighbours * spec.public_size
    return CreditModel(torch.zeros((n, d, d), device=device), torch.zeros((n, d), device=device))


def own_size(spec: EnvSpec) -> int:
    """How many features of a row an agent's own policy looks at."""
    return spec.own_size or spec.candidate_size


def estimated_alternatives(
    model: CreditModel,
    spec: EnvSpec,
    rollout: Rollout,
    advantages: Float[Tensor, "T E N"],
    links: Neighbourhood,
    *,
    forget: float,
    ridge: float,
) -> Counterfactuals:
    """Take in a rollout, and say what every alternative of its decisions would have brought.

    Regressors are features of the action taken less their mean under the policy that acted, which
    for neighbours is the one they shared; so neither the level of returns nor what others did on
    average enters. `ridge` counts as so many rows of unit size that say "no effect".
    """
    rows = flatten(rollout.observations).unflatten(-1, (-1, spec.candidate_size))
    own, public = rows[..., -own_size(spec) :], rows[..., : spec.public_size]
    chance = flatten(rollout.log_probs).exp()
    taken = torch.nn.functional.one_hot(flatten(rollout.actions), spec.num_actions)
    surprise = taken.to(chance.dtype) - chance
    of_own = torch.einsum("bna,bnaf->bnf", surprise, own)
    of_peers = torch.einsum("bna,bnag->bng", surprise, public)
    received = meets(links, len(rows)) @ of_peers
    split = own_size(spec)
    seen = torch.cat([of_own, received], dim=-1)[..., : model.moment.shape[-1]]
    update_credit(model, seen, flatten(advantages), forget)
    weights = fitted(model, ridge)
    own_value = torch.einsum("bnaf,nf->bna", own, weights[:, :split])
    known = public[..., : weights.shape[-1] - split]
    everybody = torch.einsum("bjag,ig->bija", known, weights[:, split:])
    slot = links.receivers[None, :, :, None].expand(len(rows), -1, -1, spec.num_actions)
    peer_value = everybody.gather(2, slot)
    shape = rollout.rewards.shape[:2]
    return Counterfactuals(own=own_value.unflatten(0, shape), peers=peer_value.unflatten(0, shape))


def meets(links: Neighbourhood, rows: int) -> Float[Tensor, "R N N"]:
    """1 where agent i is linked to j at a row."""
    n = len(links.receivers)
    met = links.at_every_row(rows).to(torch.get_default_dtype())
    slot = links.receivers.expand(rows, -1, -1)
    return met.new_zeros((rows, n, n)).scatter_add(2, slot, met)


def update_credit(
    model: CreditModel,
    seen: Float[Tensor, "B N D"],
    advantages: Float[Tensor, "B N"],
    forget: float,
) -> None:
    """Old moments fade by `forget`, new rows are added."""
    rows = seen.transpose(0, 1)
    centred = (advantages - advantages.mean(dim=0)).T.unsqueeze(-1)
    model.gram = torch.baddbmm(model.gram, rows.mT, rows, beta=1.0 - forget)
    moment = torch.baddbmm(model.moment.unsqueeze(-1), rows.mT, centred, beta=1.0 - forget)
    model.moment = moment.squeeze(-1)


def fitted(model: CreditModel, ridge: float) -> Float[Tensor, "N D"]:
    """Weights of the ridge regression."""
    eye = torch.eye(model.gram.shape[-1], dtype=model.gram.dtype, device=model.gram.device)
    factor = torch.linalg.cholesky(model.gram + ridge * eye)
    return torch.cholesky_solve(model.moment.unsqueeze(-1), factor).squeeze(-1)
