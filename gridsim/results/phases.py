"""Households in three phases: who is on which, what a schedule draws there, and what follows.

A household is on one phase; cars, roofs and batteries above `SINGLE_PHASE_KVA` are on three, as are
all others on the feeder. Only where `GridConfig.phases` asks for it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.game.joint_schedules import device_load_kw
from gridsim.households.households import STEPS_PER_DAY, Days, JobKind, Population
from gridsim.households.other_power import OtherPower
from gridsim.households.schedules import EV_LEVELS
from gridsim.network.feeder import Attachment
from gridsim.network.sequences import Sequences
from gridsim.powerflow.unbalanced import solve_unbalanced
from gridsim.powerflow.unbalanced_audit import UnbalancedAudit, audit_unbalanced
from ss_core.scenario.key_figures import DayFigures

SINGLE_PHASE_KVA = 4.6  # VDE-AR-N 4100 and 4105: the most that may be connected to one phase


@dataclass(frozen=True, slots=True, eq=False)
class Phases:
    """Who is on which phase, and the feeder's data for three of them."""

    sequences: Sequences
    days: Days  # held out
    phase: Int[np.ndarray, " household"]  # 0, 1, 2
    cars_on_three: bool
    roof_on_three: Bool[np.ndarray, " household"]
    battery_on_three: Bool[np.ndarray, " household"]
    notes: tuple[str, ...]


def set_phases(
    sequences: Sequences,
    days: Days,
    population: Population,
    given: Int[np.ndarray, " household"] | None,
    rng: np.random.Generator,
) -> Phases:
    """Put every household on a phase: as `given` (1, 2, 3; 0: not said), else by lot."""
    drawn = rng.integers(1, 4, population.num_households)
    known = np.zeros_like(drawn) if given is None else given
    phase = np.where(known > 0, known, drawn) - 1
    wallbox_kw = EV_LEVELS * days.ev_level_kw
    on_three = wallbox_kw > SINGLE_PHASE_KVA
    counts = ", ".join(f"{(phase == k).sum()} on phase {k + 1}" for k in range(3))
    left = int((known == 0).sum())
    note = (
        f"three phases: households {counts}; {left} of them drawn (column 'phase' of "
        f"--households-file sets it); cars of {wallbox_kw:.3g} kW charge on "
        f"{'three' if on_three else 'one'}, roofs and batteries above {SINGLE_PHASE_KVA} kW are on "
        "three, too, and so is whoever else is on the feeder"
    )
    return Phases(
        sequences=sequences,
        days=days,
        phase=phase,
        cars_on_three=on_three,
        roof_on_three=population.pv_kwp > SINGLE_PHASE_KVA,
        battery_on_three=population.battery_kwh * days.battery.kw_per_kwh > SINGLE_PHASE_KVA,
        notes=(note, *sequences.notes),
    )


@dataclass(frozen=True, slots=True)
class PhasePower:
    """What terminals draw by phase: row `day * 96 + step`."""

    p_mw: Float[np.ndarray, "batch phase terminal"]
    q_mvar: Float[np.ndarray, "batch phase terminal"]


def power_by_phase(
    phases: Phases,
    attachment: Attachment,
    load_kw: Float[np.ndarray, "day household step"],
    job_kw: Float[np.ndarray, "job step"],
    pv_kw: Float[np.ndarray, "day household step"] | None,
    *,
    reactive_share: float,
    others: OtherPower | None,
    day: slice,
) -> PhasePower:
    """Of some of the held-out days under a schedule; reactive power as in the balanced solve."""
    three_kw = _on_three(phases, job_kw)[day]
    pv_kw = np.zeros_like(three_kw) if pv_kw is None else pv_kw[day]
    pv_three_kw = pv_kw * phases.roof_on_three[:, None]
    single_kw = load_kw[day] - three_kw + pv_three_kw  # all that is not on three phases
    p_kw = _spread(phases, single_kw, three_kw - pv_three_kw)
    q_kvar = reactive_share * _spread(phases, single_kw + pv_kw - pv_three_kw, three_kw)
    p_mw, q_mvar = (_at_loads(attachment, power) / 1000.0 for power in (p_kw, q_kvar))
    if others is None:
        return PhasePower(p_mw, q_mvar)
    rows = slice(day.start * STEPS_PER_DAY, day.stop * STEPS_PER_DAY)
    loads = attachment.load_count
    all_p_mw, all_q_mvar = (
        np.repeat(power[rows, None] / 3, 3, axis=1) for power in (others.p_mw, others.q_mvar)
    )
    all_p_mw[:, :, :loads] += p_mw
    all_q_mvar[:, :, :loads] += q_mvar
    return PhasePower(all_p_mw, all_q_mvar)


def _on_three(
    phases: Phases, job_kw: Float[np.ndarray, "job step"]
) -> Float[np.ndarray, "day household step"]:
    """What flexible devices on three phases draw."""
    battery_kw = device_load_kw(phases.days, job_kw, (JobKind.BATTERY,))
    three_kw = battery_kw * phases.battery_on_three[:, None]
    if phases.cars_on_three:
        three_kw += device_load_kw(phases.days, job_kw, (JobKind.EV,))
    return three_kw


def _spread(
    phases: Phases,
    single: Float[np.ndarray, "day household step"],
    three: Float[np.ndarray, "day household step"],
) -> Float[np.ndarray, "day phase household step"]:
    own = phases.phase == np.arange(3)[:, None]
    return single[:, None] * own[None, :, :, None] + three[:, None] / 3


def _at_loads(
    attachment: Attachment, power: Float[np.ndarray, "day phase household step"]
) -> Float[np.ndarray, "batch phase load"]:
    by_step = power.transpose(1, 0, 3, 2).reshape(3, -1, power.shape[2])
    return np.stack([attachment.load_power(phase) for phase in by_step], axis=1)


def phase_kpis(phases: Phases, attachment: Attachment, powers: Sequence[PhasePower]) -> DayFigures:
    """Worst phase voltage at households, unbalance and neutral current; one power for each day.

    NaN on days with an unsolved step, which are counted.
    """
    feeder = phases.sequences.feeder
    at_home = np.unique(feeder.load_bus[attachment.load_of_household])
    days = []
    for power in powers:
        flow = solve_unbalanced(phases.sequences, power.p_mw, power.q_mvar)
        vm_pu = flow.vm_pu[:, :, at_home]
        neutral_ka = flow.neutral_ka.max(initial=0.0)
        if not flow.converged.all():
            neutral_ka = np.nan
        days.append(
            {
                "vm_min_phase_pu": vm_pu.min(),
                "vm_max_phase_pu": vm_pu.max(),
                "unbalance_percent": flow.unbalance_percent.max(),
                "neutral_a": 1000.0 * neutral_ka,
                "unsolved_phase_steps": float((~flow.converged).sum()),
            }
        )
    return {name: np.array([day[name] for day in days]) for name in days[0]}


def audit_phases(
    feeder_name: str,
    phases: Phases,
    powers: Sequence[PhasePower],
    *,
    samples: int,
    rng: np.random.Generator,
) -> UnbalancedAudit:
    """Random steps of a row, solved here and by `runpp_3ph`."""
    p_mw = np.concatenate([power.p_mw for power in powers])
    q_mvar = np.concatenate([power.q_mvar for power in powers])
    step = rng.choice(len(p_mw), size=min(samples, len(p_mw)), replace=False)
    p_mw, q_mvar = p_mw[step], q_mvar[step]
    flow = solve_unbalanced(phases.sequences, p_mw, q_mvar)
    return audit_unbalanced(
        feeder_name, phases.sequences, p_mw, q_mvar, flow, samples=samples, rng=rng
    )


def phase_audit_note(audits: Collection[UnbalancedAudit]) -> str:
    """What `runpp_3ph` says of the steps it was given, in words."""
    checked = [one for one in audits if one.steps_checked]
    disputed = sum(one.steps_disputed for one in audits)
    if not checked:
        return f"runpp_3ph confirmed nothing ({disputed} disputed)"
    worst = max(one.max_dv_pu for one in checked)
    return (
        f"runpp_3ph re-solved {sum(one.steps_checked for one in checked)} steps: max |dV| "
        f"{worst:.1e} p.u., {disputed} disputed"
    )
