"""Small nets with everything that unbalanced power flow asks for, and random loads by phase."""

from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp


def small_net(vector_group: str = "Dyn5", short_circuit_mva: float = 150.0) -> Any:
    """A transformer, three lines with data of their own, an open end, three loads, a generator."""
    net = pp.create_empty_network(sn_mva=0.5)
    hv, lv = pp.create_bus(net, 10.0), pp.create_bus(net, 0.4)
    first, second, third = (pp.create_bus(net, 0.4) for _ in range(3))
    pp.create_ext_grid(
        net, hv, vm_pu=1.01, s_sc_max_mva=short_circuit_mva, rx_max=0.3, x0x_max=1.2, r0x0_max=0.4
    )
    shift = {"D": 150.0, "Y": 150.0 if "z" in vector_group else 0.0}[vector_group[0]]
    pp.create_transformer_from_parameters(
        net, hv, lv, sn_mva=0.16, vn_hv_kv=10.0, vn_lv_kv=0.4, vk_percent=4.0, vkr_percent=1.4,
        pfe_kw=0.4, i0_percent=0.3, shift_degree=shift, vector_group=vector_group,
        vk0_percent=3.6, vkr0_percent=1.3, mag0_percent=100.0, mag0_rx=0.1, si0_hv_partial=0.9,
        tap_side="hv", tap_neutral=0, tap_min=-2, tap_max=2, tap_step_percent=2.5, tap_pos=-1,
        tap_changer_type="Ratio",
    )  # fmt: skip
    for start, end, km in ((lv, first, 0.2), (first, second, 0.15), (first, third, 0.3)):
        pp.create_line_from_parameters(
            net, start, end, length_km=km, r_ohm_per_km=0.32, x_ohm_per_km=0.083,
            c_nf_per_km=260.0, max_i_ka=0.2, r0_ohm_per_km=1.1, x0_ohm_per_km=0.37,
            c0_nf_per_km=120.0,
        )  # fmt: skip
    open_line = pp.create_line_from_parameters(
        net, second, third, length_km=0.1, r_ohm_per_km=0.32, x_ohm_per_km=0.083,
        c_nf_per_km=260.0, max_i_ka=0.2, r0_ohm_per_km=1.1, x0_ohm_per_km=0.37, c0_nf_per_km=120.0,
    )  # fmt: skip
    pp.create_switch(net, third, open_line, et="l", closed=False)
    for bus in (first, second, third):
        pp.create_load(net, bus, p_mw=0.004, q_mvar=0.001)
    pp.create_sgen(net, third, p_mw=0.003)
    return net


def written(net: Any, folder: Path) -> str:
    """The net as a file; its path."""
    path = folder / "net.json"
    pp.to_json(net, str(path))
    return str(path)


def random_power(
    terminals: int, batch: int, seed: int = 0, peak_mw: float = 4e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Loads and generation by phase, half of them absent: `[batch, phase, terminal]`."""
    rng = np.random.default_rng(seed)
    shape = (batch, 3, terminals)
    p_mw = rng.uniform(-0.6 * peak_mw, peak_mw, shape) * (rng.random(shape) < 0.5)
    return p_mw, rng.uniform(-0.1, 0.4, shape) * p_mw
