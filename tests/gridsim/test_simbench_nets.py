"""Whole runs on nets as SimBench writes them, checked by pandapower on the file itself."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandapower
import pandas as pd
import pytest

from gridsim.config import GridConfig, resolve
from gridsim.households.households import JobKind
from gridsim.scenario import check, prepare
from gridsim.stage import set_stage, with_copies
from ss_core.errors import ConfigError
from tests.support.grid_runs import only_run, ssgrid_run, tasks_here
from tests.support.simbench_nets import (
    HOMES,
    OTHERS,
    PLANT_MW,
    simbench_like,
    with_profiles,
    written,
    year_of,
)

HOUSEHOLDS, DAYS = 4, 2
DRAWN = ("--set", "devices=drawn")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("simbench")


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    path = written(with_profiles(simbench_like()), folder / "net.json")
    size = ("--households", str(HOUSEHOLDS), "--days", str(DAYS), "--budget", "1", "--quiet")
    own = ("--feeder", str(path), "--out", str(folder / "out"), "--no-report")
    with tasks_here():
        assert ssgrid_run(*size, *own, "--set", "compare_selfish=false", *DRAWN) == 0
    return only_run(folder / "out")


def rows(run: Path, table: str, **where: object) -> Any:
    found: Any = pd.read_parquet(run / "traces" / table)
    for column, value in where.items():
        found = found[found[column] == value]
    return found


def solved_by_pandapower(path: Path, run: Path, step: Any) -> Any:
    """The file's net in a traced step; what others do is read off the profiles by hand."""
    net: Any = pandapower.from_json(str(path))
    config = GridConfig(households=HOUSEHOLDS, days=DAYS)
    day = int(set_stage(config).held_out.calendar_day[int(step["day"])])
    at = (day * 96 + 48 + int(step["step"])) % (365 * 96)
    of_homes = dict.fromkeys(HOMES, 0.0)
    when = {"algorithm": "nash", "day": step["day"], "step": step["step"]}
    for agent, kw in rows(run, "household_step", **when).set_index("agent_id")["load_kw"].items():
        home = list(HOMES)[int(str(agent)[-3:]) % len(HOMES)]
        of_homes[home] += float(kw) / 1000
    for load, profile in net.load["profile"].items():
        p_mw, q_mvar = net.load.loc[load, ["p_mw", "q_mvar"]]
        if profile in OTHERS:
            power = p_mw * year_of(profile)[at], q_mvar * year_of(f"{profile} q")[at]
        else:  # a device at a home has no power of its own
            home_mw = of_homes.get(profile, 0.0)
            power = home_mw, home_mw * math.tan(math.acos(0.97))
        net.load.loc[load, ["p_mw", "q_mvar"]] = power
    for sgen, profile in net.sgen["profile"].items():
        net.sgen.loc[sgen, ["p_mw", "q_mvar"]] *= year_of(profile)[at]
    net.storage["p_mw"] = 0.0
    pandapower.runpp(net, tolerance_mva=1e-10, numba=False)
    return net


@pytest.mark.slow
@pytest.mark.parametrize("extreme", ["idxmax", "idxmin"])
@pytest.mark.parametrize("figure", ["trafo_loading_percent", "v_max_pu"])
def test_pandapower_finds_the_same_on_the_file_itself(
    folder: Path, run: Path, figure: str, extreme: str
) -> None:
    steps = rows(run, "feeder_step", algorithm="nash").reset_index(drop=True)
    worst = steps.loc[getattr(steps[figure], extreme)()]
    net = solved_by_pandapower(folder / "net.json", run, worst)
    homes = net.res_bus.vm_pu[[*HOMES.values()]]
    assert worst["v_min_pu"] == pytest.approx(homes.min(), abs=1e-6)
    assert worst["v_max_pu"] == pytest.approx(homes.max(), abs=1e-6)
    loading = net.res_trafo.loading_percent.max()
    assert worst["trafo_loading_percent"] == pytest.approx(loading, rel=1e-5)
    lines = net.res_line.loading_percent.max()
    assert worst["line_loading_percent"] == pytest.approx(lines, rel=1e-5)
    others = net.load.p_mw[net.load["profile"].isin(OTHERS)].sum()
    assert worst["other_load_kw"] == pytest.approx(1000 * others, rel=1e-5)
    assert worst["generation_kw"] == pytest.approx(1000 * net.sgen.p_mw.sum(), rel=1e-5)


@pytest.mark.slow
def test_a_run_counts_everything_and_its_audit_agrees(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    notes = "\n".join(result["notes"])
    for words in (
        "4 households share the 3 house connections",
        "1 storage of 6 kWh in all is idle",
        "2 loads (1 HLS_A_3.7, 1 Soil_Alternative_2)",
        "3 loads (1 G0-A, 1 HLS_A_11.0, 1 L1-A): not households",
        "2 generators of 123 kW in all",
        "generation follows the net's own profiles on the days of the households' load",
    ):
        assert words in notes
    audits = result["audit"].values()
    assert max(audit["max_dv_pu"] for audit in audits) < 1e-8
    assert sum(audit["steps_disputed"] for audit in audits) == 0


@pytest.mark.slow
def test_the_replay_holds_the_day_of_generators_too(run: Path) -> None:
    net: Any = pandapower.from_json(str(run / "replay" / "nash.json"))
    steps = rows(run, "feeder_step", algorithm="nash").reset_index(drop=True)
    worst = steps.loc[steps["trafo_loading_percent"].idxmax()]
    of_day = steps[steps["day"] == worst["day"]].sort_values("step")["generation_kw"].to_numpy()
    given = net.profiles["sgen.p_mw"]
    np.testing.assert_allclose(1000 * given.sum(axis=1).to_numpy(), of_day, rtol=1e-5)
    assert net.sgen.p_mw.tolist() == pytest.approx(given.iloc[int(worst["step"])].tolist())
    stored = net.res_bus.vm_pu.copy()
    pandapower.runpp(net)
    np.testing.assert_allclose(stored, net.res_bus.vm_pu, atol=1e-6)


# devices as the net has them


@pytest.fixture(scope="module")
def own_devices(folder: Path) -> Path:
    path = written(with_profiles(simbench_like()), folder / "net.json")
    size = ("--households", str(HOUSEHOLDS), "--days", str(DAYS), "--budget", "1", "--quiet")
    own = ("--feeder", str(path), "--out", str(folder / "own"), "--no-report")
    with tasks_here():
        assert ssgrid_run(*size, *own, "--set", "compare_selfish=false") == 0
    return only_run(folder / "own")


@pytest.mark.slow
def test_households_own_what_the_net_has_at_their_bus(own_devices: Path) -> None:
    agents = rows(own_devices, "agent").set_index("agent_id").sort_index()
    assert agents["ev_kw"].isna().tolist() == [True, False, True, True]
    assert agents["ev_kw"].iloc[1] == pytest.approx(3.7)
    assert agents["heat_pump_kw"].isna().tolist() == [False, True, True, True]
    assert agents["pv_kwp"].iloc[0] == pytest.approx(6.0)
    assert agents["battery_kwh"].iloc[0] == pytest.approx(6.0)
    assert agents["pv_kwp"].isna().sum() == agents["battery_kwh"].isna().sum() == 3
    notes = "\n".join(json.loads((own_devices / "result.json").read_text())["notes"])
    assert "households have what the net has at their bus: 1 charge point (1 of 3.7 kW)" in notes
    assert "1 generator of 117 kW in all" in notes
    assert "idle" not in notes


@pytest.mark.slow
def test_a_roof_counts_once_and_pandapower_agrees(folder: Path, own_devices: Path) -> None:
    net: Any = pandapower.from_json(str(own_devices / "replay" / "nash.json"))
    of_roof, of_field = net.profiles["sgen.p_mw"][0], net.profiles["sgen.p_mw"][1]
    assert not of_roof.any()  # it is in the household's load
    assert of_field.max() > 0.01
    homes = rows(own_devices, "household_step", algorithm="nash")
    assert homes["pv_kw"].max() > 0.0
    steps = rows(own_devices, "feeder_step", algorithm="nash")
    both = homes.groupby(["day", "step"])["pv_kw"].sum() + 1000 * plant_mw(steps)
    given = steps.set_index(["day", "step"])["generation_kw"]
    np.testing.assert_allclose(given, both.loc[given.index], rtol=1e-4)
    audits = json.loads((own_devices / "result.json").read_text())["audit"].values()
    assert max(audit["max_dv_pu"] for audit in audits) < 1e-8
    assert sum(audit["steps_disputed"] for audit in audits) == 0


def plant_mw(steps: Any) -> Any:
    """What the plant on the field gives in each step, read off its profile."""
    config = GridConfig(households=HOUSEHOLDS, days=DAYS)
    calendar = set_stage(config).held_out.calendar_day
    at = (calendar[steps["day"]] * 96 + 48 + steps["step"]) % (365 * 96)
    index = pd.MultiIndex.from_frame(steps[["day", "step"]])
    return pd.Series(PLANT_MW * year_of("PV8")[at], index=index)


def test_a_run_reads_its_own_copy_of_the_net_without_pandapower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(simbench_like(), tmp_path / "net.json")
    config = resolve("tuned", {"feeder": str(path), "households": 3, "days": 1})
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    prepare(config, check(config), inputs, lambda _: None)
    copied = with_copies(config, inputs)
    assert copied.feeder == str(inputs / "feeder.npz")
    monkeypatch.setattr("gridsim.stage.load_feeder_with_notes", None)
    first, again = set_stage(config), set_stage(copied)
    assert first.devices is not None
    assert again.devices is not None
    np.testing.assert_array_equal(first.held_out.base_kw, again.held_out.base_kw)
    np.testing.assert_array_equal(first.devices.car_kw, again.devices.car_kw)
    assert again.world.population.owns[:, JobKind.EV].tolist() == [0, 1, 0]


def test_a_file_of_households_counts_before_the_net(tmp_path: Path) -> None:
    path = written(simbench_like(), tmp_path / "net.json")
    file = tmp_path / "h.csv"
    file.write_text("household,car,pv_kwp\na,yes,\nb,no,\nc,,4\n")
    config = resolve("tuned", {"feeder": str(path), "households_file": str(file)})
    stage = set_stage(config)
    population = stage.world.population
    assert population.owns[:, JobKind.EV].tolist() == [1, 0, 0]
    assert population.owns[:, JobKind.HEAT_PUMP].tolist() == [1, 0, 0]
    assert population.pv_kwp.tolist() == [6.0, 0.0, 4.0]
    assert any("cars of 1 and heat pumps of 3 households are as the net" in n for n in stage.notes)


def test_devices_are_drawn_where_the_net_is_not_asked_or_says_nothing(tmp_path: Path) -> None:
    path = written(simbench_like(), tmp_path / "net.json")
    asked = {"feeder": str(path), "households": 3}
    drawn = set_stage(resolve("tuned", {**asked, "devices": "drawn"}))
    plain = set_stage(resolve("tuned", {"households": 3}))
    assert drawn.devices is plain.devices is None
    np.testing.assert_array_equal(drawn.world.population.owns, plain.world.population.owns)


def test_forms_without_roofs_name_the_way_out_of_the_net(tmp_path: Path) -> None:
    path = written(simbench_like(), tmp_path / "net.json")
    settings = {"feeder": str(path), "households": 3, "variant": "per_job"}
    with pytest.raises(ConfigError, match="set devices=drawn"):
        check(resolve("tuned", settings))
    check(resolve("tuned", {**settings, "devices": "drawn"}))
