"""Files after public bug reports: plain `sumo` on them and our day of them agree.

The day is the one whose row is "as the demand file has it": nobody who decides has chosen anything
else than the file says, or SUMO on an empty road.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ss_core.errors import InputError
from tests.support.plain_sumo import Driven, driven
from trafficsim.demand.trips import Demand
from trafficsim.results.replay import write_replay
from trafficsim.routing.config import RoutingConfig, resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import checked_net, game_of, given_demand

pytestmark = pytest.mark.sumo
CASES = Path(__file__).parents[2] / "data/field_cases"


def files(name: str) -> dict[str, str]:
    net = CASES / f"{name}.net.xml"
    zones = CASES / f"{name}.taz.xml"
    found = {"net": str(net if net.exists() else CASES / "two_roads.net.xml")}
    found["routes"] = str(CASES / f"{name}.rou.xml")
    return found | ({"taz": str(zones)} if zones.exists() else {})


def game_and_demand(config: RoutingConfig) -> tuple[RoutingGame, Demand]:
    net = checked_net(config)
    demand = given_demand(config, net)
    assert demand is not None
    return game_of(config, net, demand), demand


def ours(folder: Path, game: RoutingGame, seed: int) -> Driven:
    """Our day with nobody choosing, as its replay drives it: SUMO's program on our files."""
    as_given = game.routes_of(np.zeros(game.num_drivers, dtype=np.int64))
    write_replay(folder / "replay", game.scene, {"as_given": as_given}, seed)
    return driven(folder, "-c", str(folder / "replay/as_given.sumocfg"), seed=seed)


def plain(folder: Path, name: str, seed: int) -> Driven:
    given = files(name)
    zones = ("-a", given["taz"]) if "taz" in given else ()
    return driven(folder, "-n", given["net"], "-r", given["routes"], *zones, seed=seed)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("37-via", {}),
        ("40-taz", {}),
        ("43-depart-attributes", {}),
        ("46-mixed-classes", {"classes": "taxi,evehicle"}),
        ("52-truck-ban", {}),
    ],
)
def test_our_day_is_that_of_plain_sumo(name: str, more: dict[str, str], tmp_path: Path) -> None:
    game, _ = game_and_demand(resolve("tuned", files(name) | more))
    differences_s = []
    for seed in range(8):  # who has which number of SUMO's random ones differs
        mine, theirs = ours(tmp_path, game, seed), plain(tmp_path, name, seed)
        assert mine.duration_s.keys() == theirs.duration_s.keys()
        assert mine.over("up2", "lo1") == theirs.over("up2", "lo1")
        differences_s.append(mine.mean_s - theirs.mean_s)
        if not game.scene.background:
            assert mine.duration_s == theirs.duration_s
    error_s = np.std(differences_s, ddof=1) / np.sqrt(len(differences_s))
    assert abs(np.mean(differences_s)) <= 3.0 * error_s + 0.01


def test_cars_go_over_the_road_of_the_report() -> None:
    counts = {}
    for name in ("37-via", "52-truck-ban"):
        game, _ = game_and_demand(resolve("tuned", files(name)))
        given = game.routes_of(np.zeros(game.num_drivers, dtype=np.int64))
        over = [edge for number in given for edge in game.scene.routes[number]]
        counts[name] = over.count("up2"), over.count("lo1")
    assert counts == {"37-via": (20, 0), "52-truck-ban": (0, 15)}  # five trucks are background


def test_who_may_decide_is_said_where_nobody_does() -> None:
    with pytest.raises(InputError, match=r"4 x bicycle, .* 4 x taxi.*name classes .* --classes"):
        game_and_demand(resolve("tuned", files("46-mixed-classes")))
    game, _ = game_and_demand(resolve("tuned", files("46-mixed-classes") | {"classes": "taxi"}))
    assert [game.scene.vehicle_ids[v][:4] for v in game.drivers] == ["taxi"] * 4


def test_random_flows_of_who_decides_are_drawn_once_as_sumo_draws_them(tmp_path: Path) -> None:
    """60 s at 0.2 a second: 12 +- 3.1; exp(0.1): 6 +- 2.4; a vehicle in 12 s: 5."""
    name = "34-flow-probability"
    game, demand = game_and_demand(resolve("tuned", files(name)))
    mine = ours(tmp_path, game, 0)
    drawn = Counter(vehicle.split(".")[0] for vehicle in mine.duration_s)
    assert demand.source.endswith(
        f"; drawn once, the same on all days: {drawn['p']} of random flow 'p', {drawn['e']} of "
        "random flow 'e'"
    )
    theirs = [plain(tmp_path, name, seed) for seed in range(12)]
    totals = [len(day.duration_s) for day in theirs]
    assert drawn["v"] == 5
    spread = 3.0 * np.sqrt(15.6)
    assert np.mean(totals) == pytest.approx(23.0, abs=spread / np.sqrt(len(totals)))
    assert len(mine.duration_s) == pytest.approx(23.0, abs=spread)
    assert mine.mean_s == pytest.approx(np.mean([d.mean_s for d in theirs]), rel=0.1)
    assert mine.over("up2", "lo1") == {"lo1": len(mine.duration_s)}
    draws = [
        len(game_and_demand(resolve("tuned", files(name) | {"seed": seed}))[1].trips)
        for seed in range(40)
    ]
    assert np.mean(draws) == pytest.approx(23.0, abs=3 * np.sqrt(15.6 / 40))


def test_random_flows_of_others_are_drawn_anew_each_day(tmp_path: Path) -> None:
    routes = tmp_path / "a.rou.xml"
    routes.write_text(
        '<routes><vType id="t" vClass="truck"/><flow id="p" type="t" begin="0" end="60" '
        'probability="0.2" from="in" to="out"/>'
        '<trip id="c" depart="60" from="in" to="out"/></routes>'
    )
    config = resolve("tuned", files("37-via") | {"routes": str(routes)})
    game, demand = game_and_demand(config)
    assert "drawn once" not in demand.source
    counts = []
    for seed in range(4):
        mine = ours(tmp_path, game, seed)
        theirs = driven(tmp_path, "-n", config.net, "-r", str(routes), seed=seed)
        assert mine.duration_s.keys() == theirs.duration_s.keys()
        counts.append(len(mine.duration_s))
    assert len({*counts}) > 1
