"""Who does not decide is driven by SUMO as the file has it: buses, trucks, stops, persons."""

import gzip
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import sumo

from ss_core.errors import ConfigError, InputError
from tests.support.small_nets import TWO_ROUTE, write_net
from trafficsim.nets.sumocfg import named_files
from trafficsim.results.replay import write_replay
from trafficsim.routing.config import resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import checked_net, game_of, given_demand, keep_inputs, load_game
from trafficsim.sumo.process import check_installed
from trafficsim.sumo.recording import record_day
from trafficsim.sumo.simulation import Simulator, travel_times_s

SUMO = f"{sumo.SUMO_HOME}/bin/sumo"
HALT = """<additional>
<busStop id="halt" lane="detour_0" startPos="100" endPos="130"/>
<edgeData id="measured" file="measured.xml"/>
</additional>"""
ALL_SORTS = """<routes>
<vType id="bus" vClass="bus" length="12" sigma="0" speedDev="0"/>
<vType id="lorry" vClass="truck" sigma="0" speedDev="0"/>
<vType id="car" sigma="0" speedDev="0"/>
<vTypeDistribution id="mix" vTypes="car lorry" probabilities="1 1"/>
<route id="line" edges="entry detour exit"/>
<vehicle id="bus0" type="bus" depart="0" route="line">
    <stop busStop="halt" duration="20"/><param key="x" value="y"/>
</vehicle>
<trip id="early" type="lorry" depart="0" from="entry" to="exit"/>
<flow id="lorries" type="lorry" begin="4" end="30" period="9" from="entry" to="exit"/>
<person id="p" depart="2"><walk edges="exit"/></person>
<trip id="a" type="car" depart="6" from="entry" to="exit"/>
<trip id="b" type="car" depart="8" from="entry" to="exit" departPos="20" departSpeed="max"/>
<trip id="c" type="car" depart="9" from="entry" to="exit" via="detour"/>
<trip id="d" depart="10" type="car" from="entry" to="exit">
    <stop lane="detour_0" duration="5"/>
</trip>
<vehicle id="e" type="car" depart="12"><route edges="entry detour exit"/></vehicle>
</routes>"""


def game_in(folder: Path, text: str = ALL_SORTS, **settings: object) -> RoutingGame:
    write_net(folder, TWO_ROUTE, "two.net.xml")
    (folder / "two.rou.xml").write_text(text)
    files = {"net": str(folder / "two.net.xml"), "routes": str(folder / "two.rou.xml")}
    config = resolve("tuned", files | settings)
    net = checked_net(config)
    demand = given_demand(config, net)
    assert demand is not None
    return game_of(config, net, demand)


def source_of(folder: Path, text: str, **settings: object) -> str:
    write_net(folder, TWO_ROUTE, "two.net.xml")
    (folder / "two.rou.xml").write_text(text)
    files = {"net": str(folder / "two.net.xml"), "routes": str(folder / "two.rou.xml")}
    config = resolve("tuned", files | settings)
    demand = given_demand(config, checked_net(config))
    assert demand is not None
    return demand.source


def test_cars_decide_and_everybody_else_is_counted(tmp_path: Path) -> None:
    game = game_in(tmp_path)
    names = [game.scene.vehicle_ids[vehicle] for vehicle in game.drivers]
    assert game.scene.vehicle_ids == ("a", "b", "c", "e")
    assert names == ["a", "b", "e"]  # c has to pass the detour
    assert game.scene.begin_s == 0.0  # when the bus leaves
    assert not game.scene.is_deterministic
    assert source_of(tmp_path, ALL_SORTS).endswith(
        ": 4 trips; driven by SUMO as the file has it: 1 x bus, 1 x person, 2 x truck, "
        "1 x vehicle with stops"
    )
    entry = {"departLane": "best_prob", "departPos": "20", "departSpeed": "max"}
    assert game.scene.entries()[1] == entry


def test_other_classes_may_decide_and_use_what_all_of_them_may(tmp_path: Path) -> None:
    game = game_in(tmp_path, classes="passenger, truck")
    assert {"early", "lorries.0"} < {*game.scene.vehicle_ids}
    closed = TWO_ROUTE.replace('id="detour_0"', 'id="detour_0" disallow="truck"')
    assert closed != TWO_ROUTE
    write_net(tmp_path, closed, "two.net.xml")
    config = resolve(
        "tuned",
        {
            "net": str(tmp_path / "two.net.xml"),
            "routes": str(tmp_path / "two.rou.xml"),
            "classes": "passenger,truck",
            "ignore_route_errors": True,
        },
    )
    net = checked_net(config)
    demand = given_demand(config, net)
    assert demand is not None
    used = {edge for route in game_of(config, net, demand).scene.routes for edge in route}
    assert "detour" not in used


def test_a_mixture_of_classes_is_drawn_and_parted(tmp_path: Path) -> None:
    flow = '<flow id="f" type="mix" begin="0" end="100" number="40" from="entry" to="exit"/>'
    text = ALL_SORTS.replace("</routes>", f"{flow}</routes>")
    game = game_in(tmp_path, text)
    cars = [name for name in game.scene.vehicle_ids if name.startswith("f.")]
    lorries = re.findall(r'<trip id="f\.\d+" type="lorry"', game.scene.background)
    assert len(cars) + len(lorries) == 40
    assert 8 < len(cars) < 32


def test_trips_go_from_zone_to_zone(tmp_path: Path) -> None:
    zones = tmp_path / "zones.add.xml"
    zones.write_text(
        '<additional><taz id="west" edges="entry"/><taz id="east">'
        '<tazSink id="exit" weight="1"/><tazSource id="entry" weight="1"/></taz></additional>'
    )
    text = '<routes><trip id="t" depart="0" fromTaz="west" toTaz="east"/></routes>'
    for setting in ("taz", "additional"):
        game = game_in(tmp_path, text, **{setting: str(zones)})
        assert game.od_pairs == (("entry", "exit"),)
    with pytest.raises(InputError, match="zone 'west' is not defined; give its file with --taz"):
        game_in(tmp_path, text)
    wrong = text.replace("east", "west")
    with pytest.raises(InputError, match=r"no way|trip within one edge"):
        game_in(tmp_path, wrong, taz=str(zones))


def test_types_come_from_additional_files(tmp_path: Path) -> None:
    types = tmp_path / "types.add.xml"
    types.write_text('<additional><vType id="mine" sigma="0" speedDev="0"/></additional>')
    text = '<routes><trip id="t" type="mine" depart="0" from="entry" to="exit"/></routes>'
    with pytest.raises(InputError, match="vehicle type 'mine' is not defined"):
        game_in(tmp_path, text)
    assert game_in(tmp_path, text, additional=str(types)).scene.is_deterministic


def test_trips_that_cannot_be_driven_are_left_out_if_asked(tmp_path: Path) -> None:
    wrong = """<routes>
    <trip id="nowhere" depart="0" from="entry" to="abroad"/>
    <trip id="back" depart="0" from="exit" to="entry"/>
    <trip id="by" depart="0" from="entry" to="exit" via="exit entry"/>
    <vehicle id="torn" depart="0"><route edges="entry exit"/></vehicle>
    <trip id="good" depart="1" from="entry" to="exit"/></routes>"""
    with pytest.raises(InputError, match=r"has no edge 'abroad'"):
        game_in(tmp_path, wrong)
    game = game_in(tmp_path, wrong, ignore_route_errors=True)
    assert game.scene.vehicle_ids == ("good",)
    said = source_of(tmp_path, wrong, ignore_route_errors=True)
    assert "1 x trip over edges that cars may not use (nowhere)" in said
    assert "3 x trip that no way leads through (back, by, torn)" in said
    with pytest.raises(InputError, match="no trip of it can be driven"):
        game_in(tmp_path, wrong.replace('id="good" depart="1" from="entry"', 'id="g" depart="1" '
                'from="exit"').replace('to="exit"/></routes>', 'to="entry"/></routes>'),
                ignore_route_errors=True)  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ('<trip id="t" depart="0" to="exit"/>', "neither a route nor an edge 'from'"),
        ('<vehicle id="t" depart="0" route="none"/>', "route 'none' is not defined"),
        ('<trip id="t" depart="0" from="nowhere" fromTaz="x"/>', "nor an edge 'to'"),
        ('<trip id="t" depart="soon" from="entry" to="exit"/>', "depart is 'soon'"),
    ],
)
def test_other_faults_than_edges_are_not_left_out(tmp_path: Path, wrong: str, words: str) -> None:
    good = '<trip id="g" depart="1" from="entry" to="exit"/>'
    with pytest.raises(InputError, match=words):
        game_in(tmp_path, f"<routes>{wrong}{good}</routes>", ignore_route_errors=True)


def test_a_configuration_of_sumo_names_the_files(tmp_path: Path) -> None:
    game = game_in(tmp_path)
    (tmp_path / "two.rou.xml.gz").write_bytes(
        gzip.compress((tmp_path / "two.rou.xml").read_bytes())
    )
    (tmp_path / "my.sumocfg").write_text(
        '<configuration><input><net-file value="two.net.xml"/>'
        '<route-files value="two.rou.xml.gz"/></input><time><begin value="0"/></time>'
        "</configuration>"
    )
    config = resolve("tuned", {"sumocfg": str(tmp_path / "my.sumocfg"), "days": 3})
    assert (config.net, config.days) == (str(tmp_path / "two.net.xml"), 3)
    net = checked_net(config)
    demand = given_demand(config, net)
    assert demand is not None
    assert game_of(config, net, demand).scene.vehicle_ids == game.scene.vehicle_ids
    assert resolve("tuned", {"sumocfg": str(tmp_path / "my.sumocfg"), "net": "x"}).net == "x"
    assert not config.ignore_route_errors
    lenient = (
        (tmp_path / "my.sumocfg")
        .read_text()
        .replace("</input>", "</input><processing><ignore-route-errors value='True'/></processing>")
    )
    (tmp_path / "lenient.sumocfg").write_text(lenient)
    assert resolve("tuned", {"sumocfg": str(tmp_path / "lenient.sumocfg")}).ignore_route_errors
    (tmp_path / "bare.sumocfg").write_text("<configuration><input/></configuration>")
    with pytest.raises(InputError, match=r"bare\.sumocfg: names no net"):
        named_files(tmp_path / "bare.sumocfg")


def test_a_run_keeps_its_background(tmp_path: Path) -> None:
    game_in(tmp_path)
    files = {"net": str(tmp_path / "two.net.xml"), "routes": str(tmp_path / "two.rou.xml")}
    config = resolve("tuned", files)
    net, kept = checked_net(config), tmp_path / "inputs"
    kept.mkdir()
    demand = given_demand(config, net)
    stored = keep_inputs(config, net, demand, kept, print)
    assert demand is not None
    assert (stored.trips, stored.background) == (demand.trips, demand.background)
    again = load_game(config, kept).scene
    assert (again.background, again.begin_s) == (demand.background, 0.0)
    assert again.entries() == game_of(config, net, demand).scene.entries()
    (tmp_path / "two.rou.xml").write_text(ALL_SORTS.replace('duration="20"', 'duration="21"'))
    with pytest.raises(ConfigError, match="differs from what this run began with"):
        keep_inputs(config, net, given_demand(config, net), kept, print)


@pytest.mark.sumo
def test_plain_sumo_drives_the_same_files_to_the_same_times(tmp_path: Path) -> None:
    """SUMO on the user's own files is the auditor: the same seed, the same times of every car."""
    check_installed()
    (tmp_path / "halt.add.xml").write_text(HALT)
    game = game_in(tmp_path, additional=str(tmp_path / "halt.add.xml"))
    assert "edgeData" not in game.scene.background  # would write files while days are driven
    chosen = {"e": "detour", "c": "detour"}
    output = tmp_path / "trips.xml"
    command = [SUMO, "-n", str(tmp_path / "two.net.xml")]
    command += ["-r", str(tmp_path / "two.rou.xml"), "--seed", "5", "--no-step-log", "true"]
    command += ["-a", str(tmp_path / "halt.add.xml")]
    command += ["--vehroute-output", str(tmp_path / "routes.xml"), "--xml-validation", "never"]
    subprocess.run([*command, "--tripinfo-output", str(output)], check=True, capture_output=True)
    found = dict(re.findall(r'<tripinfo id="(\w+)"[^>]*? arrival="([\d.]+)"', output.read_text()))
    driven = (tmp_path / "routes.xml").read_text()
    routes = dict(re.findall(r'<vehicle id="(\w+)".*?edges="([^"]+)"', driven, re.DOTALL))
    numbers = {" ".join(route): number for number, route in enumerate(game.scene.routes)}
    choices = np.array([numbers[routes[name]] for name in game.scene.vehicle_ids])
    for name, edge in chosen.items():
        assert edge in routes[name]
    with Simulator(game.scene) as simulator:
        (outcome,) = simulator.play([choices], [5])
        recording = record_day(simulator, choices, 5, 60.0)
    assert outcome.arrival_s.tolist() == [float(found[name]) for name in game.scene.vehicle_ids]
    assert np.isfinite(recording.trip["timeLoss"]).all()
    write_replay(tmp_path / "replay", game.scene, {"as_given": choices}, 5)
    again = tmp_path / "again.xml"
    configuration = str(tmp_path / "replay" / "as_given.sumocfg")
    subprocess.run(
        [SUMO, "-c", configuration, "--tripinfo-output", str(again)],
        check=True,
        capture_output=True,
    )
    repeated = dict(re.findall(r'<tripinfo id="(\w+)"[^>]*? arrival="([\d.]+)"', again.read_text()))
    arrivals = [float(repeated[name]) for name in game.scene.vehicle_ids]
    assert arrivals == outcome.arrival_s.tolist()
    assert "bus0" in repeated
    assert travel_times_s(game.scene, outcome).min() > 0.0
