"""Data that only unbalanced power flow asks for: of lines, transformers and the grid above.

Works on the tables of a net (pandas frames). Where a net has no such data, documented defaults take
their place, and what was filled in is counted (docs/limits.md says why these).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gridsim.network.net_checks import Net
from ss_core.errors import InputError

# Four equal conductors, return through the fourth: IEC 60909-2, four-core cables, gives
# Z0 = 4 R + j 4 X1 where conductors are equally far apart.
LINE_RATIO = 4.0
# As pandapower's own messages propose for `runpp_3ph`; vk0 and vkr0 as in the positive sequence.
MAGNETISING_PERCENT, MAGNETISING_RX, HV_PART = 100.0, 0.0, 0.9
VECTOR_GROUP = "Dyn"
# The grid above: as that of pandapower's CIGRE low-voltage net, the same in every sequence.
SHORT_CIRCUIT_MVA, GRID_RX, GRID_X0X, GRID_R0X0 = 100.0, 1.0, 1.0, 1.0
SOLVABLE = ("YNyn", "Dyn", "Yzn")  # by `pandapower.runpp_3ph`
REMEDY = "or leave --phases at balanced"


def fill_zero_sequence(net: Net, name: str) -> list[str]:
    """Complete a net for unbalanced power flow, in place; what was filled in, counted, in words.

    Raises:
        InputError: a transformer of a vector group that unbalanced power flow does not know.
    """
    line, trafo = net.line, net.trafo
    lines = _filled(
        line,
        {
            "r0_ohm_per_km": LINE_RATIO * line["r_ohm_per_km"],
            "x0_ohm_per_km": LINE_RATIO * line["x_ohm_per_km"],
            "c0_nf_per_km": line["c_nf_per_km"],
        },
    )
    grids = _filled(
        net.ext_grid,
        {
            "s_sc_max_mva": SHORT_CIRCUIT_MVA,
            "rx_max": GRID_RX,
            "x0x_max": GRID_X0X,
            "r0x0_max": GRID_R0X0,
        },
    )
    grouped = _set_vector_groups(trafo, name)
    trafos = _filled(
        trafo,
        {
            "vk0_percent": trafo["vk_percent"],
            "vkr0_percent": trafo["vkr_percent"],
            "mag0_percent": MAGNETISING_PERCENT,
            "mag0_rx": MAGNETISING_RX,
            "si0_hv_partial": HV_PART,
        },
    )
    parts = {
        f"{lines} of {len(line)} lines (zero sequence {LINE_RATIO:g} times the positive one, "
        "as four-core cables)": lines,
        f"{trafos} of {len(trafo)} transformers (zero sequence as the positive one)": trafos,
        f"vector group {VECTOR_GROUP} of {grouped} of {len(trafo)} transformers": grouped,
        f"the grid above ({SHORT_CIRCUIT_MVA:g} MVA short-circuit power)": grids,
    }
    said = ", ".join(words for words, count in parts.items() if count)
    return [f"data for three phases that the net lacks, filled in: {said}"] if said else []


def _filled(frame: Any, defaults: Mapping[str, Any]) -> int:
    """Fill missing values of columns in place; how many rows lacked one."""
    lacked = np.zeros(len(frame), dtype=np.bool_)
    for column, default in defaults.items():
        values = np.full(len(frame), np.nan)
        if column in frame:
            values = frame[column].astype(float).to_numpy(copy=True)
        missing = ~np.isfinite(values)
        lacked |= missing
        frame[column] = np.where(missing, default, values)
    return int(lacked.sum())


def _set_vector_groups(trafo: Any, name: str) -> int:
    """Vector groups as `runpp_3ph` spells them, in place; how many transformers had none."""
    known = {group.lower(): group for group in SOLVABLE}
    written = list(trafo["vector_group"]) if "vector_group" in trafo else [None] * len(trafo)
    groups, filled = [], 0
    for index, text in zip(trafo.index, written, strict=True):
        if not (isinstance(text, str) and text.strip()):
            groups.append(VECTOR_GROUP)
            filled += 1
            continue
        bare = text.strip().rstrip("0123456789").lower()
        if bare not in known:
            raise InputError(
                f"feeder {name}: trafo {index}: vector_group={text!r}: unbalanced power flow knows "
                f"{', '.join(SOLVABLE)}; write one of them, {REMEDY}"
            )
        groups.append(known[bare])
    trafo["vector_group"] = np.array(groups, dtype=object)
    return filled
