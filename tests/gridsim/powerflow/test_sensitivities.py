"""What a little more load does, against finite differences of pandapower and of the solver."""

from dataclasses import replace

import numpy as np
import pytest

from gridsim.network.pandapower_io import load_feeder, read_net, run_reference
from gridsim.powerflow.sensitivities import sensitivities
from gridsim.powerflow.solve import solve_power_flow

SHARE = 0.25
STEP_MW = 1e-4  # of central differences: errors of the second order


def case(name, batch=2):
    feeder = load_feeder(name, households=50, kva_per_household=None)
    p_mw = np.random.default_rng(1).uniform(-1e-3, 3e-3, (batch, feeder.load_count))
    p_mw = np.concatenate([p_mw, np.zeros((batch, len(feeder.sgen_index)))], axis=1)
    return feeder, p_mw, SHARE * p_mw


def by_pandapower(name, feeder, p_mw, q_mvar):
    """Voltages, loadings [%] and losses [MW] of one step."""
    net = read_net(name)
    assert run_reference(net, feeder, p_mw, q_mvar)
    own = feeder.bus_index >= 0
    loss = net.res_ext_grid.p_mw.sum() - net.res_load.p_mw.sum() + net.res_sgen.p_mw.sum()
    return (
        net.res_bus.vm_pu.loc[feeder.bus_index[own]].to_numpy(),
        net.res_line.loading_percent.loc[feeder.line_index].to_numpy(),
        net.res_trafo.loading_percent.loc[feeder.trafo_index].to_numpy(),
        float(loss),
    )


@pytest.mark.parametrize("name", ["kerber_dorfnetz", "schutterwald_56", "create_cigre_network_lv"])
def test_pandapower_finds_the_same_differences(name):
    feeder, p_mw, q_mvar = case(name)
    flow = solve_power_flow(feeder, p_mw, q_mvar)
    found = sensitivities(feeder, p_mw, q_mvar, flow, SHARE)
    own = feeder.bus_index >= 0
    for load in (0, feeder.load_count // 2, feeder.load_count - 1):
        ends = []
        for sign in (-1, 1):
            p, q = p_mw[0].copy(), q_mvar[0].copy()
            p[load] += sign * STEP_MW
            q[load] += sign * STEP_MW * SHARE
            ends.append(by_pandapower(name, feeder, p, q))
        less, more = ends
        vm, line, trafo, loss = ((b - a) / (2 * STEP_MW) for a, b in zip(less, more, strict=True))
        scale = np.abs(vm).max()
        assert found.vm_pu[0, own, load] == pytest.approx(vm, abs=1e-4 * scale)
        scale = np.abs(line).max()
        assert found.line_loading_percent[0, :, load] == pytest.approx(line, abs=1e-3 * scale)
        assert found.trafo_loading_percent[0, :, load] == pytest.approx(trafo, rel=1e-3)
        assert found.loss_mw[0, load] == pytest.approx(loss, abs=1e-4)


def test_a_batch_is_a_stack_of_single_steps():
    feeder, p_mw, q_mvar = case("kerber_dorfnetz", batch=3)
    flow = solve_power_flow(feeder, p_mw, q_mvar)
    whole = sensitivities(feeder, p_mw, q_mvar, flow)
    last = solve_power_flow(feeder, p_mw[2:], q_mvar[2:])
    alone = sensitivities(feeder, p_mw[2:], q_mvar[2:], last)
    for name in ("vm_pu", "line_loading_percent", "trafo_loading_percent", "loss_mw"):
        np.testing.assert_allclose(getattr(whole, name)[2], getattr(alone, name)[0], atol=1e-6)


def test_a_load_lowers_voltage_most_at_its_own_bus_and_not_at_the_source():
    feeder, p_mw, q_mvar = case("kerber_dorfnetz")
    flow = solve_power_flow(feeder, p_mw, q_mvar)
    found = sensitivities(feeder, p_mw, q_mvar, flow).vm_pu[0]
    assert (found[feeder.load_bus] <= 1e-9).all()
    assert found[feeder.slack_bus] == pytest.approx(0.0, abs=1e-12)
    own = found[feeder.load_bus, np.arange(feeder.load_count)]
    assert own == pytest.approx(found.min(axis=0))


def test_losses_grow_with_load_and_shrink_where_power_flows_back():
    feeder, p_mw, q_mvar = case("kerber_dorfnetz")
    for sign in (1.0, -1.0):
        flow = solve_power_flow(feeder, sign * np.abs(p_mw), 0.0 * q_mvar)
        found = sensitivities(feeder, sign * np.abs(p_mw), 0.0 * q_mvar, flow)
        assert (sign * found.loss_mw > 0.0).all()


def test_a_step_without_a_solution_has_no_sensitivities():
    feeder, p_mw, q_mvar = case("kerber_dorfnetz")
    flow = solve_power_flow(feeder, p_mw, q_mvar)
    lost = flow.v_pu.copy()
    lost[1] = np.nan
    found = sensitivities(feeder, p_mw, q_mvar, replace(flow, v_pu=lost, vm_pu=np.abs(lost)))
    assert np.isnan(found.loss_mw[1]).all()
    assert np.isfinite(found.loss_mw[0]).all()
