"""What steps cost a network, worked by hand and against differences of pandapower."""

from dataclasses import replace

import numpy as np
import pytest

from gridsim.network.pandapower_io import load_feeder, read_net, run_reference
from gridsim.powerflow.network_cost import (
    NetworkLimits,
    increments_eur_per_h,
    marginal_eur_per_kwh,
    network_eur_per_h,
)
from gridsim.powerflow.sensitivities import sensitivities
from gridsim.powerflow.solve import solve_power_flow

LIMITS = NetworkLimits(
    loading=0.2, loading_eur_per_kwh=2.0, low_pu=0.99, high_pu=1.0, voltage_eur_per_h=1000.0
)  # all of them bind
NOTHING = replace(LIMITS, loading=9.0, low_pu=0.0, high_pu=9.0)
PRICE = np.array([0.3, 0.1])
STEP_MW = 1e-4


def case(name, low_mw=-4e-3, high_mw=6e-3):
    feeder = load_feeder(name, households=50, kva_per_household=None)
    p_mw = np.random.default_rng(2).uniform(low_mw, high_mw, (2, feeder.load_count))
    return feeder, p_mw, solve_power_flow(feeder, p_mw, 0.0 * p_mw)


def test_losses_alone_cost_their_energy():
    feeder, _, flow = case("kerber_dorfnetz")
    cost = network_eur_per_h(feeder, flow, PRICE, NOTHING)
    np.testing.assert_allclose(cost, PRICE * 1000.0 * flow.loss_mw)


def test_loadings_and_voltages_cost_beyond_their_limits():
    feeder, _, flow = case("kerber_dorfnetz")
    lines, trafos, buses = len(feeder.line_branch), 1, feeder.bus_count
    made = replace(
        flow,
        loss_mw=np.zeros(2),
        line_loading_percent=np.zeros((2, lines)),
        trafo_loading_percent=np.array([[100.0], [10.0]])[:, :trafos],
        vm_pu=np.full((2, buses), 0.995),
    )
    made.vm_pu[1, feeder.load_bus[0]] = 0.98
    cost = network_eur_per_h(feeder, made, PRICE, LIMITS)
    # 80 % of the transformer's kVA at 2 EUR: 2/2 · S · 0.64; one bus 0.01 below: 500 · 1e-4
    rated_kva = 1000.0 * feeder.transformer_sn_mva
    assert cost.tolist() == pytest.approx([0.64 * rated_kva, 0.05])


@pytest.mark.parametrize("name", ["kerber_dorfnetz", "schutterwald_56"])
def test_pandapower_finds_the_same_charge_for_a_kw_more(name):
    feeder, p_mw, flow = case(name)
    found = sensitivities(feeder, p_mw, 0.0 * p_mw, flow)
    charge = marginal_eur_per_kwh(feeder, flow, found, PRICE, LIMITS)
    for load in (0, feeder.load_count - 1):
        ends = []
        for sign in (-1, 1):
            moved = p_mw[:1].copy()
            moved[0, load] += sign * STEP_MW
            ends.append(by_pandapower(name, feeder, moved))
        slope = (ends[1] - ends[0]) / (2 * 1000.0 * STEP_MW)
        assert charge[0, load] == pytest.approx(slope, rel=2e-3)
        assert abs(slope) > 1e-3


def by_pandapower(name, feeder, p_mw):
    """The cost of one step at pandapower's voltages, loadings and losses."""
    net = read_net(name)
    assert run_reference(net, feeder, p_mw[0], 0.0 * p_mw[0])
    flow = solve_power_flow(feeder, p_mw, 0.0 * p_mw)
    own = feeder.bus_index >= 0
    vm_pu = flow.vm_pu.copy()
    vm_pu[0, own] = net.res_bus.vm_pu.loc[feeder.bus_index[own]]
    theirs = replace(
        flow,
        vm_pu=vm_pu,
        line_loading_percent=net.res_line.loading_percent.loc[feeder.line_index].to_numpy()[None],
        trafo_loading_percent=net.res_trafo.loading_percent.loc[feeder.trafo_index].to_numpy()[
            None
        ],
        loss_mw=np.array([net.res_ext_grid.p_mw.sum() - net.res_load.p_mw.sum()]),
    )
    return float(network_eur_per_h(feeder, theirs, PRICE[:1], LIMITS)[0])


def test_a_kw_at_the_end_of_a_long_line_costs_more_than_at_the_transformer():
    feeder, p_mw, flow = case("kerber_dorfnetz", 2e-3, 4e-3)
    found = sensitivities(feeder, p_mw, 0.0 * p_mw, flow)
    charge = marginal_eur_per_kwh(feeder, flow, found, PRICE, LIMITS)
    voltage = flow.vm_pu[0, feeder.load_bus]
    assert charge[0, voltage.argmin()] > charge[0, voltage.argmax()] > 0.0


def test_feeding_in_relieves_what_is_loaded_and_is_charged_where_voltage_is_high():
    feeder, p_mw, flow = case("kerber_dorfnetz", -6e-3, -4e-3)
    found = sensitivities(feeder, p_mw, 0.0 * p_mw, flow)
    assert (marginal_eur_per_kwh(feeder, flow, found, PRICE, LIMITS) < 0.0).all()


def test_increments_are_what_power_flow_finds_where_it_is_nearly_linear():
    feeder, p_mw, flow = case("kerber_dorfnetz")
    found = sensitivities(feeder, p_mw, 0.0 * p_mw, flow)
    more_kw = np.array([-0.5, 0.0, 0.5])
    load = feeder.load_count - 1
    added = increments_eur_per_h(feeder, flow, found, PRICE, LIMITS, load=load, more_kw=more_kw)
    before = network_eur_per_h(feeder, flow, PRICE, LIMITS)
    for column, kw in enumerate(more_kw):
        moved = p_mw.copy()
        moved[:, load] += kw / 1000.0
        then = solve_power_flow(feeder, moved, 0.0 * moved)
        true = network_eur_per_h(feeder, then, PRICE, LIMITS) - before
        assert added[:, column] == pytest.approx(true, rel=0.1, abs=1e-9)
    slope = (added[:, 2] - added[:, 0]) / 1.0
    charge = marginal_eur_per_kwh(feeder, flow, found, PRICE, LIMITS)[:, load]
    assert slope == pytest.approx(charge, rel=0.02)
