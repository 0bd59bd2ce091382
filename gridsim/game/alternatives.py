"""What other load of one job would have changed: for its household, and for those who think of it.

The tariff is public and every loss follows from the load, so that each household computes its own
alternatives exactly, everything else as it happened.
"""

import numpy as np
from jaxtyping import Float, Int

from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H


def own_alternatives_eur(
    change_kw: Float[np.ndarray, "k action step"],
    load_kw: Float[np.ndarray, "day household step"],
    day: Int[np.ndarray, " k"],
    household: Int[np.ndarray, " k"],
    tariff: Tariff,
) -> tuple[Float[np.ndarray, "k action"], Float[np.ndarray, "k action"]]:
    """More bill, and more of everybody's share of the charge, if a job drew `change_kw` more."""
    n = load_kw.shape[1]
    mean_kw = load_kw.mean(axis=1).astype(np.float32)
    over = tariff.excess_kw(mean_kw)[day]
    after = tariff.excess_kw(mean_kw[day][:, None] + change_kw / n)
    charge = tariff.gamma * STEP_H * ((after**2).sum(-1) - (over**2).sum(-1)[:, None])
    own_kw = load_kw[day, household].astype(np.float32)
    price = (tariff.base_price + tariff.beta * mean_kw)[day].astype(np.float32)
    bill = np.einsum("jat,jt->ja", change_kw, price + tariff.beta / n * own_kw)
    bill = STEP_H * (bill + tariff.beta / n * np.einsum("jat,jat->ja", change_kw, change_kw))
    return bill + more_feed_in_eur(change_kw, own_kw, tariff), charge


def more_feed_in_eur(
    change_kw: Float[np.ndarray, "k action step"],
    own_kw: Float[np.ndarray, "k step"],
    tariff: Tariff,
) -> Float[np.ndarray, "k action"]:
    """How much more a household that draws `own_kw` would lose by what it feeds in."""
    if tariff.feed_in_loss is None:
        return np.zeros(change_kw.shape[:2], dtype=change_kw.dtype)
    own_kw = own_kw[:, None]
    more = tariff.feed_in_eur(own_kw + change_kw) - tariff.feed_in_eur(own_kw)
    return more.sum(axis=-1).astype(change_kw.dtype)


def others_bill_eur(
    change_kw: Float[np.ndarray, "k action step"],
    load_kw: Float[np.ndarray, "day household step"],
    day: Int[np.ndarray, " k"],
    other: Int[np.ndarray, " k"],
    tariff: Tariff,
) -> Float[np.ndarray, "k action"]:
    """How much more household `other` pays for its own load if a job drew `change_kw` more."""
    their_kw = load_kw[day, other].astype(np.float32)
    share = tariff.beta / load_kw.shape[1]
    return STEP_H * share * np.einsum("pat,pt->pa", change_kw, their_kw)


def senders_of(
    receivers: Int[np.ndarray, "N M"], household: Int[np.ndarray, " k"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All (row of `household`, sender, slot) with receivers[sender, slot] = that household."""
    sender, slot = np.nonzero(np.ones_like(receivers))
    receiver = receivers[sender, slot]
    order = np.argsort(receiver, kind="stable")
    sender, slot, receiver = sender[order], slot[order], receiver[order]
    first = np.searchsorted(receiver, household, side="left")
    count = np.searchsorted(receiver, household, side="right") - first
    row = np.repeat(np.arange(len(household)), count)
    within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    at = np.repeat(first, count) + within
    return row, sender[at], slot[at]
