"""The scheduling game: what a joint schedule costs each household, all of them, and the potential.

With x_it the load of household i, L_t = Σ_i x_it, l_t = L_t / N (kW per household), Δ = 0.25 h:

    bill_i   = Σ_t Δ [(a_t + β l_t) x_it + w_t max(0, -x_it)]      w_t: a_t less the feed-in tariff
    K        = N γ Σ_t Δ (max(0, l_t - κ) + max(0, -l_t - κ'))²    feeder charge, each pays K / N
    J_i      = bill_i + K / N + D_i                D_i: private discomfort of delays
    C        = Σ_i J_i
    Φ        = Σ_t Δ [a_t L_t + β/(2N) (L_t² + Σ_i x_it²) + w_t Σ_i max(0, -x_it)] + K / N + Σ_i D_i

Φ is an exact potential: a unilateral change moves J_i and Φ by the same amount.
Leading axes are batch.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What one or more days cost; EUR."""

    bill_eur: Float[np.ndarray, "*day household"]
    charge_eur: Float[np.ndarray, "*day"]  # the household's share K / N, equal for all
    discomfort_eur: Float[np.ndarray, "*day household"]
    price_eur_per_kwh: Float[np.ndarray, "*day step"]

    @property
    def cost_eur(self) -> Float[np.ndarray, "*day household"]:
        """J_i of every household."""
        return self.bill_eur + self.charge_eur[..., None] + self.discomfort_eur

    @property
    def social_cost_eur(self) -> Float[np.ndarray, "*day"]:
        """C = Σ_i J_i."""
        return self.cost_eur.sum(axis=-1)


def costs(
    load_kw: Float[np.ndarray, "*day household step"],
    discomfort_eur: Float[np.ndarray, "*day household"],
    tariff: Tariff,
) -> Costs:
    """Bills, feeder charge and discomfort of given schedules."""
    mean_kw = load_kw.mean(axis=-2)
    price = tariff.base_price + tariff.beta * mean_kw
    bill_eur = STEP_H * np.einsum("...t,...nt->...n", price, load_kw)
    if tariff.feed_in_loss is not None:
        bill_eur += tariff.feed_in_eur(load_kw).sum(axis=-1)
    return Costs(
        bill_eur=bill_eur,
        charge_eur=charge_per_household(mean_kw, tariff),
        discomfort_eur=discomfort_eur,
        price_eur_per_kwh=price,
    )


def charge_per_household(
    mean_kw: Float[np.ndarray, "*day step"], tariff: Tariff
) -> Float[np.ndarray, "*day"]:
    """K / N = γ Σ_t Δ (max(0, l_t - κ) + max(0, -l_t - κ'))²."""
    return tariff.gamma * STEP_H * (tariff.excess_kw(mean_kw) ** 2).sum(axis=-1)


def potential(
    load_kw: Float[np.ndarray, "*day household step"],
    discomfort_eur: Float[np.ndarray, "*day household"],
    tariff: Tariff,
) -> Float[np.ndarray, "*day"]:
    """Φ: its local minimisers are the pure Nash equilibria."""
    n = load_kw.shape[-2]
    total = load_kw.sum(axis=-2)
    energy = tariff.base_price * total + tariff.beta / (2 * n) * (
        total**2 + (load_kw**2).sum(axis=-2)
    )
    return (
        STEP_H * energy.sum(axis=-1)
        + tariff.feed_in_eur(load_kw).sum(axis=(-2, -1))
        + charge_per_household(total / n, tariff)
        + discomfort_eur.sum(axis=-1)
    )
