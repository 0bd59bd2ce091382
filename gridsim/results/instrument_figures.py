"""Figures of policy instruments: who pays, what comfort is lost, what households reveal."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gridsim.config import GridConfig
from gridsim.game.costs import Costs
from gridsim.game.env import ANNOUNCEMENT_FLOATS
from gridsim.game.turns import turns_of
from gridsim.households.households import Days
from gridsim.instruments.names import INSTRUMENTS
from gridsim.instruments.outcome import VALUE_BYTES, Outcome, settled_eur, surplus_eur
from gridsim.results.key_figures import NOTICEABLE_EUR, equity_kpis
from gridsim.results.labels import LABELS
from ss_core.report.labels import title_of
from ss_core.scenario.key_figures import DayFigures, Summary, mean_of
from ss_core.scenario.protocol import Evaluation

BESIDE = (
    "nash",
    "planner_by_rule",
    "pigou",
    "optimum",
)  # rows shown beside instruments, with what was learned
TITLE = "Instruments: who pays, what is lost, what is revealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What an outcome is apart from its schedule; fields as in `Outcome`."""

    paid_eur: Float[np.ndarray, "day household"]
    instrument_eur: Float[np.ndarray, "day household"]
    undelivered_kwh: Float[np.ndarray, "day household"]
    comfort_lost_eur: Float[np.ndarray, "day household"]
    dimmed_h: Float[np.ndarray, " day"]
    revealed_bytes: Float[np.ndarray, " day"]


FIELDS = tuple(field.name for field in fields(Money))


def tensors_of(name: str, outcome: Outcome) -> dict[str, Tensor]:
    """All but the schedule, for a result."""
    return {f"{name}/{key}": torch.from_numpy(getattr(outcome, key)) for key in FIELDS}


def money_of(tensors: Mapping[str, Tensor]) -> dict[str, Money]:
    """Of a result, by instrument."""
    names = [key.removesuffix("/paid_eur") for key in tensors if key.endswith("/paid_eur")]
    return {
        name: Money(**{key: tensors[f"{name}/{key}"].numpy() for key in FIELDS}) for name in names
    }


def instrument_kpis(
    money: Money, costs: Costs, nash_cost_eur: Float[np.ndarray, "day household"]
) -> DayFigures:
    """Per household and day, undelivered energy of all; losers by what households really bear.

    Surpluses of supplier and operator are returned, and losses collected, in equal shares.
    """
    left = surplus_eur(money.paid_eur, costs)  # schedules are kept in single precision
    return {
        "paid_eur": money.paid_eur.mean(axis=1),
        "instrument_eur": money.instrument_eur.mean(axis=1),
        "surplus_eur": np.where(np.abs(left) < NOTICEABLE_EUR, 0.0, left),
        "comfort_lost_eur": money.comfort_lost_eur.mean(axis=1),
        "undelivered_kwh": money.undelivered_kwh.sum(axis=1),
        "dimmed_h": money.dimmed_h,
        "revealed_bytes": money.revealed_bytes,
        **equity_kpis(settled_eur(money.paid_eur, costs), nash_cost_eur),
    }


def announced_bytes(config: GridConfig, days: Days) -> Float[np.ndarray, " day"]:
    """What each household announces on a day where they decide in turn, at most.

    A decision about a job tells its kind, arrival, deadline, power, energy and plan.
    """
    turns = turns_of(days, config.revise_after, config.most_turns)
    decisions = np.bincount(days.jobs.day[turns.job], minlength=days.num_days)
    return VALUE_BYTES * ANNOUNCEMENT_FLOATS * decisions / config.households


def instrument_tables(evaluation: Evaluation) -> dict[str, list[dict[str, Any]]]:
    """A second table where instruments were asked for; none elsewhere."""
    asked = evaluation.config.instruments
    if not asked:
        return {}
    shown = [
        name
        for name in evaluation.summaries
        if name in asked or name in BESIDE or name == evaluation.algorithm
    ]
    rows = [_row(name, evaluation.summaries[name]) for name in shown]
    return {f"{TITLE} (EUR per household and day)": rows}


def _row(name: str, summary: Mapping[str, Summary]) -> dict[str, Any]:
    def figure(key: str, digits: int, scale: float = 1.0) -> float | str:
        value = scale * mean_of(summary, key)
        return "" if np.isnan(value) else round(value, digits) + 0.0  # no -0

    curtailed = (
        {}
        if "curtailed_kwh" not in summary
        else {"kWh curtailed (all)": figure("curtailed_kwh", 1)}
    )
    paid = figure("paid_eur", 2)
    if paid == "":  # no instrument: energy at the price that follows demand, and the charge
        paid = round(mean_of(summary, "bill_eur") + mean_of(summary, "charge_eur"), 2)
    return {
        "policy": title_of(LABELS, name),
        "paid": paid,
        "of it by the instrument": figure("instrument_eur", 2),
        "left with supplier, operator": figure("surplus_eur", 2),
        "comfort lost": figure("comfort_lost_eur", 3),
        "kWh undelivered (all)": figure("undelivered_kwh", 1),
        **curtailed,
        "h held back": figure("dimmed_h", 2),
        "Gini of savings": figure("gini_of_savings", 2),
        "B revealed/household, day": figure("revealed_bytes", 0),
        "payment": INSTRUMENTS[name].payment if name in INSTRUMENTS else "",
    }
