"""A feeder's negative and zero sequence as plain arrays, beside the positive one of `Feeder`.

Compiled from the branch admittances of `pandapower.runpp_3ph`, so that vector groups, taps and
phase shifts are pandapower's. Axes are those of the feeder; per unit as there.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Complex

from gridsim.network.feeder import Feeder
from gridsim.network.net_checks import Net
from gridsim.network.pandapower_io import MALFORMED, read_net
from gridsim.network.zero_sequence import REMEDY, fill_zero_sequence
from ss_core.errors import InputError

BASE_MVA = 1.0  # in which pandapower 3.5 means the admittance of Yzn: it depends on the base there
UNUSED = ("load", "sgen", "storage", "asymmetric_load", "asymmetric_sgen")  # while compiling


@dataclass(frozen=True, slots=True, eq=False)
class SequenceNet:
    """Admittances of one symmetrical component, as in `Feeder`."""

    yff: Complex[np.ndarray, " branch"]
    yft: Complex[np.ndarray, " branch"]
    ytf: Complex[np.ndarray, " branch"]
    ytt: Complex[np.ndarray, " branch"]
    bus_shunt: Complex[np.ndarray, " bus"]  # to ground, of the grid above at the slack bus, too


@dataclass(frozen=True, slots=True, eq=False)
class Sequences:
    """What a feeder needs beside its positive sequence to be solved in three phases."""

    feeder: Feeder
    zero: SequenceNet
    negative: SequenceNet
    notes: tuple[str, ...] = ()  # what was filled in

    @property
    def positive(self) -> SequenceNet:
        """The feeder's own."""
        f = self.feeder
        return SequenceNet(f.yff, f.yft, f.ytf, f.ytt, f.bus_shunt)


def three_phase_net(name_or_path: str | Path, feeder: Feeder) -> tuple[Net, list[str]]:
    """The net of a feeder without any load, at the feeder's ratings, complete for `runpp_3ph`.

    Raises:
        InputError: the net cannot be read or not be solved in three phases.
    """
    net = read_net(name_or_path)
    for table in UNUSED:
        if len(net.get(table, ())):
            net[table] = net[table].iloc[:0]
    net.sn_mva = BASE_MVA
    rating = net.trafo.loc[feeder.trafo_index, "sn_mva"]
    net.trafo.loc[feeder.trafo_index, "pfe_kw"] *= feeder.trafo_sn_mva / rating
    net.trafo.loc[feeder.trafo_index, "sn_mva"] = feeder.trafo_sn_mva
    return net, fill_zero_sequence(net, feeder.name)


def compile_sequences(name_or_path: str | Path, feeder: Feeder) -> Sequences:
    """Compile the negative and zero sequence of the net that `feeder` was compiled from.

    Raises:
        InputError: the net cannot be read or not be solved in three phases.
    """
    import pandapower
    from pandapower.auxiliary import LoadflowNotConverged

    net, notes = three_phase_net(name_or_path, feeder)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what pandapower will change
            pandapower.runpp_3ph(net, numba=False)
            zero, positive, negative = (_compiled(net, feeder, number) for number in range(3))
    except (LoadflowNotConverged, *MALFORMED) as error:
        raise InputError(
            f"feeder {feeder.name}: cannot be solved in three phases ({error}); correct the net, "
            f"{REMEDY}"
        ) from error
    if not np.allclose(positive.yff, feeder.yff, rtol=1e-6, atol=1e-6):
        raise InputError(
            f"feeder {feeder.name}: pandapower's unbalanced power flow sees another net than its "
            f"balanced one; {REMEDY.removeprefix('or ')}"
        )
    slack = feeder.slack_bus
    above = negative.bus_shunt.copy()
    above[slack] += _grid_above(net, feeder)
    negative = SequenceNet(negative.yff, negative.yft, negative.ytf, negative.ytt, above)
    return Sequences(feeder, zero, negative, tuple(notes))


def _compiled(net: Net, feeder: Feeder, number: int) -> SequenceNet:
    """Sequence 0, 1 or 2, in the feeder's base; pandapower's is `BASE_MVA` a phase."""
    from pandapower.pd2ppc import _pd2ppc
    from pandapower.pypower.idx_brch import F_BUS, T_BUS
    from pandapower.pypower.idx_bus import BS, GS
    from pandapower.pypower.makeYbus import branch_vectors

    model: Any = _pd2ppc(net, sequence=number)[1]
    branch, bus = model["branch"], model["bus"]
    ends = branch[:, [F_BUS, T_BUS]].real.astype(np.int64)
    if not np.array_equal(ends, np.column_stack([feeder.branch_from, feeder.branch_to])):
        raise ValueError("its branches differ between the sequences")
    scale = 3 * BASE_MVA / feeder.sn_mva
    ytt, yff, yft, ytf = (scale * np.asarray(y) for y in branch_vectors(branch, len(branch)))
    shunt = scale * (bus[:, GS] + 1j * bus[:, BS]) / BASE_MVA
    return SequenceNet(yff, yft, ytf, ytt, shunt)


def _grid_above(net: Net, feeder: Feeder) -> complex:
    """Negative-sequence admittance of the grid above, per unit, as `runpp_3ph` has it."""
    source = net.ext_grid[net.ext_grid["in_service"].astype(bool)].iloc[0]
    magnitude = 1.1 * feeder.sn_mva / float(source["s_sc_max_mva"])
    x = magnitude / np.hypot(float(source["rx_max"]), 1.0)
    return complex(1 / (float(source["rx_max"]) * x + 1j * x))
