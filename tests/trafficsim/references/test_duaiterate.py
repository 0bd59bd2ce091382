"""SUMO's own assignment tool: what it is given, what is read of it, what is left of it."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ss_core.errors import InputError, SimulatorError
from tests.support.small_nets import QUIET, small_game, trips
from trafficsim.references.duaiterate import DuaConfig, assign, assignment, trips_xml
from trafficsim.references.references import DUA, cross_check
from trafficsim.routing.config import resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import checked_net, game_of, given_demand
from trafficsim.sumo.simulation import Scene, Simulator, travel_times_s

ROOT = Path(__file__).parents[3]
QUICK = DuaConfig(iterations=3)


@pytest.fixture
def game(tmp_path: Path) -> RoutingGame:
    return small_game(tmp_path, trips(12, kind=QUIET))


def tool_processes(folder: Path) -> list[str]:
    """Processes at work in a folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cwd").readlink() == folder:
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue  # ended meanwhile
    return found


# what it is given


def test_trips_are_those_of_the_scene_in_order_of_departure(game: RoutingGame) -> None:
    scene = replace(game.scene, depart_s=game.scene.depart_s[::-1].copy())
    root = ElementTree.fromstring(trips_xml(game, scene))
    found = list(root.iter("trip"))
    assert [each.get("id") for each in found] == list(scene.vehicle_ids)[::-1]
    assert [float(each.get("depart", "")) for each in found] == sorted(scene.depart_s)
    origin, destination = game.od_pairs[0]
    assert {(each.get("from"), each.get("to")) for each in found} == {(origin, destination)}
    assert {each.get("sigma") for each in root.iter("vType")} == {"0"}


@pytest.mark.parametrize(
    "values", [{"iterations": 0}, {"aggregation_s": 0}, {"time_limit_s": float("nan")}]
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        DuaConfig(**values)  # type: ignore[arg-type]


# what is read of it


def test_routes_taken_become_alternatives_and_others_are_added(game: RoutingGame) -> None:
    scene, stranger = game.scene, ("entry", "elsewhere", "exit")
    taken = [scene.routes[route] for route in game.options[:, 1]]
    taken[3] = stranger
    found = assignment(game, scene, taken, np.array([50.0, 40.0]))
    assert found.unmatched == 1
    assert found.scene.routes == (*scene.routes, stranger)
    assert found.choices[3] == len(scene.routes)
    others = np.arange(len(taken)) != 3
    assert found.choices[others].tolist() == game.options[others, 1].tolist()
    assert found.actions[others].tolist() == [1] * (len(taken) - 1)
    assert found.method(QUICK) == (
        "duaIterate, 3 iterations (Gawron, -a 900), the last 2 between 40.0 and 50.0 s; "
        "1 drivers on other routes"
    )


def test_a_route_that_is_no_alternative_counts_as_the_one_most_like_it(game: RoutingGame) -> None:
    short, detour = (set(game.scene.routes[route]) for route in game.options[0])
    only_detour = next(iter(detour - short))
    taken = [("entry", only_detour, "elsewhere", "exit")] * len(game.od)
    found = assignment(game, game.scene, taken, np.array([1.0]))
    assert found.unmatched == len(game.od)
    assert found.actions.tolist() == [1] * game.num_drivers


# the tool itself


@pytest.mark.sumo
@pytest.mark.slow
def test_the_same_seed_gives_the_same_choices_and_its_times_are_ours(
    game: RoutingGame, tmp_path: Path
) -> None:
    folder = tmp_path / "scratch"
    once, again = (assign(game, game.scene, folder, 5, QUICK) for _ in range(2))
    assert once.choices.tolist() == again.choices.tolist()
    assert np.array_equal(once.mean_s, again.mean_s)
    assert not folder.exists()
    with Simulator(once.scene) as simulator:
        (outcome,) = simulator.play([once.choices], [0])
    assert travel_times_s(once.scene, outcome).mean() == pytest.approx(once.mean_s[-1])


@pytest.mark.sumo
@pytest.mark.slow
def test_what_it_leaves_to_gain_is_measured(game: RoutingGame, tmp_path: Path) -> None:
    found = assign(game, game.scene, tmp_path / "scratch", 0, QUICK)
    profile = cross_check(found, game, resolve("tuned", {"net": game.scene.net}), 1)
    assert profile.epsilon_s >= 0.0
    assert profile.actions.tolist() == found.actions.tolist()
    few = resolve("tuned", {"net": game.scene.net, "search.exact_up_to": 3})
    assert np.isnan(cross_check(found, game, few, 1).epsilon_s)


@pytest.mark.sumo
def test_sumos_refusal_is_told_in_its_words_and_nothing_is_left(
    game: RoutingGame, tmp_path: Path
) -> None:
    broken = replace(game.scene, net=str(tmp_path / "absent.net.xml"))
    with pytest.raises(SimulatorError, match=r"duaIterate: Error.*absent\.net\.xml"):
        assign(game, broken, tmp_path / "scratch", 0, QUICK)
    assert not (tmp_path / "scratch").exists()


@pytest.mark.sumo
def test_it_is_ended_after_its_time(game: RoutingGame, tmp_path: Path) -> None:
    folder = tmp_path / "scratch"
    with pytest.raises(SimulatorError, match="not ready after 1 s"):
        assign(game, game.scene, folder, 0, DuaConfig(iterations=900, time_limit_s=1.0))
    assert not folder.exists()
    assert_no_process(folder)


def assert_no_process(folder: Path) -> None:
    deadline_s = time.monotonic() + 20.0
    while tool_processes(folder):
        assert time.monotonic() < deadline_s, tool_processes(folder)
        time.sleep(0.05)


@pytest.mark.sumo
@pytest.mark.slow
def test_nothing_of_it_outlives_its_parent(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tests.support.small_nets import QUIET, small_game, trips\n"
        "from trafficsim.references.duaiterate import DuaConfig, assign\n"
        "folder = Path(sys.argv[1])\n"
        "game = small_game(folder, trips(12, kind=QUIET))\n"
        "print('ready', flush=True)\n"
        "assign(game, game.scene, folder / 'scratch', 0, DuaConfig(iterations=900))\n"
    )
    folder = tmp_path / "scratch"
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        while not (folder / "001").exists():
            time.sleep(0.05)
        os.kill(parent.pid, signal.SIGKILL)
    assert_no_process(folder)


def test_a_missing_tool_is_named_with_what_to_install(
    game: RoutingGame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r'pip install "suggestion-sharing\[sumo\]"'):
        assign(game, game.scene, tmp_path / "scratch", 0, QUICK)


def bundled(name: str) -> RoutingGame:
    config = resolve("tuned", {"net": str(ROOT / f"data/nets/{name}.net.xml")})
    net = checked_net(config)
    demand = given_demand(config, net)
    assert demand is not None
    return game_of(config, net, demand)


def on_short_way(scene: Scene, choices: np.ndarray) -> int:
    return sum("neck" in scene.routes[route] for route in choices.tolist())


@pytest.mark.sumo
@pytest.mark.slow
def test_on_two_routes_means_of_a_quarter_of_an_hour_hide_the_queue(tmp_path: Path) -> None:
    game = bundled("two_route")
    found = assign(game, game.scene, tmp_path / "scratch", 0, DUA)
    profile = cross_check(found, game, resolve("tuned", {"net": game.scene.net}), 1)
    assert 76.0 < profile.times_s.mean() < 85.0  # the equilibrium: 76.9
    assert on_short_way(found.scene, found.choices) > 36  # as many as in the equilibrium
    assert profile.epsilon_s > 20.0  # no equilibrium among drivers
    short = np.array(["neck" in found.scene.routes[route] for route in found.choices])
    assert profile.times_s[short].mean() == pytest.approx(82.0, abs=4.0)  # but one of the means
