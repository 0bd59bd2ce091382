"""Drivers and traffic lights in one environment, and a run with both from the command line."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from jaxtyping import Int
from torch import Tensor

from ss_core.algorithms.build import build_learner
from ss_core.env import Step, VectorEnv
from ss_core.record.manifest import verify_run
from ss_core.resources import data_path
from ss_core.testing import check_env
from tests.support.grid_runs import run_here
from tests.support.small_nets import NOISY
from tests.support.traffic_runs import only_run, sstraffic_run, two_routes
from trafficsim.demand.trips import Demand, Trip
from trafficsim.nets.catalogue import NETS, inside_sumo_rl
from trafficsim.routing.config import resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import checked_net, game_of
from trafficsim.routing.joint import JointEnv, day_file, drive_jointly, light_scene, recorded
from trafficsim.signals.client import SignalClient
from trafficsim.sumo.recording import as_arrays, from_arrays
from trafficsim.sumo.simulation import Simulator, travel_times_s

pytestmark = pytest.mark.sumo

NET = str(data_path("nets") / "grid_3x3.net.xml")
TINY = (
    *("--net", NET, "--drivers-and-signals", "--drivers", "12", "--budget", "2", "--days", "1"),
    *("--set", "sumo.longest_s=60", "--set", "learner.num_envs=1", "--set", "evaluations=1"),
    *("--set", "evaluation_days=1", "--set", "search.optimum_simulations=2"),
    *("--set", "search.max_sweeps=1", "--seed", "1"),
    *("--set", "search.days=2", "--set", "search.deviations=2", "--set", "search.draws=2"),
    *("--set", "search.model_days=400", "--set", "search.candidates=2"),
)
Patch = pytest.MonkeyPatch
Streams = pytest.CaptureFixture[str]


def game_between(
    net_file: str, ends: Sequence[tuple[str, str]], longest_s: float = 90.0
) -> RoutingGame:
    """Six drivers that leave at second 100 and later."""
    asked = {"net": net_file, "signals": True, "sumo.longest_s": longest_s}
    config = resolve("tuned", asked)
    net = checked_net(config)
    trips = [Trip(f"v{n}", 100.0 + 4.0 * n, *ends[n % len(ends)], "car") for n in range(6)]
    return game_of(config, net, Demand(tuple(trips), (NOISY,)))


@pytest.fixture(scope="module")
def game() -> RoutingGame:
    """A grid with lights; the last drivers do not arrive before the day ends."""
    return game_between(NET, [("A0A1", "B2C2"), ("A0B0", "C1C2")])


@pytest.fixture
def env(game: RoutingGame) -> Iterator[JointEnv]:
    with closing(JointEnv(game, 2, num_neighbours=2)) as made:
        yield made


def test_it_passes_the_examiner(env: JointEnv) -> None:
    check_env(env)


def drawn(step: Step, rng: np.random.Generator) -> Int[Tensor, "E N"]:
    """A legal action of everybody."""
    assert step.action_mask is not None
    return torch.from_numpy(
        (rng.random(step.action_mask.shape) * step.action_mask.numpy()).argmax(-1)
    )


def played(env: JointEnv, seed: int, killed_at: int = -1) -> list[Step]:
    """All steps of an episode with legal actions."""
    steps, rng = [env.reset(seed)], np.random.default_rng(1)
    for time in range(env.spec.horizon):
        if time == killed_at:
            os.kill(env.pids[0], signal.SIGKILL)
        steps.append(env.step(drawn(steps[-1], rng)))
    return steps


def test_drivers_choose_first_and_lights_afterwards(env: JointEnv, game: RoutingGame) -> None:
    assert isinstance(env, VectorEnv)
    n = game.num_drivers
    steps = played(env, seed=3)
    assert len(env.lights) == env.spec.num_agents - n > 0
    masks = [step.action_mask for step in steps]
    counts = torch.stack([mask.sum(dim=-1) for mask in masks if mask is not None])
    assert torch.equal(counts[0, 0, :n], torch.from_numpy(game.legal.sum(axis=1)))
    assert counts[0, :, n:].eq(1).all()
    assert counts[1:-1, :, :n].eq(1).all()
    assert counts[1:-1, :, n:].max() == 2  # corners of this grid have one phase
    assert torch.equal(counts[-1], counts[0])  # the next day
    ended = torch.stack([step.terminated for step in steps])
    assert ended[-1].all()
    assert not ended[:-1].any()
    assert torch.stack([step.rewards for step in steps[:-1]])[:, :, :n].eq(0).all()
    assert steps[-1].rewards[:, :n].lt(0).all()
    assert steps[0].observations[..., 0].eq(torch.tensor([0.0] * n + [1.0] * len(env.lights))).all()
    assert steps[2].observations[:, n:, 1:].sum() > 0
    near = steps[0].neighbours
    assert near is not None
    assert not near[:, :n, n:].any()
    assert not near[:, n:, :n].any()
    assert near[0, n:, n:].any()
    assert near[0, :n, :n].sum(dim=-1).eq(2).all()


def test_same_seed_same_days_and_a_killed_sumo_changes_nothing(env: JointEnv) -> None:
    whole, first = played(env, seed=3), env.pids[0]
    again = played(env, seed=3, killed_at=12)
    assert env.pids[0] != first
    other = played(env, seed=4)
    assert all(torch.equal(a.rewards, b.rewards) for a, b in zip(whole, again, strict=True))
    assert all(
        torch.equal(a.next_observations, b.next_observations)
        for a, b in zip(whole, again, strict=True)
    )
    assert not all(torch.equal(a.rewards, b.rewards) for a, b in zip(whole, other, strict=True))


def test_drivers_and_the_lights_on_their_routes_are_neighbours_on_request(
    game: RoutingGame,
) -> None:
    n = game.num_drivers
    with closing(JointEnv(game, 1, num_neighbours=2, across=True)) as env:
        near = env.reset(3).neighbours
        again = env.reset(4).neighbours
        assert near is not None
        assert again is not None
        assert torch.equal(near[0, :n, n:], near[0, n:, :n].T)
        assert near[0, n:, :n].sum(dim=1).max() == 2
        assert not torch.equal(near, again)  # of those who may pass, others on another day
        lights = [name.removeprefix("light/") for name in env.lights]
        for driver, light in torch.nonzero(near[0, :n, n:]).tolist():
            routes = [game.scene.routes[r] for r in game.driver_options[driver] if r >= 0]
            assert any(edge.endswith(lights[light]) for route in routes for edge in route)


def test_a_reward_is_the_time_that_sumo_wrote_down(env: JointEnv, game: RoutingGame) -> None:
    asked: list[dict[str, Any]] = []
    client = env._clients[0]
    measure = client.measure

    def keep() -> dict[str, Any]:
        asked.append(measure())
        return asked[-1]

    client.measure = keep
    steps = played(env, seed=3)
    unit_s = game.fastest_s[game.drivers].mean() / 4.0
    written = dict(zip(asked[0]["ids"], range(6), strict=True))
    for driver, vehicle in enumerate(game.drivers):
        row = written[game.scene.vehicle_ids[vehicle]]
        trip = {name: values[row] for name, values in asked[0]["trips"].items()}
        took_s = trip["duration"] + trip["departDelay"]
        late = trip["arrival"] < 0
        expected_s = game.scene.cap_s - game.scene.depart_s[vehicle] if late else took_s
        assert -steps[-1].rewards[0, driver].item() * unit_s == pytest.approx(expected_s, rel=1e-5)


def test_under_the_nets_own_programs_both_simulations_give_the_same_day(tmp_path: Path) -> None:
    """So that learned rows and references differ by what was decided, not by how it is measured."""
    net = str(inside_sumo_rl(NETS["2x2grid"].net))
    game = game_between(net, [("h13", "-v13"), ("-v11", "v11")], longest_s=600.0)
    chosen = game.routes_of(np.ones((1, game.num_drivers), dtype=np.int64))[0]
    with Simulator(game.scene) as simulator:
        (outcome,) = simulator.play([chosen], [5])
    routes = tmp_path / "day.rou.xml"
    routes.write_text(day_file(game.scene, chosen))
    with closing(SignalClient(light_scene(game.scene), "fixed")) as client:
        client.reset(5, record=True, routes=str(routes))
        measured = recorded(game.scene, client.play())
    assert outcome.finished.all()
    here_s, there_s = (travel_times_s(game.scene, o) for o in (measured.outcome, outcome))
    assert np.array_equal(here_s, there_s)


def test_unfinished_trips_and_teleports_are_charged(game: RoutingGame) -> None:
    names = game.scene.vehicle_ids
    trips = {"depart": [100.0, 104.0, -1.0], "arrival": [150.0, -1.0, -1.0]}
    trips |= dict.fromkeys(("departDelay", "timeLoss", "waitingTime", "routeLength"), [1.0] * 3)
    told = {"ids": list(names[:3]), "trips": trips, "teleported": [1, 0, 0], "collisions": 2}
    found = recorded(game.scene, told | {"end_s": 215.0})
    late_s = game.scene.cap_s - game.scene.depart_s[1:]
    assert travel_times_s(game.scene, found.outcome).tolist() == [350.0, *late_s]
    assert np.isnan(found.trip["timeLoss"]).tolist() == [False, False, True, True, True, True]
    again = from_arrays(as_arrays(found))
    assert again.outcome.collisions == 2
    np.testing.assert_equal(as_arrays(again), as_arrays(found))


def test_days_are_driven_in_batches(env: JointEnv) -> None:
    learner = build_learner(resolve("tuned", {"net": NET, "signals": True}).learner, env.spec, 0)
    days = drive_jointly(env, learner.actors, [7, 8, 9], torch.Generator().manual_seed(1))
    assert days.actions.shape == (3, env.game.num_drivers)
    assert days.times_s.shape == (3, len(env.game.od))
    times_s = [travel_times_s(env.game.scene, day.outcome) for day in days.recordings]
    assert np.array_equal(np.stack(times_s), days.times_s)


@pytest.mark.slow
def test_a_run_trains_both_and_says_what_comes_from_where(
    monkeypatch: Patch, tmp_path: Path, capsys: Streams
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)
    assert sstraffic_run(*TINY, "--json", quick=False) == 0
    result = json.loads(capsys.readouterr().out)
    (table,) = result["tables"].values()
    rows = {row["policy"]: row for row in table}
    learned = rows["SS (suggestions only), lights learned"]
    assert learned["CO2 kg"] == ""
    assert learned["kB exchanged/driver"] == ""
    assert learned["time loss s"] > 0
    assert rows["user equilibrium (UE)"]["CO2 kg"] > 0
    assert "selfish, learned, lights learned" in rows
    assert any("joint simulation" in note for note in result["notes"])
    assert verify_run(only_run(Path("runs"))) == []
    agents = pq.read_table(only_run(Path("runs")) / "traces" / "agent")
    assert agents["kind"].to_pylist().count("junction") == 9


def test_refusals_are_one_line_each(tmp_path: Path, monkeypatch: Patch, capsys: Streams) -> None:
    monkeypatch.chdir(tmp_path)
    net = two_routes(tmp_path)
    assert sstraffic_run("--net", net, "--drivers-and-signals") == 3
    assert "no traffic lights" in capsys.readouterr().err
    for other in ("--en-route", "--meso"):
        assert sstraffic_run("--net", NET, "--drivers-and-signals", other) == 3
        assert f"leave {other[2:].replace('-', '_')} out" in capsys.readouterr().err
    assert not Path("runs").exists()
