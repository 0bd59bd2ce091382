"""The fast power flow against hand calculation, itself, and the conservation of energy."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.network.feeder import Feeder
from gridsim.network.pandapower_io import SHIPPED, load_feeder
from gridsim.powerflow.loads import CONSTANT_POWER, ZipShare
from gridsim.powerflow.solve import solve_power_flow
from ss_core.errors import InputError

ZIP = ZipShare(40.0, 30.0, 20.0, 50.0)


def shipped(name="kerber_dorfnetz"):
    return load_feeder(name, households=50, kva_per_household=2.0)


def random_loads(feeder, batch, seed=0, peak_mw=2.5e-3):
    rng = np.random.default_rng(seed)
    p_mw = rng.uniform(0.0, peak_mw, (batch, feeder.load_count))
    return p_mw, 0.3 * p_mw


def two_bus_feeder(resistance_pu=0.1, branches=1):
    """A source at 1 per unit, a resistive line to one load; 1 MVA, 0.4 kV."""
    y = np.full(branches, 1 / resistance_pu / branches, complex)
    one, none = np.ones(1), np.zeros(0)
    return Feeder(
        name="two", sn_mva=1.0, slack_bus=0, slack_vm_pu=1.0, slack_va_degree=0.0,
        bus_index=np.arange(2), bus_name=("a", "b"), bus_vn_kv=np.full(2, 0.4),
        bus_x=np.full(2, np.nan), bus_y=np.full(2, np.nan), bus_shunt=np.zeros(2, complex),
        load_index=np.arange(1), load_name=("house",), load_bus=np.array([1]),
        load_p_mw=one, load_q_mvar=0 * one,
        branch_from=np.zeros(branches, int), branch_to=np.ones(branches, int),
        yff=y, yft=-y, ytf=-y, ytt=y,
        line_branch=np.arange(branches), line_index=np.arange(branches),
        line_name=("line",) * branches, line_length_km=np.ones(branches),
        line_max_i_ka=np.ones(branches),
        trafo_branch=np.zeros(0, int), trafo_index=np.zeros(0, int), trafo_name=(),
        trafo_sn_mva=none, trafo_parallel=np.zeros(0, int), trafo_df=none,
        trafo_vn_hv_kv=none, trafo_vn_lv_kv=none,
    )  # fmt: skip


# v² - v + r p = 0 with r = 0.1, p = 0.9: v = 0.9, i = 1, loss = 0.1
@pytest.mark.parametrize("method", ["zbus", "radial"])
@pytest.mark.parametrize("branches", [1, 2])
def test_two_buses_solve_as_by_hand(method, branches):
    flow = solve_power_flow(
        two_bus_feeder(branches=branches), np.array([[0.9]]), np.zeros((1, 1)), method=method
    )
    assert flow.vm_pu[0] == pytest.approx([1.0, 0.9])
    assert flow.slack_p_mw[0] == pytest.approx(1.0)
    assert flow.loss_mw[0] == pytest.approx(0.1)
    assert flow.p_from_mw[0].sum() == pytest.approx(1.0)
    i_ka = 1 / (np.sqrt(3) * 0.4)
    assert flow.i_ka[0].sum() == pytest.approx(i_ka)
    assert flow.line_loading_percent[0].sum() == pytest.approx(100 * i_ka)


# a pure constant-impedance load of 1 per unit behind r = 0.25: v = 1 / 1.25; constant current: 0.75
@pytest.mark.parametrize("method", ["zbus", "radial"])
def test_zip_loads_solve_as_by_hand(method):
    feeder, p, q = two_bus_feeder(0.25), np.array([[1.0]]), np.zeros((1, 1))
    impedance = solve_power_flow(feeder, p, q, zip_share=ZipShare(100.0, 0.0), method=method)
    current = solve_power_flow(feeder, p, q, zip_share=ZipShare(0.0, 100.0), method=method)
    assert impedance.vm_pu[0, 1] == pytest.approx(0.8)
    assert impedance.load_p_mw[0] == pytest.approx(0.64)
    assert current.vm_pu[0, 1] == pytest.approx(0.75)


# r p > 1/4 has no real voltage: (0.1, 2.5) is the nose, 2.6 is beyond
@pytest.mark.parametrize("method", ["zbus", "radial"])
def test_an_unsolvable_scenario_is_a_row_of_nan_and_spares_the_others(method):
    p = np.array([[0.9], [2.6], [np.nan], [1e9], [0.0]])
    flow = solve_power_flow(two_bus_feeder(), p, 0 * p, method=method)
    np.testing.assert_array_equal(flow.converged, [True, False, False, False, True])
    for field in dataclasses.fields(flow):
        values = getattr(flow, field.name)
        if field.name not in ("converged", "iterations") and values.size:
            assert np.isnan(values[1:4]).all(), field.name
            assert np.isfinite(values[[0, 4]]).all(), field.name
    assert flow.iterations[1] <= 100
    assert flow.vm_pu[4] == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("zip_share", [CONSTANT_POWER, ZIP])
def test_both_methods_agree(name, zip_share):
    feeder = shipped(name)
    p_mw, q_mvar = random_loads(feeder, 40)
    zbus = solve_power_flow(feeder, p_mw, q_mvar, zip_share=zip_share, method="zbus")
    radial = solve_power_flow(feeder, p_mw, q_mvar, zip_share=zip_share, method="radial")
    assert zbus.converged.all()
    np.testing.assert_allclose(radial.v_pu, zbus.v_pu, atol=1e-10)
    np.testing.assert_array_equal(radial.iterations, zbus.iterations)


@settings(max_examples=12)
@given(
    seed=st.integers(0, 2**32 - 1),
    batch=st.integers(1, 70),
    peak_mw=st.floats(0.0, 6e-3),
    method=st.sampled_from(["zbus", "radial"]),
)
def test_a_batch_is_a_stack_of_singles_and_energy_is_conserved(seed, batch, peak_mw, method):
    feeder = shipped()
    p_mw, q_mvar = random_loads(feeder, batch, seed, peak_mw)
    flow = solve_power_flow(feeder, p_mw, q_mvar, method=method)
    row = batch // 2
    single = solve_power_flow(feeder, p_mw[row : row + 1], q_mvar[row : row + 1], method=method)
    for field in dataclasses.fields(flow):
        together, alone = getattr(flow, field.name)[row], getattr(single, field.name)[0]
        np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-9, err_msg=field.name)
    assert flow.converged.all()
    supplied = flow.slack_p_mw - flow.load_p_mw - flow.loss_mw
    np.testing.assert_allclose(supplied, 0.0, atol=1e-9)
    np.testing.assert_allclose(flow.load_p_mw, p_mw.sum(axis=1), atol=1e-12)


def test_feeding_in_raises_the_voltage_and_sends_power_up():
    feeder = shipped()
    p_mw = np.full((1, feeder.load_count), -1.5e-3)
    flow = solve_power_flow(feeder, p_mw, 0 * p_mw)
    assert flow.vm_pu.max() > 1.0
    assert flow.slack_p_mw[0] < 0 < flow.loss_mw[0]


def closed_ring():
    """The two-bus feeder with a third bus tied to both: a loop."""
    pair = two_bus_feeder()
    y = np.full(3, 10.0, complex)
    return dataclasses.replace(
        pair,
        bus_index=np.arange(3), bus_name=("a", "b", "c"), bus_vn_kv=np.full(3, 0.4),
        bus_x=np.full(3, np.nan), bus_y=np.full(3, np.nan), bus_shunt=np.zeros(3, complex),
        branch_from=np.array([0, 1, 0]), branch_to=np.array([1, 2, 2]),
        yff=y, yft=-y, ytf=-y, ytt=y,
        line_branch=np.arange(3), line_index=np.arange(3), line_name=("x", "y", "z"),
        line_length_km=np.ones(3), line_max_i_ka=np.ones(3),
    )  # fmt: skip


# 0.1 in parallel with 0.1 + 0.1: r = 1/15; p = 0.9 * 0.1 * 15 = 1.35 gives v = 0.9 again
def test_a_meshed_feeder_is_solved_by_zbus_and_refused_by_the_sweep():
    p = np.array([[1.35]])
    flow = solve_power_flow(closed_ring(), p, 0 * p)
    assert flow.vm_pu[0] == pytest.approx([1.0, 0.9, 0.95])
    with pytest.raises(InputError, match="has loops"):
        solve_power_flow(closed_ring(), p, 0 * p, method="radial")


@pytest.mark.parametrize("shares", [(60.0, 50.0), (-1.0, 0.0), (float("nan"), 0.0)])
def test_zip_shares_must_be_percentages(shares):
    with pytest.raises(InputError, match="ZIP shares"):
        ZipShare(*shares)


def with_a_generator(feeder: Feeder) -> Feeder:
    return dataclasses.replace(
        feeder,
        sgen_index=np.array([0]),
        sgen_name=("field",),
        sgen_bus=feeder.load_bus[3:4],
        sgen_p_mw=np.array([0.01]),
        sgen_q_mvar=np.zeros(1),
        sgen_profile=("PV",),
    )


@pytest.mark.parametrize("method", ["zbus", "radial"])
def test_a_generator_is_a_load_below_zero_at_its_bus(method):
    feeder = shipped()
    p, q = random_loads(feeder, 4)
    given, none = np.full((4, 1), -0.01), np.zeros((4, 1))
    beside = solve_power_flow(
        with_a_generator(feeder), np.hstack([p, given]), np.hstack([q, none]), method=method
    )
    p[:, 3] -= 0.01
    within = solve_power_flow(feeder, p, q, method=method)
    np.testing.assert_allclose(beside.v_pu, within.v_pu, atol=1e-12)
    np.testing.assert_allclose(beside.load_p_mw, within.load_p_mw, atol=1e-12)


def test_loads_that_depend_on_voltage_are_refused_beside_generators():
    feeder = with_a_generator(shipped())
    p, q = np.zeros((1, feeder.load_count + 1)), np.zeros((1, feeder.load_count + 1))
    with pytest.raises(InputError, match="has generators"):
        solve_power_flow(feeder, p, q, zip_share=ZIP)
