"""Traffic lights before SUMO starts: neighbours, names, checks of net and demand, settings."""

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from ss_core.errors import ConfigError, InputError
from ss_core.resources import data_path
from trafficsim.nets.catalogue import NETS, inside_sumo_rl
from trafficsim.nets.read import read_records
from trafficsim.signals.checks import check_demand, check_lights
from trafficsim.signals.config import SignalsConfig, resolve
from trafficsim.signals.demand import drawn_demand
from trafficsim.signals.episode import episode_of, figures_of
from trafficsim.signals.graph import adjacency
from trafficsim.signals.request import located_scene
from trafficsim.signals.results.notes import licence_notes
from trafficsim.signals.scene import SignalScene

LANE = '<lane id="{0}_0" index="0" speed="10" length="50" shape="0,0 50,0"/>'


def street(*junctions: str) -> str:
    """Edges from each junction to the next, one way."""
    return "".join(
        f'<edge id="{a}{b}" from="{a}" to="{b}" priority="1">{LANE.format(a + b)}</edge>'
        for a, b in pairwise(junctions)
    )


def written_net(path: Path, *streets: tuple[str, ...], lights: str) -> Path:
    """A net of one-way streets; the junctions named in `lights` have one light each."""
    names = sorted({name for each in streets for name in each})
    junctions = "".join(
        f'<junction id="{n}" type="priority" x="0" y="0" incLanes="" intLanes="" shape=""/>'
        for n in names
    )
    programs = "".join(
        f'<tlLogic id="{n}" type="static" programID="0" offset="0">'
        '<phase duration="30" state="G"/></tlLogic>'
        for n in lights
    )
    links = "".join(
        f'<connection from="{a}{b}" to="{b}{c}" fromLane="0" toLane="0" dir="s" state="O"'
        + (f' tl="{b}" linkIndex="0"/>' if b in lights else "/>")
        for each in streets
        for a, b, c in zip(each, each[1:], each[2:], strict=False)
    )
    body = "".join(street(*each) for each in streets) + programs + junctions + links
    path.write_text(f'<net version="1.20">{body}</net>', encoding="utf-8")
    return path


def test_neighbours_are_the_next_lights_along_the_roads(tmp_path: Path) -> None:
    net = written_net(tmp_path / "a.net.xml", ("s", "A", "B", "u", "C", "t"), lights="ABC")
    near = adjacency(read_records(net), ("A", "B", "C"))
    expected = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]  # B and C meet through u, which has no light
    assert near.astype(int).tolist() == expected


def test_a_way_past_too_many_junctions_makes_no_neighbours(tmp_path: Path) -> None:
    net = written_net(tmp_path / "a.net.xml", ("s", "A", "u", "v", "B", "t"), lights="AB")
    records = read_records(net)
    assert adjacency(records, ("A", "B"), deepest=2).any()
    assert not adjacency(records, ("A", "B"), deepest=1).any()


def test_the_2x2_grid_is_a_ring() -> None:
    near = adjacency(read_records(inside_sumo_rl(NETS["2x2grid"].net)), ("1", "2", "5", "6"))
    assert near.sum(axis=1).tolist() == [2, 2, 2, 2]
    assert np.array_equal(near, near.T)


def test_an_unknown_name_is_told_with_a_near_one() -> None:
    with pytest.raises(InputError, match=r"near: .*2x2grid"):
        resolve("tuned", {"scenario": "2x2gird"})


def test_a_net_without_lights_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no traffic lights.*--tls\.guess"):
        check_lights(inside_sumo_rl("OW/OW.net.xml"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<routes></routes>", "no vehicle, trip or flow"),
        ("<net></net>", "starts with <net>"),
        ("<routes><trip", "not well-formed"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><routes/>", "DOCTYPE"),
    ],
)
def test_what_is_no_demand_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.rou.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        check_demand(path)


def test_demand_is_found_beside_the_net(tmp_path: Path) -> None:
    net = written_net(tmp_path / "a.net.xml", ("s", "A", "t"), lights="A")
    assert located_scene("", SignalScene(net=str(net))).routes == ""
    (tmp_path / "a.trips.xml").write_text("<routes/>", encoding="utf-8")
    assert located_scene("", SignalScene(net=str(net))).routes == str(tmp_path / "a.trips.xml")


def test_a_bare_file_name_is_the_shipped_net_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = resolve("tuned", {"net": "grid_3x3.net.xml"})
    shipped = data_path("nets/grid_3x3.net.xml")
    assert config == replace(
        resolve("tuned", {"net": str(shipped)}), scene=SignalScene(net="grid_3x3.net.xml")
    )
    assert located_scene("", config.scene).net == str(shipped)
    assert licence_notes(config) == [
        "net grid_3x3.net.xml: no such file in this folder; the shipped net of that name was used"
    ]
    (tmp_path / "grid_3x3.net.xml").write_text(shipped.read_text() + "\n")
    mine = resolve("tuned", {"net": "grid_3x3.net.xml"})
    assert mine.net_sha256 != config.net_sha256
    assert licence_notes(mine) == []


def test_trips_that_are_shipped_beside_a_net_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    located = located_scene("", SignalScene(net="grid.net.xml"))
    assert located.routes == str(data_path("nets/grid.trips.xml"))


def test_demand_is_drawn_for_the_whole_episode_and_depends_on_the_seed_alone() -> None:
    net = str(inside_sumo_rl(NETS["3x3grid"].net))
    scene = SignalScene(net=net, begin_s=100, seconds=60)
    drawn = drawn_demand(scene, 2.0, seed=1)
    departures = [float(text) for text in re.findall(r'depart="([0-9.]+)"', drawn)]
    assert departures == [100.0 + 2.0 * n for n in range(30)]
    assert drawn == drawn_demand(scene, 2.0, seed=1)
    assert drawn != drawn_demand(scene, 2.0, seed=2)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({}, "name a SUMO net"),
        ({"net": "a.net.xml", "scenario": "2x2grid"}, "give one of them"),
        ({"scenario": "2x2grid", "scene.yellow_s": 5}, "longer than yellow_s"),
        ({"scenario": "2x2grid", "episodes": 0}, "episodes=0"),
        ({"scenario": "2x2grid", "algorithm": "imr"}, "imr"),
        ({"routes": "a", "trips": "b"}, "not both"),
        ({"scenario": "2x2grid", "net_sha256": "x"}, "follows from the files"),
    ],
)
def test_settings_that_do_not_fit_are_refused(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve("tuned", overrides)


@pytest.mark.parametrize("preset", ["tuned", "paper"])
def test_a_number_of_neighbours_that_no_light_would_use_is_refused(preset: str) -> None:
    given: dict[str, object] = {"scenario": "2x2grid", "learner.exchange.num_neighbours": 4}
    with pytest.raises(ConfigError, match=r"num_neighbours: .*protocol='graph'; .* lights next"):
        resolve(preset, given | {"learner.exchange.protocol": "graph"})
    with pytest.raises(ConfigError, match=r"num_neighbours: .*protocol='all'; .*=random"):
        resolve(preset, given | {"learner.exchange.protocol": "all"})
    config = resolve(preset, given | {"learner.exchange.protocol": "random"})
    assert config.learner.exchange.num_neighbours == 4


def test_resco_brings_its_own_clock() -> None:
    config = resolve("tuned", {"scenario": "cologne1"})
    assert (config.scene.begin_s, config.scene.seconds) == (25200, 3600)
    full = resolve("tuned", {"scenario": "resco:cologne1"})
    assert replace(full, scenario="cologne1") == config
    (note,) = licence_notes(full)
    assert note.startswith(
        "net resco:cologne1: loaded from the installed sumo-rl, never copied; CC"
    )
    assert resolve("tuned", {"scenario": "cologne1", "seconds": 300}).scene.seconds == 300
    assert isinstance(config, SignalsConfig)


def test_travel_time_counts_from_planned_departure_to_arrival_or_the_cut() -> None:
    episode = episode_of(
        {
            "ids": ["arrived", "under way", "never entered"],
            "trips": {
                "depart": [12.0, 60.0, -1.0],
                "arrival": [40.0, -1.0, -1.0],
                "duration": [28.0, 40.0, -1.0],
                "departDelay": [2.0, 0.0, 30.0],
                "waitingTime": [5.0, 7.0, -1.0],
                "timeLoss": [9.0, 9.0, -1.0],
            },
            "queue": [1, 3],
            "teleports": 1,
            "begin_s": 0,
            "end_s": 100.0,
        }
    )
    assert episode.travel_time_s.tolist() == [30.0, 40.0, 30.0]
    assert episode.waiting_time_s.tolist() == [7.0, 7.0, 30.0]
    figures = figures_of(episode)
    assert figures["mean_queue_veh"] == 2.0
    assert figures["throughput_veh_per_h"] == pytest.approx(36.0)
    assert (figures["unfinished_trips"], figures["teleports"]) == (2.0, 1.0)
