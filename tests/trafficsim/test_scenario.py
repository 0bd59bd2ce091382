"""Runs from the command line to the table: every form of them, and every bad input."""

import json
import os
import signal
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from cli.app import run as run_cli
from cli.commands import traffic as sstraffic
from ss_core.config import from_dict
from ss_core.errors import Interrupted
from ss_core.record.manifest import read_manifest, verify_run
from ss_core.record.run_directory import RunDirectory
from ss_core.record.schema import TABLES
from tests.support.grid_runs import run_here
from tests.support.small_nets import NOISY, ONE_ROUTE, QUIET, trips, write_net
from tests.support.traffic_runs import only_run, sstraffic_run, two_routes
from trafficsim.demand.trips import demand_file
from trafficsim.routing.config import RoutingConfig
from trafficsim.routing.inputs import load_game
from trafficsim.routing.policies_on_the_road import held_out_seeds
from trafficsim.sumo.simulation import Simulator, travel_times_s

pytestmark = [pytest.mark.sumo, pytest.mark.slow]
Streams = pytest.CaptureFixture[str]
Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: Patch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)


@pytest.fixture
def no_tasks(monkeypatch: Patch) -> None:
    """Whatever is tested must fail before anything is computed."""

    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("tasks were started")

    monkeypatch.setattr("ss_core.processes.child_tasks.run_tasks", refuse)


def result_of(*options: str, capsys: Streams, under: str = "runs") -> tuple[dict[str, Any], Path]:
    """The result and the folder of a run that ends well."""
    assert sstraffic_run(*options, "--json") == 0
    streams = capsys.readouterr()
    assert "Traceback" not in streams.err
    run = only_run(Path(under))
    assert read_manifest(run)["ss"]["status"] == "complete"
    assert verify_run(run) == []
    json.loads((run / "result.json").read_bytes(), parse_constant=pytest.fail)  # no NaN
    return json.loads(streams.out), run


def rows_of(run: Path, table: str) -> list[dict[str, Any]]:
    resources = {resource["name"]: resource for resource in read_manifest(run)["resources"]}
    if table not in resources:
        return []
    return pq.read_table([run / path for path in resources[table]["path"]]).to_pylist()


# forms of a run


def test_a_run_ends_in_a_table_a_verdict_and_traces(capsys: Streams) -> None:
    options = ("--net", two_routes(Path()), "--trace", "full", "--date", "2025-01-15")
    result, run = result_of(*options, capsys=capsys)
    ((title, table),) = result["tables"].items()
    assert title == "6 drivers, means over 2 held-out days"
    policies = [row["policy"] for row in table]
    assert policies[0] == "everyone on the shortest road"
    assert policies[-1] == "system optimum (best found)"
    assert {"SS (suggestions only)", "selfish, learned", "user equilibrium (UE)"} <= {*policies}
    assert result["price_of_anarchy"] >= 1.0
    kpis = result["kpis"]
    assert min(each["mean_travel_time_s"] for each in kpis.values()) == pytest.approx(
        kpis["optimum"]["mean_travel_time_s"]
    )
    assert kpis["all_shortest"]["mean_travel_time_s"] == 44.5  # 37, 40, …, 52
    assert kpis["ss"]["bytes_per_driver"] > 0
    assert kpis["independent"]["bytes_per_driver"] == 8  # two trial days, in a ring sum
    written = {resource["name"] for resource in read_manifest(run)["resources"]}
    assert written >= {
        *("run", "agent", "trip", "route_choice", "edge_interval", "network_interval"),
        *("suggestion", "message", "metric", "kpi"),
    }
    assert "incident" not in written
    for name in written:  # keys are keys
        rows = rows_of(run, name)
        keys = {tuple(row[column] for column in TABLES[name].key) for row in rows}
        assert len(keys) == len(rows), name
    day_0 = datetime(2025, 1, 15)
    for table, clocks in {"trip": ("depart", "arrival"), "edge_interval": ("begin", "end")}.items():
        for row in rows_of(run, table):
            for clock in clocks:
                seconds, time = row[f"{clock}_s"], row[f"{clock}_time"]
                assert (seconds is None) == (time is None)
                if time is not None:
                    assert time == day_0 + timedelta(days=row["day"], seconds=seconds)


def test_a_run_says_how_routes_are_judged(capsys: Streams) -> None:
    net = two_routes(Path())
    result, _ = result_of("--net", net, "--out", "a", capsys=capsys, under="a")
    notes = "\n".join(result["notes"])
    assert "routes are judged on a public model of the links, a day in SUMO an update" in notes
    assert "turns without inner lanes, whose right of way is not known; or --preset" in notes
    result, _ = result_of("--net", net, "--out", "b", "--en-route", capsys=capsys, under="b")
    assert "judged from days driven, not on the link model" in "\n".join(result["notes"])


def test_trial_days_decide_what_is_recommended(capsys: Streams) -> None:
    result, _ = result_of("--net", two_routes(Path()), capsys=capsys)
    found = result["recommendation"]
    assert found["trial_days"] == 2
    assert found["row"] in ("ss", "independent")
    assert "on 2 trial days" in "".join(result["notes"])


def test_duckdb_reads_the_traces_and_finds_their_units(capsys: Streams) -> None:
    _, run = result_of("--net", two_routes(Path()), "--trace", "full", capsys=capsys)
    mean_s = duckdb.execute(
        f"select algorithm, avg(travel_time_s) from '{run}/traces/trip/*.parquet' group by all"
    ).fetchall()
    table = {row["algorithm"]: row["value"] for row in rows_of(run, "kpi")
             if (row["kpi"], row["scope"]) == ("mean_travel_time_s", "held-out days")}  # fmt: skip
    assert dict(mean_s) == pytest.approx(table)
    for name in ("trip", "edge_interval", "network_interval"):
        schema = pq.read_schema(next((run / "traces" / name).iterdir()))
        for column in TABLES[name].columns:
            metadata = schema.field(column.name).metadata
            assert metadata[b"unit"].decode() == column.unit
            assert metadata[b"visibility"].decode() == column.visibility


@pytest.mark.parametrize("kind", [QUIET, NOISY], ids=["quiet", "noisy"])
def test_every_day_of_the_trace_can_be_driven_again(kind: Any, capsys: Streams) -> None:
    _, run = result_of("--net", two_routes(Path(), kind=kind), capsys=capsys)
    config = from_dict(RoutingConfig, read_manifest(run)["ss"]["config"], where="test")
    game = load_game(config, run / "inputs")
    trip = rows_of(run, "trip")
    taken = {
        (row["algorithm"], row["day"], row["agent_id"]): row["route"]
        for row in rows_of(run, "route_choice")
        if row["chosen"]
    }
    assert len(taken) == len(trip)
    days: dict[tuple[str, int], list[tuple[int, float]]] = {}
    for row in trip:
        assert taken[row["algorithm"], row["day"], row["vehicle_id"]] == row["route"]
        day = days.setdefault((row["algorithm"], row["day"]), [])
        day.append((row["route"], row["travel_time_s"]))
    seeds = held_out_seeds(config)
    with Simulator(game.scene) as simulator:
        outcomes = simulator.play(
            [np.array([route for route, _ in day]) for day in days.values()],
            [seeds[day] for _, day in days],
        )
    for (key, day), outcome in zip(days.items(), outcomes, strict=True):
        assert travel_times_s(game.scene, outcome).tolist() == [time for _, time in day], key


@pytest.mark.parametrize(
    "options",
    [
        ("--algorithm", "independent"),
        ("--algorithm", "centralised"),
        ("--algorithm", "ps"),
        ("--meso",),
        ("--share", "0.5"),
        ("--preset", "paper"),
        ("--set", "regime=norm"),
        ("--en-route",),
        ("--set", "search.exact_up_to=0", "--set", "search.msa_iterations=3"),
    ],
    ids=" ".join,
)
def test_every_form_of_a_run_ends_in_a_table_and_a_sealed_folder(
    options: Sequence[str], capsys: Streams
) -> None:
    result, _ = result_of("--net", two_routes(Path()), *options, capsys=capsys)
    ((_, table),) = result["tables"].items()
    assert len(table) == len(result["kpis"])
    assert {"all_shortest", "user_equilibrium", "optimum"} <= result["kpis"].keys()


def test_demand_is_drawn_for_a_bare_net_and_is_that_of_all_tasks(capsys: Streams) -> None:
    two_routes(Path())
    Path("two.trips.xml").unlink()
    options = ("--drivers", "6", "--set", "generator.headway_s=0.125")  # SUMO files hold 1/100 s
    result, run = result_of("--net", "two.net.xml", *options, capsys=capsys)
    assert any("6 drivers, one every 0.125 s" in note for note in result["notes"])
    departures = {row["depart_s"] for row in rows_of(run, "trip")}
    assert departures == {0.0, 0.12, 0.25, 0.38, 0.5, 0.62}


def test_a_shipped_net_is_run_by_its_bare_file_name(capsys: Streams) -> None:
    result, run = result_of("--net", "two_route.net.xml", capsys=capsys)
    said = "net two_route.net.xml: no such file in this folder; the shipped net of that name"
    assert sum(note.startswith(said) for note in result["notes"]) == 1
    assert said in (run / "result.json").read_text()
    assert any("two_route.trips.xml" in note for note in result["notes"])


def test_routes_that_a_demand_names_are_a_row_of_their_own(capsys: Streams) -> None:
    net = two_routes(Path())
    text = Path("two.trips.xml").read_text()
    route = '><route edges="entry detour exit"/></vehicle>'
    named = text.replace("<trip", "<vehicle").replace(' from="entry" to="exit"/>', route)
    Path("named.rou.xml").write_text(named)
    result, _ = result_of("--net", net, "--routes", "named.rou.xml", capsys=capsys)
    kpis = result["kpis"]
    assert kpis["as_given"]["mean_travel_time_s"] == pytest.approx(41.0)
    assert kpis["all_shortest"]["mean_travel_time_s"] == 44.5


def test_nets_on_which_nobody_has_a_choice_end_well(capsys: Streams) -> None:
    write_net(Path(), ONE_ROUTE, "one.net.xml")
    Path("one.trips.xml").write_text(demand_file(trips(4)))
    result, _ = result_of("--net", "one.net.xml", capsys=capsys)
    assert any("no dilemma here" in note for note in result["notes"])
    assert set(result["gap_closed"].values()) == {None}
    assert result["price_of_anarchy"] == 1.0


def test_a_single_driver_that_takes_part_takes_its_best_road(capsys: Streams) -> None:
    result, _ = result_of("--net", two_routes(Path()), "--share", "0.17", capsys=capsys)
    assert any("no dilemma here" in note for note in result["notes"])
    assert any("take part" in note for note in result["notes"])


def test_trips_that_do_not_end_are_incidents_and_counted(capsys: Streams) -> None:
    options = ("--net", two_routes(Path()), "--set", "sumo.longest_s=20")
    result, run = result_of(*options, capsys=capsys)
    assert {row["code"] for row in rows_of(run, "incident")} == {"SS-W412"}
    assert all(figures["unfinished_trips"] > 0 for figures in result["kpis"].values())


# bad input: one clear line, the exit code, nothing left behind


@pytest.mark.parametrize(
    ("options", "exit_code", "words"),
    [
        ((), 3, "name a SUMO network"),
        (("--net", "absent.net.xml"), 3, "absent.net.xml"),
        (("--net", "."), 3, "."),
        (("--net", "torn.net.xml"), 3, "torn.net.xml"),
        (("--net", "two.net.xml", "--trips", "absent.xml"), 3, "absent.xml"),
        (("--net", "two.net.xml", "--trips", "lost.trips.xml"), 3, "nowhere"),
        (("--net", "two.net.xml", "--trips", "a", "--od", "b"), 3, "give one demand"),
        (("--net", "two.net.xml", "--taz", "a"), 3, "zones belong to a demand"),
        (("--net", "two.net.xml", "--trips", "back.trips.xml"), 3, "exit -> entry"),
        (("--net", "two.net.xml", "--set", "dayz=3"), 3, "did you mean 'days'"),
        (("--net", "two.net.xml", "--set", "sumo.interval_s=1"), 3, "interval_s"),
        (("--net", "two.net.xml", "--set", "search.max_sweeps=0"), 3, "max_sweeps=0"),
        (("--net", "two.net.xml", "--set", "share=0"), 3, "share"),
        (("--net", "two.net.xml", "--set", "workers=0"), 3, "workers"),
        (("--net", "two.net.xml", "--set", "device=abacus"), 3, "device"),
        (("--net", "two.net.xml", "--meso", "--en-route"), 3, "mesoscopic"),
        (("--net", "two.net.xml", "--budget", "soon"), 3, "budget"),
        (("--net", "two.net.xml", "--days", "0"), 2, "--days"),
        (("--net", "two.net.xml", "--share", "1.5"), 2, "--share"),
        (("--net", "two.net.xml", "--algorithm", "best"), 2, "--algorithm"),
        (("--resume", "nowhere"), 3, "no manifest.json"),
        (("--net", "two.net.xml", "--out", "file/runs"), 6, "file"),
        (("--net", "two.net.xml", "--date", "2025-02-30"), 3, "a day of the calendar"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("no_tasks")
def test_bad_settings_are_one_clear_error_and_leave_nothing(
    options: Sequence[str], exit_code: int, words: str, capsys: Streams
) -> None:
    two_routes(Path())
    text = Path("two.trips.xml").read_text()
    Path("lost.trips.xml").write_text(text.replace('to="exit"', 'to="nowhere"'))
    back = text.replace('from="entry" to="exit"', 'from="exit" to="entry"')
    Path("back.trips.xml").write_text(back)
    Path("torn.net.xml").write_text("<net><edge")
    Path("file").touch()
    assert sstraffic_run(*options, quick=False) == exit_code
    streams = capsys.readouterr()
    assert streams.out == ""
    assert words in streams.err
    assert "Traceback" not in streams.err
    assert "internal error" not in streams.err
    assert not Path("runs").exists() or not rows_left(Path("runs"))


def rows_left(out: Path) -> bool:
    """Whether a run was left that looks complete."""
    return any(read_manifest(run)["ss"]["status"] == "complete" for run in out.iterdir())


@pytest.mark.usefixtures("no_tasks")
def test_a_missing_sumo_is_named_with_what_to_install(monkeypatch: Patch, capsys: Streams) -> None:
    monkeypatch.setattr("trafficsim.sumo.process.find_spec", lambda _: None)
    assert sstraffic_run("--net", two_routes(Path())) == 3
    assert 'pip install "suggestion-sharing[traffic]"' in capsys.readouterr().err
    assert not Path("runs").exists()


@pytest.mark.usefixtures("no_tasks")
def test_missing_programs_of_sumo_are_named_before_a_cross_check_begins(
    monkeypatch: Patch, capsys: Streams
) -> None:
    monkeypatch.setattr("trafficsim.references.duaiterate.importlib.util.find_spec", lambda _: None)
    assert sstraffic_run("--net", two_routes(Path()), "--cross-check") == 3
    assert 'pip install "suggestion-sharing[sumo]"' in capsys.readouterr().err
    assert not Path("runs").exists()


def test_a_sumo_that_dies_again_and_again_exits_4_and_can_be_resumed(
    monkeypatch: Patch, capsys: Streams
) -> None:
    from trafficsim.sumo.process import SumoProcess

    receive = SumoProcess.receive

    def killed(process: SumoProcess) -> dict[str, Any]:
        os.kill(process.pid, signal.SIGKILL)
        return receive(process)

    net = two_routes(Path())
    with monkeypatch.context() as patch:
        patch.setattr(SumoProcess, "receive", killed)
        assert sstraffic_run("--net", net) == 4
    assert "SUMO died 4 times on the same day" in capsys.readouterr().err
    run = only_run(Path("runs"))
    assert read_manifest(run)["ss"]["status"] == "failed"
    assert sstraffic_run("--resume", str(run), quick=False) == 0
    assert verify_run(run) == []


@pytest.mark.usefixtures("no_tasks")
def test_a_dry_run_shows_every_setting_and_who_gave_it(capsys: Streams) -> None:
    options = ("--net", "two.net.xml", "--set", "learner.gamma=0.5", "--dry-run", "--json")
    two_routes(Path())
    assert sstraffic_run(*options) == 0
    rows = json.loads(capsys.readouterr().out)["tables"]["settings"]
    settings = {row["setting"]: (row["value"], row["from"]) for row in rows}
    assert settings["net"] == ("two.net.xml", "--net")
    assert settings["learner.gamma"] == (0.5, "--set learner.gamma")
    assert settings["share"][1] == "preset or default"
    Path("my.sumocfg").write_text(
        '<configuration><input><net-file value="two.net.xml"/>'
        '<route-files value="two.trips.xml"/></input></configuration>'
    )
    options = ("--sumocfg", "my.sumocfg", "--drivers", "3", "--dry-run", "--json")
    assert sstraffic_run(*options) == 0
    rows = json.loads(capsys.readouterr().out)["tables"]["settings"]
    settings = {row["setting"]: (row["value"], row["from"]) for row in rows}
    assert settings["net"] == ("two.net.xml", "--sumocfg my.sumocfg")
    assert settings["routes"] == ("two.trips.xml", "--sumocfg my.sumocfg")
    assert settings["additional"] == ("", "preset or default")
    assert settings["generator.drivers"] == (3, "--drivers")
    assert not Path("runs").exists()


# resuming


def interrupted_run(monkeypatch: Patch, *options: str) -> Path:
    """A run that was stopped before its tasks began."""

    def stop(*_: Any) -> NoReturn:
        raise Interrupted("stopped", 2)

    with monkeypatch.context() as patch:
        patch.setattr("ss_core.processes.child_tasks.run_tasks", stop)
        assert sstraffic_run(*options) == 130
    return only_run(Path("runs"))


def test_a_run_is_resumed_by_its_path_and_shown_again_when_complete(
    monkeypatch: Patch, capsys: Streams
) -> None:
    run = interrupted_run(monkeypatch, "--net", two_routes(Path()))
    capsys.readouterr()
    assert sstraffic_run("--resume", str(run), "--json", quick=False) == 0
    first = json.loads(capsys.readouterr().out)
    assert only_run(Path("runs")) == run
    sealed = (run / "manifest.json").read_bytes()
    assert sstraffic_run("--resume", str(run), "--json", quick=False) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["tables"] == first["tables"]
    assert "complete already" in again["notes"][-1]
    assert (run / "manifest.json").read_bytes() == sealed
    assert run_cli(sstraffic.cli, "sstraffic", ["verify", str(run)]) == 0
    (run / "result.json").write_text("{")
    assert sstraffic_run("--resume", str(run), quick=False) == 5


@pytest.mark.usefixtures("no_tasks")
def test_a_run_is_not_resumed_with_other_settings_net_or_demand(
    monkeypatch: Patch, capsys: Streams
) -> None:
    net = two_routes(Path())
    run = interrupted_run(monkeypatch, "--net", net)
    assert sstraffic_run("--resume", str(run), "--seed", "5") == 3
    assert "other settings" in capsys.readouterr().err
    with RunDirectory.open(run):
        assert sstraffic_run("--resume", str(run), quick=False) == 8
    assert "another process" in capsys.readouterr().err
    Path("two.trips.xml").write_text(demand_file(trips(7)))
    assert sstraffic_run("--resume", str(run), quick=False) == 3
    assert "differs from what this run began with" in capsys.readouterr().err
    Path("two.net.xml").write_text(Path("two.net.xml").read_text() + "\n")
    assert sstraffic_run("--resume", str(run), quick=False) == 3
    assert "differs from the net this run began with" in capsys.readouterr().err
