"""Trips between junctions and zones: SUMO takes the fastest way between any of their edges."""

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ss_core.errors import InputError
from tests.support.plain_sumo import Driven, driven
from trafficsim.demand.fastest_path import fastest_among
from trafficsim.demand.trips import Demand
from trafficsim.demand.ways import Roads
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import RoadGraph, build_road_graph
from trafficsim.results.replay import write_replay
from trafficsim.routing.config import resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import checked_net, game_of, given_demand

QUIET = '<vType id="car" sigma="0" speedDev="0"/>'
BUS = '<vType id="bus" vClass="bus" sigma="0" speedDev="0"/>'


def generated(net: Path, words: str) -> Path:
    import sumo

    command = [f"{sumo.SUMO_HOME}/bin/netgenerate", *words.split(), "-o", str(net)]
    subprocess.run(command, check=True, capture_output=True)
    return net


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five by four junctions."""
    words = "--grid --grid.x-number 5 --grid.y-number 4 --grid.x-length 130 --grid.y-length 170"
    return generated(tmp_path_factory.mktemp("grid") / "grid.net.xml", words)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Streets of all lengths, so that hardly two ways take the same time."""
    words = "--rand --rand.iterations 60 --seed 7 --no-turnarounds"
    return generated(tmp_path_factory.mktemp("web") / "web.net.xml", words)


def read(net: Path, routes: Path, **more: object) -> tuple[RoutingGame, Demand]:
    config = resolve("tuned", {"net": str(net), "routes": str(routes)} | more)
    checked = checked_net(config)
    demand = given_demand(config, checked)
    assert demand is not None
    return game_of(config, checked, demand), demand


def written(path: Path, text: str) -> Path:
    path.write_text(f"<routes>{QUIET}{BUS}{text}</routes>")
    return path


def as_given(folder: Path, game: RoutingGame) -> Driven:
    choices = game.routes_of(np.zeros(game.num_drivers, dtype=np.int64))
    write_replay(folder / "replay", game.scene, {"as_given": choices}, 0)
    return driven(folder, "-c", str(folder / "replay/as_given.sumocfg"))


@pytest.mark.sumo
def test_trips_and_flows_between_junctions_are_those_of_sumo(web: Path, tmp_path: Path) -> None:
    graph = graph_of(web)
    by_name = sorted({*graph.leaves} & {*graph.enters}, key=int)
    start, goal, turn, edge = by_name[5], by_name[-6], by_name[21], graph.edge_ids[60]
    ends = f'type="car" fromJunction="{start}" toJunction="{goal}"'
    text = (
        f'<trip id="a" depart="0" {ends}/><flow id="f" begin="30" end="150" number="3" {ends}/>'
        f'<trip id="b" type="car" depart="200" from="{edge}" toJunction="{goal}"/>'
        f'<trip id="bus" type="bus" depart="210" fromJunction="{goal}" toJunction="{start}"/>'
        f'<trip id="c" type="car" depart="300" fromJunction="{goal}" to="{edge}"/>'
        f'<trip id="v" type="car" depart="400" {ends[11:]} via="{edge}"/>'
        f'<trip id="r" type="car" depart="500" fromJunction="{turn}" toJunction="{turn}"/>'
    )
    routes = written(tmp_path / "a.rou.xml", text)
    game, demand = read(web, routes)
    assert "1 x bus" in demand.source
    assert "not used" not in demand.source
    mine = as_given(tmp_path, game)
    theirs = driven(tmp_path, "-n", str(web), "-r", str(routes), "--junction-taz")
    assert mine.edges == theirs.edges
    assert mine.duration_s == theirs.duration_s
    assert [*game.scene.vehicle_ids] == ["a", "f.0", "f.1", "f.2", "b", "c", "v", "r"]


@pytest.mark.sumo
def test_duarouter_finds_the_same_ways_between_junctions(web: Path, tmp_path: Path) -> None:
    """But where two ways differ by what is lost inside junctions, which counts there alone."""
    import sumo

    graph = graph_of(web)
    by_name = sorted({*graph.leaves} & {*graph.enters}, key=int)
    pairs = [(a, b) for a in by_name[::6] for b in by_name[1::6]]
    trips = "".join(
        f'<trip id="t{n}" type="car" depart="{9 * n}" fromJunction="{a}" toJunction="{b}"/>'
        for n, (a, b) in enumerate(pairs)
    )
    routes, found = written(tmp_path / "a.rou.xml", trips), tmp_path / "found.rou.xml"
    command = [f"{sumo.SUMO_HOME}/bin/duarouter", "-n", str(web), "-r", str(routes)]
    command += ["--junction-taz", "-o", str(found), "--xml-validation", "never"]
    subprocess.run(command, check=True, capture_output=True)
    theirs = dict(
        re.findall(r'<vehicle id="(t\d+)".*?edges="([^"]+)"', found.read_text(), re.DOTALL)
    )
    game, _ = read(web, routes)
    given = game.routes_of(np.zeros(game.num_drivers, dtype=np.int64))
    free_s = dict(zip(graph.edge_ids, graph.free_flow_s.tolist(), strict=True))
    alike = 0
    for name, number in zip(game.scene.vehicle_ids, given, strict=True):
        mine, other = game.scene.routes[number], theirs[name].split()
        gain_s = sum(free_s[edge] for edge in other) - sum(free_s[edge] for edge in mine)
        assert -1e-9 <= gain_s <= 3.0
        alike += [*mine] == other
    assert len(given) > 80
    assert alike >= 0.9 * len(given)


@pytest.mark.sumo
def test_zones_of_several_edges_are_those_of_sumo(web: Path, tmp_path: Path) -> None:
    graph = graph_of(web)
    roads, by_name = Roads(graph), sorted({*graph.leaves} & {*graph.enters}, key=int)
    west = [edge for name in by_name[5:8] for edge in roads.leaving[name]]
    sinks = "".join(
        f'<tazSink id="{edge}" weight="{1 + n}"/>'
        for n, edge in enumerate(roads.entering[by_name[-6]] + roads.entering[by_name[-9]])
    )
    zones = tmp_path / "zones.add.xml"
    zones.write_text(
        f'<additional><taz id="west" edges="{" ".join(west)}"/><taz id="east">{sinks}</taz>'
        "</additional>"
    )
    ends = 'fromTaz="west" toTaz="east"'
    text = f'<trip id="a" type="car" depart="0" {ends}/><trip id="b" type="bus" depart="9" {ends}/>'
    routes = written(tmp_path / "a.rou.xml", text)
    theirs = driven(tmp_path, "-n", str(web), "-r", str(routes), "-a", str(zones))
    for more in ({"taz": str(zones)}, {"additional": str(zones)}):
        mine = as_given(tmp_path, read(web, routes, **more)[0])
        assert mine.edges == theirs.edges
        assert {*mine.edges} == {"a", "b"}


def graph_of(net: Path) -> RoadGraph:
    return build_road_graph(read_records(net))


def test_the_fastest_of_many_ways_is_found(grid: Path) -> None:
    graph = graph_of(grid)
    costs, roads = graph.free_flow_s, Roads(graph)
    origins, destinations = roads.leaving["A0"], roads.entering["E3"]
    assert {graph.edge_ids[graph.position[edge]][:2] for edge in origins} == {"A0"}
    singles = [
        sum(costs[edge] for edge in path)
        for a in origins
        for b in destinations
        if (path := fastest_among(graph, [graph.position[a]], {graph.position[b]}, costs))
    ]
    chosen = roads.nearest(origins, destinations)
    assert chosen is not None
    path = fastest_among(graph, [graph.position[chosen[0]]], {graph.position[chosen[1]]}, costs)
    assert path is not None
    assert sum(costs[edge] for edge in path) == pytest.approx(min(singles))


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ('fromJunction="Z9" toJunction="A0"', "no edge for cars leaves junction 'Z9'"),
        ('from="A0A1" toJunction="Z9"', "no edge for cars leads to junction 'Z9'"),
        ('fromTaz="x" toJunction="A0"', "zone 'x' is not defined; give its file with --taz"),
        ('toJunction="A0"', "neither a route nor an edge 'from'"),
    ],
)
def test_ends_that_are_nowhere_are_named(grid: Path, tmp_path: Path, ends: str, words: str) -> None:
    good = '<trip id="g" depart="1" from="A0A1" to="B1C1"/>'
    routes = written(tmp_path / "a.rou.xml", f'<trip id="t" depart="0" {ends}/>{good}')
    with pytest.raises(InputError, match=words) as refused:
        read(grid, routes)
    if "--ignore-route-errors" in str(refused.value):
        game, demand = read(grid, routes, ignore_route_errors=True)
        assert game.scene.vehicle_ids == ("g",)
        assert "left out: 1 x trip" in demand.source


# included files


@pytest.mark.sumo
def test_included_files_are_read_as_if_they_stood_there(grid: Path, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/types.add.xml").write_text(f"<additional>{QUIET}</additional>")
    (tmp_path / "parts/all.add.xml").write_text(
        f'<additional><include href="types.add.xml"/>{BUS}'
        '<busStop id="halt" lane="B1C1_0" startPos="20" endPos="50"/></additional>'
    )
    (tmp_path / "parts/more.rou.xml").write_text(
        '<routes><trip id="a" type="car" depart="0" from="A0A1" to="D1E1"/></routes>'
    )
    routes = tmp_path / "a.rou.xml"
    routes.write_text(
        '<routes><include href="parts/more.rou.xml"/>'
        '<trip id="b" type="bus" depart="5" from="A0A1" to="D1E1">'
        '<stop busStop="halt" duration="20"/></trip></routes>'
    )
    extra = str(tmp_path / "parts/all.add.xml")
    game, _ = read(grid, routes, additional=extra)
    theirs = driven(tmp_path, "-n", str(grid), "-r", str(routes), "-a", extra)
    assert as_given(tmp_path, game).duration_s == theirs.duration_s
    assert {*theirs.duration_s} == {"a", "b"}


def test_a_file_that_includes_itself_or_nothing_is_refused(grid: Path, tmp_path: Path) -> None:
    routes = tmp_path / "a.rou.xml"
    for href, words in (
        ('href="a.rou.xml"', "includes itself"),
        ("", "without href"),
        ('href="none.xml"', r"none\.xml: No such file"),
    ):
        routes.write_text(f"<routes><include {href}/></routes>")
        with pytest.raises(InputError, match=words):
            read(grid, routes)
