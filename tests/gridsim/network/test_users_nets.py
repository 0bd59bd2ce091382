"""Nets that users have: what `pandapower.runpp` finds on the very file, or a remedy that works."""

import json
import math
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandapower
import pandapower.networks
import pandas as pd
import pytest

from gridsim.config import GridConfig
from gridsim.network.connections import connection_notes
from gridsim.network.feeder import Feeder
from gridsim.network.pandapower_io import (
    compile_feeder,
    load_feeder,
    load_feeder_with_notes,
    read_net,
)
from gridsim.powerflow.audit import audit
from gridsim.powerflow.solve import solve_power_flow
from gridsim.scenario import check
from ss_core.errors import InputError
from tests.support.fault_counts import counted
from tests.support.grid_runs import only_run, ssgrid_run, tasks_here

DATA = Path(__file__).parents[2] / "data"
USERS_NETS, OLD_NETS = DATA / "users_nets", DATA / "old_nets"
VERSIONS = ("2.14.10", "3.0.0", "3.1.2", "3.2.1")
EUROPEAN = "ieee_european_lv_asymmetric"


def solved_by_pandapower(path: Path) -> Any:
    """The net of a file as pandapower itself reads and solves it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandapower's own, of columns that old files lack
        net: Any = pandapower.from_json(str(path))
        pandapower.runpp(net, tolerance_mva=1e-10, numba=False)
    return net


def read(name: str | Path) -> tuple[Feeder, list[str]]:
    return load_feeder_with_notes(name, households=8, kva_per_household=None)


def assert_equal_to_pandapower(path: Path) -> tuple[Feeder, Any, list[str]]:
    """With the power that the file has; also gives pandapower's net, solved, and our notes."""
    feeder, notes = read(path)
    return feeder, assert_solved_as(solved_by_pandapower(path), feeder, path), notes


def assert_solved_as(net: Any, feeder: Feeder, name: str | Path) -> Any:
    """Voltages are equal to 1e-9, loadings to 1e-5 of a percent, and the audit says so, too."""
    p_mw = np.concatenate([feeder.load_p_mw, -feeder.sgen_p_mw])[None]
    q_mvar = np.concatenate([feeder.load_q_mvar, -feeder.sgen_q_mvar])[None]
    flow = solve_power_flow(feeder, p_mw, q_mvar)
    vm_pu = np.abs(flow.v_pu[0])
    np.testing.assert_allclose(vm_pu, net.res_bus.vm_pu.loc[feeder.bus_index], atol=1e-9)
    for ours, theirs in (
        (flow.line_loading_percent[0], net.res_line.loc[feeder.line_index]),
        (flow.trafo_loading_percent[0], net.res_trafo.loc[feeder.trafo_index]),
    ):
        np.testing.assert_allclose(ours, theirs.loading_percent, atol=1e-5)
    rng = np.random.default_rng(0)
    checked = audit(name, feeder, p_mw, q_mvar, flow, samples=1, rng=rng)
    assert (checked.steps_checked, checked.steps_disputed) == (1, 0)
    return net


def refusal_of(path: Path) -> str:
    with pytest.raises(InputError) as refusal:
        load_feeder(path, households=8, kva_per_household=None)
    counted("F9")
    return str(refusal.value)


def changed(name: str, folder: Path, change: Any) -> Path:
    """A copy of a net that its user changed by pandapower, after a remedy."""
    net: Any = pandapower.from_json(str(USERS_NETS / f"{name}.json"))
    change(net)
    pandapower.to_json(net, str(folder / "changed.json"))
    return folder / "changed.json"


def switch_off(table: str) -> Any:
    def change(net: Any) -> None:
        net[table]["in_service"] = False

    return change


# unbalanced loads


def test_an_unbalanced_load_counts_with_the_sum_of_its_phases() -> None:
    path = USERS_NETS / "01-asymmetric-load.json"
    feeder, net, (note,) = assert_equal_to_pandapower(path)
    (unbalanced,) = net.asymmetric_load.itertuples()
    phases_mw = (unbalanced.p_a_mw + unbalanced.p_b_mw + unbalanced.p_c_mw) * unbalanced.scaling
    assert feeder.load_count == len(net.load) + 1
    assert feeder.load_p_mw[-1] == pytest.approx(phases_mw)
    assert note.startswith("1 unbalanced load was replaced by a balanced one")


def test_the_european_feeder_of_ieee_is_solved_as_pandapower_solves_it(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net: Any = pandapower.networks.ieee_european_lv_asymmetric()
        pandapower.to_json(net, str(tmp_path / "european.json"))
        pandapower.runpp(net, tolerance_mva=1e-10, numba=False)
    for name in (EUROPEAN, tmp_path / "european.json"):
        feeder, (note, *_) = read(name)
        assert feeder.load_name[0] == "LOAD1"
        assert (feeder.load_count, len(feeder.line_index)) == (55, 905)
        assert_solved_as(net, feeder, name)
        assert note.startswith("55 unbalanced loads were replaced by balanced ones")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("p_b_mw", math.nan, "asymmetric_load 0: p_b_mw=nan is not a finite number"),
        ("bus", 999, "asymmetric_load 0: bus=999 is not in the bus table"),
    ],
)
def test_a_bad_unbalanced_load_is_named_as_it_is_in_the_file(
    tmp_path: Path, column: str, value: float, words: str
) -> None:
    def spoil(net: Any) -> None:
        net.asymmetric_load.loc[0, column] = value

    assert words in refusal_of(changed("01-asymmetric-load", tmp_path, spoil))


def test_texts_in_an_unbalanced_load_are_named() -> None:
    net = read_net("kerber_dorfnetz")
    pandapower.create_asymmetric_load(net, 5, p_a_mw=0.001)
    net.asymmetric_load["p_a_mw"] = "much"
    with pytest.raises(InputError, match="unbalanced loads are not supported"):
        compile_feeder(net, "by hand")  # of a net in memory nothing is summed


# generators, batteries, loads below zero


def test_generators_count_as_pandapower_counts_them() -> None:
    feeder, net, notes = assert_equal_to_pandapower(USERS_NETS / "02-pv-sgen.json")
    assert (feeder.sgen_name, feeder.sgen_profile) == (("PV",) * 4, ("PV",) * 4)
    assert feeder.sgen_p_mw.sum() == pytest.approx(net.res_sgen.p_mw.sum())
    assert notes == []


def test_a_generator_that_is_switched_off_is_none(tmp_path: Path) -> None:
    path = changed("02-pv-sgen", tmp_path, switch_off("sgen"))
    assert assert_equal_to_pandapower(path)[0].sgen_name == ()


def test_a_load_below_zero_generates_as_much() -> None:
    path = USERS_NETS / "03-negative-load.json"
    feeder, net, (note,) = assert_equal_to_pandapower(path)
    assert note == "1 load below zero read as generation at the same bus"
    assert feeder.load_count == len(net.load) - 1
    assert feeder.sgen_p_mw == pytest.approx([0.004])
    assert feeder.bus_index[feeder.sgen_bus[0]] == net.load.bus[20]


def test_an_unbalanced_load_below_zero_generates_as_much(tmp_path: Path) -> None:
    def generate(net: Any) -> None:
        net.asymmetric_load.loc[0, ["p_a_mw", "p_b_mw", "p_c_mw"]] = [-0.002, 0.001, -0.002]

    path = changed("01-asymmetric-load", tmp_path, generate)
    feeder, net, notes = assert_equal_to_pandapower(path)
    scaling = net.asymmetric_load.scaling[0]
    assert feeder.sgen_p_mw == pytest.approx([0.003 * scaling])
    assert len(notes) == 2


def test_a_battery_is_idle_and_counted(tmp_path: Path) -> None:
    def idle(net: Any) -> None:
        net.storage["p_mw"] = 0.0

    feeder, _ = read(USERS_NETS / "17-storage.json")
    assert any("1 storage" in note and "is idle" in note for note in connection_notes(feeder))
    alike = assert_equal_to_pandapower(changed("17-storage", tmp_path, idle))[0]
    assert_solved_as(
        solved_by_pandapower(tmp_path / "changed.json"), feeder, USERS_NETS / "17-storage.json"
    )
    np.testing.assert_array_equal(feeder.yff, alike.yff)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("p_mw", -0.001, "sgen 1: p_mw=-0.001 is not a finite number at least 0; make a load"),
        ("p_mw", math.nan, "sgen 1: p_mw=nan is not a finite number"),
        ("bus", 999, "sgen 1: bus=999 is not in the bus table"),
    ],
)
def test_a_bad_generator_is_named(tmp_path: Path, column: str, value: float, words: str) -> None:
    def spoil(net: Any) -> None:
        net.sgen.loc[1, column] = value

    assert words in refusal_of(changed("02-pv-sgen", tmp_path, spoil))


# what is refused, and what happens to those who follow the remedy


def test_other_formats_are_refused_with_a_remedy_that_works(tmp_path: Path) -> None:
    net: Any = pandapower.from_json(str(USERS_NETS / "15-tap.json"))
    pandapower.to_pickle(net, str(tmp_path / "net.p"))
    (tmp_path / "net.xlsx").write_bytes(b"PK\x03\x04\x14\x00\x06\x00\x08\x00\xff\xfe")
    shutil.copy(USERS_NETS / "26-encrypted.json", tmp_path / "encrypted.json")
    for name in ("net.p", "net.xlsx", "encrypted.json"):
        assert "pandapower.to_json(net, path)" in refusal_of(tmp_path / name), name
    again = pandapower.from_pickle(str(tmp_path / "net.p"))
    pandapower.to_json(again, str(tmp_path / "again.json"))
    assert_equal_to_pandapower(tmp_path / "again.json")


# a whole run on the file, checked by pandapower on that file


def run_on(path: Path, out: Path) -> Path:
    size = ("--households", "4", "--days", "1", "--budget", "1", "--quiet", "--no-report")
    own = ("--set", "kva_per_household=none", "--set", "compare_selfish=false")
    with tasks_here():
        assert ssgrid_run(*size, *own, "--feeder", str(path), "--out", str(out)) == 0
    return only_run(out)


def rows(run: Path, table: str, **where: object) -> Any:
    found = pd.read_parquet(run / "traces" / table)
    for column, value in where.items():
        found = found[found[column] == value]
    return found


def worst_step_by_pandapower(path: Path, run: Path) -> tuple[Any, Any, Any]:
    """Nash's step of the highest demand: our figures, the file's net solved, buses of houses."""
    steps = rows(run, "feeder_step", algorithm="nash")
    worst = steps.loc[steps["p_total_kw"].idxmax()]
    when = {"algorithm": "nash", "day": worst["day"], "step": worst["step"]}
    kw = rows(run, "household_step", **when).set_index("agent_id")["load_kw"].astype(float)
    net: Any = pandapower.from_json(str(path))
    net.load[["p_mw", "q_mvar"]] = 0.0
    homes = net.load.index[: len(kw)]
    net.load.loc[homes, "p_mw"] = kw.sort_index().to_numpy() / 1000
    net.load.loc[homes, "q_mvar"] = net.load.loc[homes, "p_mw"] * math.tan(math.acos(0.97))
    pandapower.runpp(net, tolerance_mva=1e-10, numba=False)
    return worst, net, net.load.bus.loc[homes]


@pytest.mark.slow
def test_a_net_that_begins_at_the_busbar_has_no_transformer_and_says_so(tmp_path: Path) -> None:
    path = USERS_NETS / "04-ext-grid-on-lv.json"
    run = run_on(path, tmp_path)
    worst, net, homes = worst_step_by_pandapower(path, run)
    assert worst["v_min_pu"] == pytest.approx(net.res_bus.vm_pu[homes].min(), abs=1e-6)
    assert worst["line_loading_percent"] == pytest.approx(net.res_line.loading_percent.max(), 1e-5)
    assert pd.isna(worst["trafo_loading_percent"])
    result = json.loads((run / "result.json").read_text())
    ((_, table),) = result["tables"].items()
    assert {row["transformer %"] for row in table} == {"n/a"}
    assert {row["h over 100 %"] for row in table} == {"n/a"}
    assert all(row["line %"] > 0 for row in table)
    assert "no transformer in this feeder" in "\n".join(result["notes"])
    assert "kVA" not in "\n".join(result["notes"])


@pytest.mark.slow
def test_a_tap_is_honoured_and_the_lowest_voltage_has_one_meaning(tmp_path: Path) -> None:
    path = USERS_NETS / "15-tap.json"
    assert_equal_to_pandapower(path)
    run = run_on(path, tmp_path)
    worst, net, homes = worst_step_by_pandapower(path, run)
    assert net.trafo.tap_pos[0] == -2
    assert worst["v_min_pu"] == pytest.approx(net.res_bus.vm_pu[homes].min(), abs=1e-6)
    assert worst["v_min_pu"] > 1.03  # and not 1.0, which the source has
    loading = net.res_trafo.loading_percent.max()
    assert worst["trafo_loading_percent"] == pytest.approx(loading, rel=1e-5)
    traced = rows(run, "feeder_step", algorithm="nash").groupby("day")["v_min_pu"].min().mean()
    kpis = rows(run, "kpi", algorithm="nash", kpi="vm_min_pu")
    assert kpis["value"].iloc[0] == pytest.approx(traced, abs=1e-6)


# files of ten years of pandapower


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("net_name", ["kerber", "cigre"])
def test_a_net_saved_by_an_older_pandapower_is_read_as_it_was_meant(
    net_name: str, version: str
) -> None:
    path = OLD_NETS / f"{net_name}-{version}.json"
    feeder, net, (used, unknown) = assert_equal_to_pandapower(path)
    assert f'"version":"{version}"' in path.read_text()
    assert net.trafo.tap_pos.iloc[0] == -1
    assert feeder.load_name[0] == "Haus Müller"
    assert feeder.bus_name[feeder.load_bus[0]] == net.bus.name[net.load.bus.iloc[0]]
    assert [feeder.bus_x[0], feeder.bus_y[0]] == pytest.approx(place_of(net, feeder.bus_index[0]))
    assert used == "tables of the net that are not used: controller (2 rows), group (2 rows)"
    assert unknown == (
        "3 columns of the net that pandapower does not know: bus.colour, load.owner, line.tags"
    )


def place_of(net: Any, bus: int) -> list[float]:
    x, y = json.loads(net.bus.geo[bus])["coordinates"]
    return [x, y]


@pytest.mark.parametrize("version", ["2.14.10", "3.2.1"])
def test_a_tap_of_an_old_file_matters(tmp_path: Path, version: str) -> None:
    path = OLD_NETS / f"kerber-{version}.json"
    with_tap, _ = read(path)
    document = json.loads(path.read_text())
    trafo = json.loads(document["_object"]["trafo"]["_object"])
    trafo["data"][0][trafo["columns"].index("tap_pos")] = 0
    document["_object"]["trafo"]["_object"] = json.dumps(trafo)
    (tmp_path / "neutral.json").write_text(json.dumps(document))
    without, *_ = assert_equal_to_pandapower(tmp_path / "neutral.json")
    voltages = [
        np.abs(solve_power_flow(each, each.load_p_mw[None], each.load_q_mvar[None]).v_pu[0])
        for each in (with_tap, without)
    ]
    assert voltages[0].min() > voltages[1].min() + 0.02


def test_a_table_of_the_users_own_is_counted_and_objects_in_it_are_not_read(tmp_path: Path) -> None:
    net = read_net("kerber_dorfnetz")
    net["customers"] = pd.DataFrame({"name": ["a", "b"], "tariffs": [[1], [2]]})
    pandapower.to_json(net, str(tmp_path / "own.json"))
    *_, notes = assert_equal_to_pandapower(tmp_path / "own.json")
    assert notes == ["tables of the net that are not used: customers (2 rows)"]


def test_many_columns_of_the_users_own_are_counted_and_some_named(tmp_path: Path) -> None:
    net = read_net("kerber_dorfnetz")
    for number in range(9):
        net.load[f"my_{number}"] = number
    pandapower.to_json(net, str(tmp_path / "own.json"))
    _, (note,) = read(tmp_path / "own.json")
    assert note.startswith("9 columns of the net that pandapower does not know: load.my_0, ")
    assert note.endswith("load.my_5 and 3 more")
    assert read("kerber_dorfnetz")[1] == []


def test_the_notes_of_a_run_tell_what_of_its_net_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    shutil.copy(OLD_NETS / "cigre-3.2.1.json", path)
    grid = check(GridConfig(households=4, feeder=str(path), kva_per_household=None))
    assert len(grid.net_notes) == 2
    assert grid.net_notes[0].startswith("tables of the net that are not used: controller")
