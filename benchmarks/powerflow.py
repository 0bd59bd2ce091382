"""How fast the power flow is against pandapower and power-grid-model, and how it grows with buses.

    python benchmarks/powerflow.py [--batch 256] [--repeats 5] [--largest 86]
    python benchmarks/powerflow.py --unbalanced [--feeders kerber_146 …]

The second compares unbalanced power flow with `runpp_3ph` and power-grid-model's asymmetric mode.

All engines solve the same loads in the same process with one thread; figures are processor time
per power flow, the best of the repeats.
"""

import argparse
import dataclasses
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from gridsim.network.feeder import ARRAY_FIELDS, OPEN_END, Feeder
from gridsim.network.pandapower_io import SHIPPED, load_feeder, read_net
from gridsim.network.sequences import BASE_MVA, Sequences, compile_sequences
from gridsim.powerflow.solve import PowerFlow, solve_power_flow
from gridsim.powerflow.unbalanced import solve_unbalanced
from gridsim.powerflow.unbalanced_audit import (
    audit_unbalanced,
    reference_net,
    run_unbalanced_reference,
)

AUDITED = 50  # unbalanced steps solved again by pandapower
PEAK_MW = 2.5e-3  # loads are drawn evenly between 0 and this
BUS_POSITIONS = ("load_bus", "branch_from", "branch_to")
BRANCH_POSITIONS = ("line_branch", "trafo_branch")


def seconds(action: Callable[[], object], repeats: int) -> float:
    """Processor time of the fastest of some calls, after one call to warm up."""
    action()
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        action()
        best = min(best, time.process_time() - start)
    return best


def villages(feeder: Feeder, count: int) -> Feeder:
    """`count` copies of a feeder behind one common medium-voltage busbar."""
    buses, branches = feeder.bus_count - 1, len(feeder.branch_from)
    if feeder.slack_bus != 0:
        raise ValueError("the first bus must be the slack bus")
    arrays = {}
    for name in ARRAY_FIELDS:
        values = getattr(feeder, name)
        if name in BUS_POSITIONS:
            arrays[name] = np.concatenate(
                [np.where(values == 0, 0, values + copy * buses) for copy in range(count)]
            )
        elif name in BRANCH_POSITIONS:
            arrays[name] = np.concatenate([values + copy * branches for copy in range(count)])
        elif name.startswith("bus_"):
            arrays[name] = np.concatenate([values[:1], *[values[1:]] * count])
        else:
            arrays[name] = np.tile(values, count)
    names = {name: getattr(feeder, name) * count for name in ("load_name", "line_name")}
    return dataclasses.replace(
        feeder,
        bus_name=feeder.bus_name[:1] + feeder.bus_name[1:] * count,
        trafo_name=feeder.trafo_name * count,
        **names,
        **arrays,
    )


def pandapower_seconds(net: Any, p_mw: np.ndarray, repeats: int) -> tuple[float, np.ndarray]:
    """Time of one `runpp`, and its bus voltages, for the first row of loads."""
    import pandapower

    net.load["p_mw"] = p_mw[0]
    net.load["q_mvar"] = 0.3 * p_mw[0]
    return (
        seconds(lambda: pandapower.runpp(net, numba=True), max(repeats, 5)),
        net.res_bus["vm_pu"].to_numpy(),
    )


def grid_model_input(net: Any) -> dict[str, np.ndarray]:
    """The net in power-grid-model's terms (no switches, ideal source)."""
    from power_grid_model import LoadGenType, initialize_array

    tables: dict[str, np.ndarray] = {}

    def table(name: str, **columns: Any) -> None:
        first = sum(len(rows) for rows in tables.values()) if name != "node" else 0
        size = len(next(iter(columns.values())))
        tables[name] = initialize_array("input", name, size)
        tables[name]["id"] = columns.pop("id", None) if "id" in columns else first + np.arange(size)
        for column, values in columns.items():
            tables[name][column] = values

    node = {bus: position for position, bus in enumerate(net.bus.index)}
    at = np.vectorize(node.__getitem__, otypes=[np.int64])
    line, trafo, load = net.line, net.trafo, net.load
    omega = 2 * np.pi * net.f_hz
    table("node", u_rated=net.bus.vn_kv * 1e3)
    table(
        "line", from_node=at(line.from_bus), to_node=at(line.to_bus), from_status=1, to_status=1,
        r1=line.r_ohm_per_km * line.length_km / line.parallel,
        x1=line.x_ohm_per_km * line.length_km / line.parallel,
        c1=line.c_nf_per_km * 1e-9 * line.length_km * line.parallel,
        tan1=line.g_us_per_km * 1e-6 / (omega * line.c_nf_per_km.clip(1e-9) * 1e-9),
        i_n=line.max_i_ka * 1e3 * line.df * line.parallel,
    )  # fmt: skip
    sn = trafo.sn_mva * 1e6
    table(
        "transformer", from_node=at(trafo.hv_bus), to_node=at(trafo.lv_bus),
        from_status=1, to_status=1, u1=trafo.vn_hv_kv * 1e3, u2=trafo.vn_lv_kv * 1e3, sn=sn,
        uk=trafo.vk_percent / 100, pk=trafo.vkr_percent / 100 * sn,
        i0=trafo.i0_percent / 100, p0=trafo.pfe_kw * 1e3, winding_from=2, winding_to=1,
        clock=(trafo.shift_degree / 30).astype(int), tap_side=0, tap_pos=trafo.tap_pos.astype(int),
        tap_min=-2, tap_max=2, tap_nom=0, tap_size=trafo.tap_step_percent * trafo.vn_hv_kv * 10,
    )  # fmt: skip
    source = net.ext_grid
    table("source", node=at(source.bus), status=1, u_ref=source.vm_pu, sk=1e20)
    table("sym_load", node=at(load.bus), status=1, type=LoadGenType.const_power, p_specified=0.0,
          q_specified=0.0)  # fmt: skip
    return tables


def grid_model_seconds(
    net: Any, p_mw: np.ndarray, repeats: int
) -> tuple[dict[str, float], np.ndarray]:
    """Time per power flow of each exact batch method, asking for voltages and loadings only."""
    from power_grid_model import CalculationMethod, ComponentType, PowerGridModel, initialize_array

    tables = grid_model_input(net)
    model = PowerGridModel(tables, system_frequency=float(net.f_hz))
    update = initialize_array("update", "sym_load", p_mw.shape)
    update["id"] = tables["sym_load"]["id"]
    update["p_specified"], update["q_specified"] = p_mw * 1e6, 0.3 * p_mw * 1e6
    loaded = (ComponentType.line, ComponentType.transformer)
    wanted: dict = {ComponentType.node: ["u_pu"]} | {key: ["loading"] for key in loaded}
    times, voltages = {}, np.empty(0)
    for method in (CalculationMethod.newton_raphson, CalculationMethod.iterative_current):

        def solve(method: Any = method) -> Any:
            return model.calculate_power_flow(
                calculation_method=method,
                update_data={"sym_load": update},
                output_component_types=wanted,
                error_tolerance=1e-10,
                max_iterations=100,
                threading=-1,
            )

        times[method.name] = seconds(solve, repeats) / len(p_mw)
        voltages = solve()["node"]["u_pu"]
    return times, voltages


def compare(name: str, batch: int, repeats: int) -> None:
    """One feeder, every engine."""
    feeder = load_feeder(name, households=50, kva_per_household=None)
    p_mw = np.random.default_rng(0).uniform(0, PEAK_MW, (batch, feeder.load_count))
    flows: dict[str, PowerFlow] = {}
    times: dict[str, float] = {}
    for method in ("zbus", "radial"):

        def solve(method: Any = method) -> None:
            flows[method] = solve_power_flow(feeder, p_mw, 0.3 * p_mw, method=method)

        times[f"ours, {method}"] = seconds(solve, 4 * repeats) / batch
    net = read_net(name)
    times["pandapower.runpp"], reference = pandapower_seconds(net, p_mw, repeats)
    print(f"\n{name}: {feeder.bus_count} buses, {feeder.load_count} loads, batch {batch}")
    difference = np.abs(flows["radial"].vm_pu[0, feeder.bus_index >= 0] - reference).max()
    print(f"  largest voltage difference from pandapower: {difference:.1e} per unit")
    if not len(net.switch):
        found, voltages = grid_model_seconds(net, p_mw, repeats)
        times |= {f"power-grid-model, {method}": value for method, value in found.items()}
        difference = np.abs(flows["radial"].vm_pu - voltages).max()
        print(f"  largest voltage difference from power-grid-model: {difference:.1e} per unit")
    for engine, value in times.items():
        ratio = times["pandapower.runpp"] / value
        print(f"  {engine:38s} {value * 1e6:10.2f} µs per power flow  {ratio:8.0f} x")


def asymmetric_input(net: Any, feeder: Feeder) -> dict[str, np.ndarray]:
    """The net in power-grid-model's terms with its zero sequence and a load for each terminal."""
    from power_grid_model import LoadGenType, initialize_array

    tables = grid_model_input(net)
    line, source = net.line, net.ext_grid
    tables["line"]["r0"] = line.r0_ohm_per_km * line.length_km / line.parallel
    tables["line"]["x0"] = line.x0_ohm_per_km * line.length_km / line.parallel
    tables["line"]["c0"] = line.c0_nf_per_km * 1e-9 * line.length_km * line.parallel
    tables["line"]["tan0"] = 0.0
    for bus, index in net.switch.loc[~net.switch.closed, ["bus", "element"]].itertuples(
        index=False
    ):
        end = "from_status" if line.at[index, "from_bus"] == bus else "to_status"
        tables["line"][end][line.index.get_loc(index)] = 0
    tables["source"]["sk"] = source.s_sc_max_mva * 1e6
    del tables["sym_load"]
    node = {bus: position for position, bus in enumerate(net.bus.index)}
    at = [node[bus] for bus in feeder.bus_index[feeder.terminal_bus]]
    load = initialize_array("input", "asym_load", len(at))
    load["id"] = 1 + max(rows["id"].max() for rows in tables.values()) + np.arange(len(at))
    load["node"], load["status"], load["type"] = at, 1, LoadGenType.const_power
    load["p_specified"] = load["q_specified"] = 0.0
    return tables | {"asym_load": load}


def asymmetric_seconds(
    net: Any, feeder: Feeder, p_mw: np.ndarray, repeats: int
) -> tuple[dict[str, float], np.ndarray]:
    """Time per power flow of each exact asymmetric batch method; voltages and line currents."""
    from power_grid_model import CalculationMethod, ComponentType, PowerGridModel, initialize_array

    tables = asymmetric_input(net, feeder)
    model = PowerGridModel(tables, system_frequency=float(net.f_hz))
    update = initialize_array("update", "asym_load", (len(p_mw), p_mw.shape[2]))
    update["id"] = tables["asym_load"]["id"]
    update["p_specified"] = p_mw.transpose(0, 2, 1) * 1e6
    update["q_specified"] = 0.3 * p_mw.transpose(0, 2, 1) * 1e6
    wanted: dict = {ComponentType.node: ["u_pu"], ComponentType.line: ["i_from", "i_to"]}
    times, voltages = {}, np.empty(0)
    for method in (CalculationMethod.newton_raphson, CalculationMethod.iterative_current):

        def solve(method: Any = method) -> Any:
            return model.calculate_power_flow(
                symmetric=False,
                calculation_method=method,
                update_data={"asym_load": update},
                output_component_types=wanted,
                error_tolerance=1e-10,
                max_iterations=100,
                threading=-1,
            )

        times[method.name] = seconds(solve, repeats) / len(p_mw)
        voltages = solve()["node"]["u_pu"].transpose(0, 2, 1)
    return times, voltages


def unbalanced_reference_seconds(
    name: str, sequences: Sequences, p_mw: np.ndarray, repeats: int
) -> float:
    """Time of one `runpp_3ph` with settings of its own, which are less strict than the audit's."""
    import pandapower

    net = reference_net(name, sequences)
    net.sn_mva = BASE_MVA
    run_unbalanced_reference(net, p_mw, 0.3 * p_mw)  # sets the loads
    return seconds(lambda: pandapower.runpp_3ph(net), max(repeats, 5))


def compare_unbalanced(name: str, batch: int, repeats: int) -> None:
    """One feeder in three phases, every load on one of them, every engine."""
    feeder = load_feeder(name, households=50, kva_per_household=None)
    sequences = compile_sequences(name, feeder)
    rng = np.random.default_rng(0)
    terminals = len(feeder.terminal_bus)
    own = np.arange(3)[:, None] == rng.integers(0, 3, terminals)
    p_mw = rng.uniform(0, PEAK_MW, (batch, 1, terminals)) * own
    ours = seconds(lambda: solve_unbalanced(sequences, p_mw, 0.3 * p_mw), 4 * repeats) / batch
    flow = solve_unbalanced(sequences, p_mw, 0.3 * p_mw)
    print(f"\n{name}: {feeder.bus_count} buses, {terminals} single-phase loads, batch {batch}")
    print(f"  all converged: {flow.converged.all()}, lowest {flow.vm_pu.min():.3f} per unit")
    net = reference_net(name, sequences)
    everywhere = rng.uniform(0, PEAK_MW / 3, (batch, 3, terminals))
    times = {
        "ours": ours,
        "ours, every load on three phases": seconds(
            lambda: solve_unbalanced(sequences, everywhere, 0.3 * everywhere), 4 * repeats
        )
        / batch,
        "pandapower.runpp_3ph": unbalanced_reference_seconds(name, sequences, p_mw[0], repeats),
    }
    found = audit_unbalanced(name, sequences, p_mw, 0.3 * p_mw, flow, samples=AUDITED, rng=rng)
    print(
        f"  largest voltage difference from runpp_3ph: {found.max_dv_pu:.1e} per unit in "
        f"{found.steps_checked} steps, {found.steps_disputed} disputed"
    )
    if (net.switch["et"] == "l").all():
        asymmetric, voltages = asymmetric_seconds(net, feeder, p_mw, repeats)
        times |= {f"power-grid-model, {method}": value for method, value in asymmetric.items()}
        own = feeder.bus_index != OPEN_END
        at = net.bus.index.get_indexer(feeder.bus_index[own])
        difference = np.abs(flow.vm_pu[:, :, own] - voltages[:, :, at]).max()
        print(
            f"  largest voltage difference from power-grid-model: {difference:.1e} per unit (it "
            "models the grid above and the transformer's zero sequence otherwise)"
        )
    for engine, value in times.items():
        ratio = times["pandapower.runpp_3ph"] / value
        print(f"  {engine:38s} {value * 1e6:10.2f} µs per power flow  {ratio:8.0f} x")


def scale(largest: int, batch: int, repeats: int) -> None:
    """The sweep on more and more villages under one busbar."""
    village = load_feeder("kerber_dorfnetz", households=50, kva_per_household=None)
    print("\nvillages under one busbar, radial sweep")
    for count in (*(few for few in (1, 3, 9, 29) if few < largest), largest):
        feeder = villages(village, count)
        rows = max(64, batch // count)
        p_mw = np.random.default_rng(0).uniform(0, PEAK_MW, (rows, feeder.load_count))

        def solve(feeder: Feeder = feeder, p_mw: np.ndarray = p_mw) -> PowerFlow:
            return solve_power_flow(feeder, p_mw, 0.3 * p_mw, method="radial")

        value = seconds(solve, repeats) / rows
        flow = solve()
        print(
            f"  {feeder.bus_count:6d} buses {value * 1e6:10.1f} µs per power flow "
            f"{value / feeder.bus_count * 1e9:6.1f} ns per bus  converged {flow.converged.all()}"
        )


def main() -> None:
    """Parse the options and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--largest", type=int, default=86, help="villages in the largest feeder")
    parser.add_argument("--unbalanced", action="store_true", help="three phases instead")
    parser.add_argument("--feeders", nargs="+", default=list(SHIPPED))
    options = parser.parse_args()
    if options.unbalanced:
        for name in options.feeders:
            compare_unbalanced(name, options.batch, options.repeats)
        return
    for name in options.feeders:
        compare(name, options.batch, options.repeats)
    scale(options.largest, options.batch, options.repeats)


if __name__ == "__main__":
    main()
