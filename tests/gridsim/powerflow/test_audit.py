"""The referee agrees on every shipped feeder, and notices when the physics is wrong."""

import dataclasses

import numpy as np
import pandapower
import pytest

from gridsim.network.pandapower_io import load_feeder, read_net
from gridsim.powerflow.audit import Audit, audit, audit_note
from gridsim.powerflow.loads import CONSTANT_POWER, ZipShare
from gridsim.powerflow.solve import solve_power_flow
from ss_core.errors import InputError

CASES = {
    "village with a small transformer": ("kerber_dorfnetz", 2.0, CONSTANT_POWER),
    "voltage-dependent loads": ("kerber_dorfnetz", None, ZipShare(40.0, 30.0, 20.0, 50.0)),
    "real town with an open line and a tap": ("schutterwald_56", 3.0, CONSTANT_POWER),
    "suburb": ("kerber_146", 2.0, CONSTANT_POWER),
}


def solve(name, kva_per_household, zip_share, batch=20):
    feeder = load_feeder(name, households=50, kva_per_household=kva_per_household)
    p_mw = np.random.default_rng(1).uniform(0, 2e-3, (batch, feeder.load_count))
    q_mvar = 0.25 * p_mw
    return feeder, p_mw, q_mvar, solve_power_flow(feeder, p_mw, q_mvar, zip_share=zip_share)


@pytest.mark.parametrize("case", CASES)
def test_pandapower_confirms_sampled_steps(case):
    name, kva, zip_share = CASES[case]
    feeder, p_mw, q_mvar, flow = solve(name, kva, zip_share)
    result = audit(
        name, feeder, p_mw, q_mvar, flow, zip_share, samples=2, rng=np.random.default_rng(0)
    )
    assert result.steps_checked == 2
    assert result.steps_disputed == 0
    assert result.max_dv_pu < 1e-8
    assert result.max_loading_diff_percent < 1e-4
    assert result.energy_balance_mw < 1e-9


def net_with(tmp_path, ohm):
    """A village in which the first house line has next to no impedance."""
    net = read_net("kerber_dorfnetz")
    net.line.loc[net.line.index[0], ["r_ohm_per_km", "x_ohm_per_km"]] = ohm, ohm
    net.line.loc[net.line.index[0], ["length_km", "c_nf_per_km"]] = 1.0, 0.0
    path = tmp_path / "net.json"
    pandapower.to_json(net, str(path))
    return path


def test_lines_of_next_to_no_impedance_are_confirmed_as_switches(tmp_path):
    path = net_with(tmp_path, 1e-8)
    feeder = load_feeder(path, households=20, kva_per_household=None)
    p_mw = np.random.default_rng(1).uniform(0, 2e-3, (6, feeder.load_count))
    flow = solve_power_flow(feeder, p_mw, 0.25 * p_mw)
    result = audit(path, feeder, p_mw, 0.25 * p_mw, flow, samples=4, rng=np.random.default_rng(0))
    assert (result.steps_checked, result.steps_disputed, result.lines_as_switches) == (4, 0, 1)
    assert result.max_dv_pu < 1e-7
    assert result.max_loading_diff_percent < 1e-3
    assert audit_note([result]).endswith(
        "0 disputed (1 line of next to no impedance is a closed switch there, since pandapower "
        "finds no solution otherwise)"
    )


def test_a_forged_voltage_is_noticed_beside_such_a_line(tmp_path):
    path = net_with(tmp_path, 1e-8)
    feeder = load_feeder(path, households=20, kva_per_household=None)
    p_mw = np.full((1, feeder.load_count), 1e-3)
    flow = solve_power_flow(feeder, p_mw, 0.25 * p_mw)
    forged = dataclasses.replace(flow, v_pu=flow.v_pu + 1e-3)
    result = audit(path, feeder, p_mw, 0.25 * p_mw, forged, samples=1, rng=np.random.default_rng(0))
    assert result.max_dv_pu == pytest.approx(1e-3, rel=1e-2)


def test_where_pandapower_finds_nothing_at_all_the_remedy_works(tmp_path):
    path = net_with(tmp_path, 1e-9)
    with pytest.raises(InputError, match=r"line 0: next to no impedance .* closed switch"):
        load_feeder(path, households=20, kva_per_household=None)
    net = read_net(path)
    net.line.at[0, "in_service"] = False
    ends = int(net.line.at[0, "from_bus"]), int(net.line.at[0, "to_bus"])
    pandapower.create_switch(net, *ends, et="b", closed=True)
    pandapower.to_json(net, str(path))
    assert load_feeder(path, households=20, kva_per_household=None).load_count > 0


def test_a_falsified_voltage_is_noticed():
    feeder, p_mw, q_mvar, flow = solve("kerber_dorfnetz", 2.0, CONSTANT_POWER, batch=1)
    forged = dataclasses.replace(flow, v_pu=flow.v_pu + 1e-3)
    result = audit(
        "kerber_dorfnetz", feeder, p_mw, q_mvar, forged, samples=5, rng=np.random.default_rng(0)
    )
    assert result.steps_checked == 1
    assert result.max_dv_pu == pytest.approx(1e-3, rel=1e-3)


def test_an_audit_without_converged_steps_checks_nothing():
    feeder, p_mw, q_mvar, _ = solve("kerber_dorfnetz", 2.0, CONSTANT_POWER, batch=2)
    flow = solve_power_flow(feeder, p_mw * 1e4, q_mvar)
    result = audit(
        "kerber_dorfnetz", feeder, p_mw, q_mvar, flow, samples=5, rng=np.random.default_rng(0)
    )
    assert result.steps_checked == 0
    assert np.isnan(result.max_dv_pu)


def test_the_note_counts_only_figures_of_steps_that_pandapower_solved():
    nan = float("nan")
    disputed = Audit(nan, nan, 3e-9, steps_checked=0, steps_disputed=2)
    agreed = Audit(1e-9, 1e-6, 2e-9, steps_checked=4, steps_disputed=0)
    unsolved = Audit(nan, nan, nan, steps_checked=0, steps_disputed=0)
    for order in ([disputed, agreed, unsolved], [unsolved, agreed, disputed]):
        assert audit_note(order) == (
            "pandapower re-solved 4 steps: max |dV| 1.0e-09 p.u., energy balance 3.0e-09 MW, "
            "2 disputed"
        )


@pytest.mark.parametrize(
    ("disputed", "why"),
    [
        (2, "it found no solution of any of the 2 steps it was given"),
        (0, "no step has a power flow that it could solve again"),
    ],
)
def test_an_audit_that_confirmed_nothing_says_so_in_words(disputed, why):
    nan = float("nan")
    note = audit_note([Audit(nan, nan, 3e-9, steps_checked=0, steps_disputed=disputed)])
    assert note == f"pandapower confirmed nothing: {why}"
