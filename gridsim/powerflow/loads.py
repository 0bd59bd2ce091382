"""Loads as the solvers see them: summed per bus, and depending on voltage (ZIP).

Generators are loads below zero.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Int

from gridsim.network.feeder import Attachment, Feeder
from ss_core.errors import InputError


@dataclass(frozen=True, slots=True)
class ZipShare:
    """Voltage dependence of every load, as pandapower's `const_z_p_percent` and its siblings."""

    const_z_p_percent: float = 0.0
    const_i_p_percent: float = 0.0
    const_z_q_percent: float = 0.0
    const_i_q_percent: float = 0.0

    def __post_init__(self) -> None:
        for z, i in (self.p_shares, self.q_shares):
            if not (z >= 0 and i >= 0 and z + i <= 100):
                raise InputError(
                    f"ZIP shares z={z} %, i={i} %: each must be at least 0, their sum at most 100"
                )

    @property
    def p_shares(self) -> tuple[float, float]:
        """Constant-impedance and constant-current percent of active power."""
        return self.const_z_p_percent, self.const_i_p_percent

    @property
    def q_shares(self) -> tuple[float, float]:
        """Constant-impedance and constant-current percent of reactive power."""
        return self.const_z_q_percent, self.const_i_q_percent

    @property
    def is_constant_power(self) -> bool:
        """True if no load depends on its voltage."""
        return not any((*self.p_shares, *self.q_shares))


CONSTANT_POWER = ZipShare()


@dataclass(frozen=True, slots=True)
class LoadBuses:
    """Where loads and generators are, apart from the slack bus, whose voltage they cannot move."""

    bus: Int[np.ndarray, " loadbus"]  # distinct
    slot_of_load: Int[np.ndarray, " terminal"]  # position in `bus`; len(bus) means the slack bus
    has_shared_bus: bool  # several of them at one bus


def load_buses(feeder: Feeder) -> LoadBuses:
    """The distinct buses that loads and generators are connected to."""
    terminal_bus = feeder.terminal_bus
    bus = np.setdiff1d(terminal_bus, [feeder.slack_bus])
    slot = np.searchsorted(bus, terminal_bus)
    slot = np.where(terminal_bus == feeder.slack_bus, len(bus), slot)
    return LoadBuses(bus, slot, has_shared_bus=len(np.unique(slot)) < len(slot))


def demand_by_bus(
    buses: LoadBuses,
    p_mw: Float[np.ndarray, "lane terminal"],
    q_mvar: Float[np.ndarray, "lane terminal"],
) -> Complex[np.ndarray, "slots lane"]:
    """Power drawn at 1 per unit per load bus; the last row belongs to the slack bus."""
    demand = np.zeros((len(buses.bus) + 1, len(p_mw)), complex)
    if buses.has_shared_bus:
        np.add.at(np.real(demand), buses.slot_of_load, p_mw.T)
        np.add.at(np.imag(demand), buses.slot_of_load, q_mvar.T)
    else:
        np.real(demand)[buses.slot_of_load] = p_mw.T
        np.imag(demand)[buses.slot_of_load] = q_mvar.T
    return demand


def served_power(
    demand: Complex[np.ndarray, "loadbus lane"],
    vm_pu: Float[np.ndarray, "loadbus lane"],
    zip_share: ZipShare,
) -> Complex[np.ndarray, "loadbus lane"]:
    """What loads draw at a voltage that would draw `demand` at 1 per unit."""
    if zip_share.is_constant_power:
        return demand
    return np.real(demand) * voltage_factor(vm_pu, zip_share.p_shares) + 1j * (
        np.imag(demand) * voltage_factor(vm_pu, zip_share.q_shares)
    )


def voltage_factor(
    vm_pu: Float[np.ndarray, "loadbus lane"], shares: tuple[float, float]
) -> Float[np.ndarray, "loadbus lane"]:
    """Power relative to 1 per unit: (1 - z - i) + i |V| + z |V|²."""
    z, i = shares[0] / 100, shares[1] / 100
    return (1 - z - i) + vm_pu * (i + z * vm_pu)


def terminal_power(
    attachment: Attachment,
    load_kw: Float[np.ndarray, "batch household"],
    generated_kw: Float[np.ndarray, "batch household"] | None,
    reactive_share: float,
) -> tuple[Float[np.ndarray, "batch load"], Float[np.ndarray, "batch load"]]:
    """What households draw at the loads they live at, MW and Mvar.

    Reactive power comes with consumption, net load and what they generate; photovoltaics feed in at
    a power factor of 1.
    """
    p_mw = attachment.load_power(load_kw) / 1000.0
    q_mvar = p_mw * reactive_share
    if generated_kw is not None:
        q_mvar += attachment.load_power(generated_kw) / 1000.0 * reactive_share
    return p_mw, q_mvar
