"""Who draws what on which phase, what follows, and that it reaches the result."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pytest

from gridsim.config import GridConfig, resolve
from gridsim.game.joint_schedules import Schedule, device_load_kw
from gridsim.households.households import JobKind
from gridsim.households.other_power import OtherPower
from gridsim.network.feeder import attach_households
from gridsim.network.sequences import compile_sequences
from gridsim.results.phases import phase_audit_note, phase_kpis, power_by_phase, set_phases
from gridsim.results.scoring import Grid, load_power, phase_powers
from gridsim.scenario import check
from gridsim.stage import set_stage
from ss_core.random_streams import Stream, numpy_generator
from tests.gridsim.powerflow.test_unbalanced import two_bus_sequences
from tests.support.grid_runs import only_run, ssgrid_run, tasks_here
from tests.support.tiny_days import LEVEL_KW, TinyJob, tiny_days

IDLE = TinyJob(household=0, arrival=0, end=4, cycle_kw=(1.0,))  # schedules here leave it out
SMALL = {"households": 6, "days": 2, "phases": "unbalanced"}


def rng(seed=0):
    return np.random.default_rng(seed)


def tiny_phases(days, given, **owned):
    """Three households on the two-bus feeder."""
    population = set_stage(resolve("tuned", {"households": 3, "days": 1})).world.population
    population = replace(population, **owned)
    return set_phases(two_bus_sequences(), days, population, given, rng())


def schedule_of(days, job_kw):
    return Schedule.of_jobs("by hand", days, job_kw, np.zeros(len(job_kw)))


def power_of(phases, job_kw):
    load_kw = schedule_of(phases.days, job_kw).load_kw
    attachment = attach_households(phases.sequences.feeder, 3)
    pv_kw, one = phases.days.pv_kw, slice(0, 1)
    return power_by_phase(
        phases, attachment, load_kw, job_kw, pv_kw, reactive_share=0.5, others=None, day=one
    )


# household 0 on phase 3 charges, 1 and 2 draw 1 kW on phases 1 and 2
@pytest.mark.parametrize(("level_kw", "on_three"), [(LEVEL_KW, True), (1.2, False)])
def test_a_wallbox_above_4_6_kva_draws_on_three_phases(level_kw, on_three):
    car = TinyJob(household=0, arrival=4, end=40, units=3, kind=JobKind.EV)
    days = replace(tiny_days([car], households=3, base_kw=1.0), ev_level_kw=level_kw)
    phases = tiny_phases(days, np.array([3, 1, 2]))
    job_kw = np.zeros((1, 96))
    job_kw[0, 10] = level_kw
    power = power_of(phases, job_kw)
    extra = np.full(3, level_kw / 3) if on_three else np.array([0, 0, level_kw])
    assert 1000 * power.p_mw[10, :, 0] == pytest.approx(1.0 + extra)
    assert 1000 * power.q_mvar[10, :, 0] == pytest.approx(0.5 * (1.0 + extra))
    assert 1000 * power.p_mw[9, :, 0] == pytest.approx(np.ones(3))


# 2 kW from a roof of 3 kWp stays on phase 1; 6 kW from one of 9 kWp are spread
def test_roofs_feed_in_on_one_phase_or_three():
    pv_kw = np.zeros((1, 3, 96))
    pv_kw[0, 1], pv_kw[0, 2] = 2.0, 6.0
    days = tiny_days([IDLE], households=3, base_kw=1.0)
    days = replace(days, base_kw=days.base_kw - pv_kw, pv_kw=pv_kw)
    phases = tiny_phases(days, np.array([3, 1, 2]), pv_kwp=np.array([0.0, 3.0, 9.0]))
    power = power_of(phases, np.zeros((1, 96)))
    assert 1000 * power.p_mw[50, :, 0] == pytest.approx([1 - 2 - 2, 1 - 2, 1 - 2])
    assert 1000 * power.q_mvar[50, :, 0] == pytest.approx(0.5 * np.ones(3))


def test_phases_are_given_or_drawn_and_counted():
    days = tiny_days([IDLE], households=3)
    phases = tiny_phases(days, np.array([2, 0, 2]))
    assert phases.phase[[0, 2]].tolist() == [1, 1]
    assert "1 of them drawn" in phases.notes[0]
    assert phases.notes[0].count(" on phase ") == 3
    again = tiny_phases(days, None)
    drawn = np.random.default_rng(0).integers(1, 4, 3) - 1
    assert again.phase.tolist() == drawn.tolist()


@pytest.mark.parametrize("case", ["winter-evening", "summer-noon"])
def test_phases_add_up_to_what_balanced_power_flow_solves(case):
    config = resolve("tuned", {**SMALL, "case": case})
    grid: Grid = check(config)
    days = set_stage(config).held_out
    kw = numpy_generator(1, Stream.RANDOM_PLANS).uniform(-1, 8, (days.jobs.num_jobs, 96))
    schedule = schedule_of(days, kw)
    p_mw, q_mvar = load_power(grid, schedule.load_kw)
    powers = phase_powers(grid, schedule)
    assert np.allclose(np.concatenate([one.p_mw.sum(axis=1) for one in powers]), p_mw)
    assert np.allclose(np.concatenate([one.q_mvar.sum(axis=1) for one in powers]), q_mvar)
    assert device_load_kw(days, kw, (JobKind.EV,)).any()


def test_others_are_on_three_phases():
    config = resolve("tuned", SMALL)
    grid: Grid = check(config)
    assert grid.phases is not None
    shape = (2 * 96, len(grid.feeder.terminal_bus))
    others = OtherPower(np.full(shape, 3e-3), np.full(shape, 6e-4), shape[1], ())
    days = set_stage(config).held_out
    schedule = schedule_of(days, np.zeros((days.jobs.num_jobs, 96)))
    alone = phase_powers(grid, schedule)[1]
    beside = phase_powers(replace(grid, others=others), schedule)[1]
    assert np.allclose(beside.p_mw - alone.p_mw, 1e-3)
    assert np.allclose(beside.q_mvar - alone.q_mvar, 2e-4)


def test_key_figures_are_those_of_the_worst_phase_and_nan_where_unsolved():
    days = tiny_days([IDLE], households=3, num_days=1, base_kw=1.0)
    phases = tiny_phases(days, np.array([1, 1, 1]))
    attachment = attach_households(phases.sequences.feeder, 3)
    calm = power_of(phases, np.zeros((1, 96)))
    calm.p_mw[:], calm.q_mvar[:] = 0.0, 0.0
    calm.p_mw[7, 0, 0] = 0.8 / 3  # as by hand in test_unbalanced
    heavy = dataclasses.replace(calm, p_mw=calm.p_mw * 10)
    found = phase_kpis(phases, attachment, [calm, heavy])
    assert found["vm_min_phase_pu"][0] == pytest.approx(0.8)
    assert found["vm_max_phase_pu"][0] == pytest.approx(abs(np.exp(2j * np.pi / 3) - 0.1))
    assert found["neutral_a"][0] == pytest.approx(1000 / (np.sqrt(3) * 0.4))
    assert found["unsolved_phase_steps"].tolist() == [0.0, 1.0]
    assert all(np.isnan(found[name][1]) for name in found if name != "unsolved_phase_steps")


def test_balanced_is_the_default_and_compiles_nothing():
    assert GridConfig().phases == "balanced"
    assert check(GridConfig(households=4, days=1)).phases is None


def test_nothing_confirmed_is_said():
    assert phase_audit_note([]) == "runpp_3ph confirmed nothing (0 disputed)"


def test_a_run_in_three_phases_shows_worst_phases_and_is_audited(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "homes.csv"
    file.write_text("household,phase\na,1\nb,1\nc,2\nd,\n")
    with tasks_here():
        options = ("--households-file", str(file), "--phases", "unbalanced", "--days", "2")
        assert ssgrid_run(*options, "--budget", "2", "--quiet", "--no-report") == 0
    result = json.loads((only_run(tmp_path / "runs") / "result.json").read_text())
    figures = result["kpis"]["nash"]
    assert {"vm_min_phase_pu", "vm_max_phase_pu", "unbalance_percent", "neutral_a"} <= {*figures}
    assert result["phase_audit"]["ss"]["max_dv_pu"] < 1e-6
    notes = "\n".join(result["notes"])
    assert "1 of them drawn" in notes
    assert "runpp_3ph re-solved 3 steps" in notes
    assert "kept and not used" not in notes
    compiled = compile_sequences("kerber_dorfnetz", check(GridConfig(households=4)).feeder)
    assert compiled.notes[0] in notes
