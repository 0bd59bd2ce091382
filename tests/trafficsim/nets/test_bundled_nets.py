"""The road networks that ship: sound, unchanged, with trips that fit, and SUMO drives as stated."""

import hashlib
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from jaxtyping import Float
from numpy import ndarray

from ss_core.resources import data_path
from tests.support.routing_theory import TwoRoutes, service_headway_s, two_route_equilibrium
from trafficsim.demand.candidate_routes import CandidateConfig
from trafficsim.demand.trips import Demand, Trip, VehicleType
from trafficsim.nets.network import preflight
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import build_road_graph
from trafficsim.routing.game import RoutingGame, build_game
from trafficsim.sumo.simulation import Simulator, SumoConfig, travel_times_s

FOLDER = data_path("nets")
WITH_TRIPS = ("two_route", "braess", "braess_shortcut", "grid")


def net_file(name: str) -> Path:
    return FOLDER / f"{name}.net.xml"


def trips_of(name: str) -> Demand:
    root = ElementTree.parse(FOLDER / f"{name}.trips.xml").getroot()
    kinds = [dict(each.attrib) for each in root.iter("vType")]
    rows = [each.attrib for each in root.iter("trip")]
    trips = [
        Trip(
            *(r["id"], float(r["depart"]), r["from"], r["to"], r["type"]),
            attributes=(("departSpeed", r["departSpeed"]),),
        )
        for r in rows
    ]
    types = [VehicleType(kind.pop("id"), tuple(kind.items())) for kind in kinds]
    return Demand(tuple(trips), tuple(types), name)


@cache
def game_of(name: str, candidates: CandidateConfig | None = None) -> RoutingGame:
    return build_game(
        str(net_file(name)),
        build_road_graph(read_records(net_file(name))),
        trips_of(name),
        candidates=candidates or CandidateConfig(),
        sumo=SumoConfig(),
        rng=np.random.default_rng(0),
    )


def test_every_file_is_the_one_of_the_checksums() -> None:
    lines = (FOLDER / "SHA256SUMS").read_text().splitlines()
    stated = {name: digest for digest, name in (line.split() for line in lines)}
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in FOLDER.glob("*.xml")
    }
    assert stated == found


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.net.xml")), ids=lambda file: file.name)
def test_nets_pass_the_preflight_and_tell_nothing_of_where_they_were_made(file: Path) -> None:
    report = preflight(file)
    assert report.problems == ()
    assert report.car_edges == report.edges
    assert "<!--" not in file.read_text()


@pytest.mark.parametrize("name", WITH_TRIPS)
def test_trips_are_in_order_deterministic_and_between_edges_of_the_net(name: str) -> None:
    demand = trips_of(name)
    edges = build_road_graph(read_records(net_file(name))).position
    departures = [trip.depart_s for trip in demand.trips]
    assert departures == sorted(departures)
    assert demand.is_deterministic
    assert len({trip.trip_id for trip in demand.trips}) == len(demand.trips)
    assert all({trip.origin, trip.destination} <= edges.keys() for trip in demand.trips)


def test_the_two_braess_nets_have_the_same_drivers_and_streets_but_for_the_shortcut() -> None:
    closed, opened = (
        {edge.edge_id for edge in read_records(net_file(name)).edges if edge.is_road}
        for name in ("braess", "braess_shortcut")
    )
    assert opened - closed == {"shortcut"}
    assert trips_of("braess").trips == trips_of("braess_shortcut").trips


@pytest.mark.parametrize("penalty", [1.4, 1.5])
@pytest.mark.parametrize("longest", [2.2, 2.5])
@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("two_route", ({"neck"}, {"detour"})),
        ("braess", ({"long_a"}, {"long_b"})),
        ("braess_shortcut", ({"shortcut"}, {"long_a"}, {"long_b"})),
        ("grid", ({"east_bridge"}, {"C0D0"})),
    ],
)
def test_all_drivers_get_the_alternatives_that_matter(
    name: str, needed: tuple[set[str], ...], longest: float, penalty: float
) -> None:
    game = game_of(name, CandidateConfig(longest=longest, penalty=penalty))
    assert game.num_drivers == len(game.od)
    for row in game.driver_options:
        routes = [set(game.scene.routes[number]) for number in row if number >= 0]
        assert all(any(edges <= route for route in routes) for edges in needed)


def arrivals_s(game: RoutingGame, actions: list[int]) -> Float[ndarray, " N"]:
    """Arrivals of one simulated day, in order of departure."""
    choices = game.routes_of(np.array(actions))
    with Simulator(game.scene) as simulator:
        (outcome,) = simulator.play([choices], [1])
    assert outcome.teleports.sum() == outcome.collisions == 0
    return travel_times_s(game.scene, outcome) + game.scene.depart_s


@pytest.mark.sumo
def test_an_empty_short_way_takes_44_s_and_the_detour_82_s() -> None:
    game = game_of("two_route")
    times_s = arrivals_s(game, [0, *[1] * 59]) - game.depart_s
    assert times_s.tolist() == [44.0, *[82.0] * 59]


@pytest.mark.sumo
def test_the_neck_lets_a_vehicle_pass_every_six_seconds() -> None:
    headways_s = np.diff(arrivals_s(game_of("two_route"), [0] * 60))
    assert headways_s == pytest.approx(np.full(59, service_headway_s(1.5)))


@pytest.mark.sumo
def test_sumo_takes_the_time_that_theory_says_in_equilibrium() -> None:
    selfish = two_route_equilibrium(
        TwoRoutes(num_drivers=60, headway_s=3.0, service_s=6.0, short_s=44.0, detour_s=82.0)
    )
    game = game_of("two_route")
    times_s = arrivals_s(game, selfish.routes.tolist()) - game.depart_s
    assert times_s.mean() == pytest.approx(76.9)


@pytest.mark.sumo
def test_the_narrow_bridge_of_the_grid_is_too_small_for_all() -> None:
    game = game_of("grid")
    everyone_s = arrivals_s(game, [0] * 100) - game.depart_s
    outer = [number for number, route in enumerate(game.scene.routes) if "C0D0" in route]
    around = np.isin(game.driver_options, outer).argmax(axis=1)
    three_of_five = np.where(np.arange(100) % 5 < 3, 0, around).tolist()
    some_s = arrivals_s(game, three_of_five) - game.depart_s
    assert everyone_s.mean() == pytest.approx(167.3, abs=0.1)
    assert some_s.mean() < 0.85 * everyone_s.mean()
