"""The referee agrees on every shipped feeder, and notices when the physics is wrong."""

import dataclasses

import numpy as np
import pytest

from gridsim.network.pandapower_io import load_feeder
from gridsim.powerflow.audit import Audit, audit, audit_note
from gridsim.powerflow.loads import CONSTANT_POWER, ZipShare
from gridsim.powerflow.solve import solve_power_flow

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
