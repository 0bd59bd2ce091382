"""Unbalanced power flow against hand calculation, the balanced solver and two other programs."""

import dataclasses

import numpy as np
import pytest

from benchmarks.powerflow import asymmetric_input
from gridsim.network.pandapower_io import SHIPPED, load_feeder
from gridsim.network.sequences import SequenceNet, Sequences, compile_sequences
from gridsim.powerflow.solve import solve_power_flow
from gridsim.powerflow.unbalanced import solve_unbalanced
from gridsim.powerflow.unbalanced_audit import (
    audit_unbalanced,
    reference_net,
    run_unbalanced_reference,
)
from ss_core.errors import InputError
from tests.gridsim.powerflow.test_solve import two_bus_feeder
from tests.support.unbalanced_nets import random_power, small_net, written

A = np.exp(2j * np.pi / 3)


def two_bus_sequences(zero_ratio=4.0):
    """A strong source, a line of 0.1 per unit, `zero_ratio` times that in the zero sequence."""
    feeder = two_bus_feeder()
    y, strong = feeder.yff, np.array([1e12, 0], complex)
    zero = SequenceNet(y / zero_ratio, -y / zero_ratio, -y / zero_ratio, y / zero_ratio, strong)
    return Sequences(feeder, zero, SequenceNet(y, -y, -y, y, strong))


def compiled(name, kva: float | None = 2.0):
    feeder = load_feeder(name, households=50, kva_per_household=kva)
    return compile_sequences(name, feeder)


def check_against_pandapower(
    name, sequences, samples, batch=20, seed=0, peak_mw=4e-3, tolerance_pu=1e-8
):
    p_mw, q_mvar = random_power(len(sequences.feeder.terminal_bus), batch, seed, peak_mw)
    flow = solve_unbalanced(sequences, p_mw, q_mvar)
    assert flow.converged.all()
    found = audit_unbalanced(
        name, sequences, p_mw, q_mvar, flow, samples=samples, rng=np.random.default_rng(seed)
    )
    assert (found.steps_checked, found.steps_disputed) == (samples, 0)
    assert found.max_dv_pu < tolerance_pu
    assert found.max_neutral_diff_a < 1e4 * tolerance_pu


# loop resistance (0.1 + 0.1 + 0.4) / 3 = 0.2: 0.8 of a phase's base at 0.8 per unit draws 1;
# of that the other phases see the mutual part, (0.4 - 0.1) / 3 = 0.1
def test_a_single_phase_load_solves_as_by_hand():
    p_mw = np.zeros((1, 3, 1))
    p_mw[0, 0] = 0.8 / 3
    flow = solve_unbalanced(two_bus_sequences(), p_mw, 0 * p_mw)
    expected = [0.8, A**2 - 0.1, A - 0.1]
    assert flow.v_pu[0, :, 1] == pytest.approx(np.array(expected))
    i_ka = 1 / (np.sqrt(3) * 0.4)
    assert flow.neutral_ka[0, 0] == pytest.approx(i_ka)
    assert flow.i_ka[0, :, 0] == pytest.approx([i_ka, 0, 0], abs=1e-9)
    negative = abs(sum(np.array([1, A**2, A]) * expected)) / 3
    positive = abs(sum(np.array([1, A, A**2]) * expected)) / 3
    assert flow.unbalance_percent[0, 1] == pytest.approx(100 * negative / positive)


# the nose of the loop above is at 1 / (4 * 0.2) = 1.25 of a phase's base
def test_what_cannot_be_solved_is_a_row_of_nan_and_spares_the_others():
    p_mw = np.zeros((4, 3, 1))
    p_mw[:, 1, 0] = np.array([0.8, 1.3, np.nan, 1.2]) / 3
    flow = solve_unbalanced(two_bus_sequences(), p_mw, 0 * p_mw)
    assert flow.converged.tolist() == [True, False, False, True]
    assert np.isnan(flow.v_pu[1:3]).all()
    assert np.isnan(flow.neutral_ka[1:3]).all()
    assert flow.vm_pu[0, 1, 1] == pytest.approx(0.8)


@pytest.mark.parametrize("name", SHIPPED)
def test_balanced_loads_give_the_balanced_solution(name):
    sequences = compiled(name)
    p_mw = np.random.default_rng(1).uniform(0, 2e-3, (6, len(sequences.feeder.terminal_bus)))
    balanced = solve_power_flow(sequences.feeder, p_mw, 0.3 * p_mw)
    by_phase = np.repeat(p_mw[:, None] / 3, 3, axis=1)
    flow = solve_unbalanced(sequences, by_phase, 0.3 * by_phase)
    turned = flow.v_pu * np.array([1, A, A**2])[:, None]
    assert np.abs(turned - balanced.v_pu[:, None]).max() < 1e-9
    assert flow.unbalance_percent.max() < 1e-9
    assert flow.neutral_ka.max() < 1e-9
    assert np.abs(flow.i_ka - balanced.i_ka[:, None]).max() < 1e-9


def test_a_batch_is_a_stack_of_single_steps():
    """To the tolerance of the solver, 1e-10: a single step may take the way of few loads."""
    sequences = two_bus_sequences()
    p_mw, q_mvar = random_power(1, 70, peak_mw=0.2)
    flow = solve_unbalanced(sequences, p_mw, q_mvar)
    for step in (0, 33, 69):
        alone = solve_unbalanced(sequences, p_mw[step, None], q_mvar[step, None])
        assert np.abs(alone.v_pu[0] - flow.v_pu[step]).max() < 1e-9


@pytest.mark.parametrize("name", SHIPPED)
def test_pandapower_confirms_unbalanced_steps_of_shipped_feeders(name):
    check_against_pandapower(name, compiled(name), samples=1, peak_mw=2e-3)


# of Yzn at a base of 1 MVA, where runpp_3ph stops earlier
@pytest.mark.parametrize(
    ("vector_group", "tolerance_pu"), [("Dyn5", 1e-8), ("YNyn0", 1e-8), ("Yzn5", 1e-6)]
)
def test_pandapower_confirms_a_net_with_data_of_its_own(tmp_path, vector_group, tolerance_pu):
    path = written(small_net(vector_group), tmp_path)
    sequences = compiled(path, kva=None)
    assert sequences.notes == ()
    check_against_pandapower(path, sequences, samples=18, tolerance_pu=tolerance_pu)


def test_few_single_phase_loads_and_loads_on_every_phase_are_solved_alike():
    """One matrix of what is drawn from, or one for each sequence: chosen by the batch."""
    sequences = compiled("kerber_dorfnetz")
    loads = sequences.feeder.load_count
    rng = np.random.default_rng(3)
    own = np.arange(3)[:, None] == rng.integers(0, 3, loads)
    few_mw = rng.uniform(0, 3e-3, (5, 1, loads)) * own
    many_mw = np.concatenate([few_mw, rng.uniform(0, 1e-3, (1, 3, loads))])
    few = solve_unbalanced(sequences, few_mw, 0.2 * few_mw)
    many = solve_unbalanced(sequences, many_mw, 0.2 * many_mw)
    assert few.converged.all()
    assert many.converged.all()
    assert np.abs(few.v_pu - many.v_pu[:5]).max() < 1e-9
    assert np.abs(few.neutral_ka - many.neutral_ka[:5]).max() < 1e-9


def test_the_auditor_sees_every_load_and_generator_on_every_phase(tmp_path):
    path = written(small_net(), tmp_path)
    sequences = compiled(path, kva=None)
    net = reference_net(path, sequences)
    terminals = len(sequences.feeder.terminal_bus)
    assert terminals == 4
    calm = np.full((3, terminals), 1e-3)
    assert run_unbalanced_reference(net, calm, 0 * calm)
    before = net.res_bus_3ph[["vm_a_pu", "vm_b_pu", "vm_c_pu"]].to_numpy().copy()
    for terminal in range(terminals):
        for phase in range(3):
            moved = calm.copy()
            moved[phase, terminal] -= 2e-3
            assert run_unbalanced_reference(net, moved, 0 * calm)
            after = net.res_bus_3ph[["vm_a_pu", "vm_b_pu", "vm_c_pu"]].to_numpy()
            assert np.argmax(np.abs(after - before).max(axis=0)) == phase
            assert np.abs(after - before).max() > 1e-4


def test_the_auditor_notices_a_forged_voltage(tmp_path):
    path = written(small_net(), tmp_path)
    sequences = compiled(path, kva=None)
    p_mw, q_mvar = random_power(4, 3)
    flow = solve_unbalanced(sequences, p_mw, q_mvar)
    forged = dataclasses.replace(flow, v_pu=flow.v_pu + 1e-3)
    found = audit_unbalanced(
        path, sequences, p_mw, q_mvar, forged, samples=2, rng=np.random.default_rng(0)
    )
    assert found.max_dv_pu == pytest.approx(1e-3, rel=1e-2)


def grid_model_voltages(net, feeder, p_mw, q_mvar):
    """Voltages of power-grid-model's asymmetric mode, [batch, phase, bus]."""
    from power_grid_model import ComponentType, PowerGridModel, initialize_array

    tables = asymmetric_input(net, feeder)
    load = tables["asym_load"]
    update = initialize_array("update", "asym_load", (len(p_mw), len(load)))
    update["id"] = load["id"]
    update["p_specified"] = p_mw.transpose(0, 2, 1) * 1e6
    update["q_specified"] = q_mvar.transpose(0, 2, 1) * 1e6
    model = PowerGridModel(tables, system_frequency=float(net.f_hz))
    found = model.calculate_power_flow(
        symmetric=False, update_data={"asym_load": update}, error_tolerance=1e-12, max_iterations=50
    )
    return found[ComponentType.node]["u_pu"].transpose(0, 2, 1)


def test_power_grid_model_agrees_where_its_models_are_the_same(tmp_path):
    """A source without impedance, a transformer without magnetising current, no open line."""
    net = small_net(short_circuit_mva=1e9)
    net.line = net.line.iloc[:3]
    net.switch = net.switch.iloc[:0]
    net.trafo[["pfe_kw", "i0_percent"]] = 0.0
    net.trafo[["vk0_percent", "vkr0_percent"]] = net.trafo[["vk_percent", "vkr_percent"]].to_numpy()
    net.trafo["mag0_percent"] = 1e12
    net.trafo["tap_pos"] = 0
    path = written(net, tmp_path)
    sequences = compiled(path, kva=None)
    p_mw, q_mvar = random_power(4, 50)
    flow = solve_unbalanced(sequences, p_mw, q_mvar)
    theirs = grid_model_voltages(net, sequences.feeder, p_mw, q_mvar)
    assert np.abs(flow.vm_pu[:, :, : theirs.shape[2]] - theirs).max() < 1e-8


def test_a_feeder_too_large_for_dense_matrices_is_refused(monkeypatch):
    monkeypatch.setattr("gridsim.powerflow.unbalanced.MAX_BUSES", 1)
    with pytest.raises(InputError, match="leave --phases at balanced"):
        solve_unbalanced(two_bus_sequences(), np.zeros((1, 3, 1)), np.zeros((1, 3, 1)))
