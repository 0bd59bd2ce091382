"""Traffic lights on SUMO: sumo-rl's gaps bridged, copies side by side, deaths, the command."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from pettingzoo.test import parallel_api_test, parallel_seed_test

from cli.app import run
from cli.commands.traffic import cli as sstraffic
from ss_core.errors import InputError, SimulatorError
from ss_core.record.manifest import verify_run
from ss_core.resources import data_path
from ss_core.testing import check_env
from tests.support.grid_runs import tasks_here
from trafficsim.nets.catalogue import NETS, inside_sumo_rl
from trafficsim.signals import client as signal_client
from trafficsim.signals.client import SignalClient
from trafficsim.signals.env import SignalEnv, parallel_env
from trafficsim.signals.request import checked_scene
from trafficsim.signals.scene import SignalScene
from trafficsim.signals.vector_env import SignalVectorEnv

pytestmark = pytest.mark.sumo

ROOT = Path(__file__).parents[3]
SCENE = SignalScene(seconds=60)
TINY = (
    *("--scenario", "2x2grid", "--seconds", "60", "--budget", "2", "--episodes", "2"),
    *("--set", "learner.num_envs=1", "--set", "evaluations=1", "--workers", "1", "--quiet"),
)
WAITING = """
import sys
from trafficsim.signals.client import SignalClient
from trafficsim.signals.scene import SignalScene

scene = SignalScene(net=sys.argv[1], routes=sys.argv[2], seconds=100)
for program in ("agents", "fixed"):
    client = SignalClient(scene, program)
    client.reset(1, record=True)
    for step in range(scene.horizon):
        client.step([step // 3 % n for n in client.layout.action_counts])
    print(sum(client.measure()["trips"]["waitingTime"]))
    client.close()
"""
SHIM = """
from trafficsim.signals.child.bridge import import_sumo_rl
import_sumo_rl()
import sys
import sumo_rl, traci
made = sumo_rl.parallel_env(net_file=sys.argv[1], route_file=sys.argv[2], num_seconds=50)
made.reset(seed=1)
for _ in range(3):
    made.step({agent: 0 for agent in made.agents})
made.close()
assert "pyarrow" not in sys.modules
print("fine", file=sys.stderr)
"""


@pytest.fixture
def env() -> Iterator[SignalEnv]:
    with closing(parallel_env(scenario="2x2grid", seconds=60)) as made:
        yield made


def total_rewards(env: SignalEnv, seed: int, killed_at: int = -1) -> list[list[float]]:
    """Rewards of an episode in which the lights change now and then."""
    env.reset(seed=seed)
    rewards, step = [], 0
    while env.agents:
        if step == killed_at:
            os.kill(env.pid, signal.SIGKILL)
        _, earned, *_ = env.step(dict.fromkeys(env.agents, step // 3 % 4))
        rewards.append(list(earned.values()))
        step += 1
    return rewards


def test_sumo_rls_own_parallel_env_works_behind_the_shim() -> None:
    named = NETS["2x2grid"]
    files = [str(inside_sumo_rl(name)) for name in (named.net, named.demand[0])]
    done = subprocess.run(
        [sys.executable, "-c", SHIM, *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "fine" in done.stderr, done.stderr


def test_passes_pettingzoos_tests(env: SignalEnv) -> None:
    parallel_api_test(env, num_cycles=30)
    made: list[SignalEnv] = []

    def make() -> SignalEnv:
        made.append(parallel_env(scenario="2x2grid", seconds=60))
        return made[-1]

    parallel_seed_test(make, num_cycles=10)
    for each in made:
        each.close()


def test_copies_side_by_side_pass_the_examiner() -> None:
    scene = checked_scene("2x2grid", SCENE)
    with closing(SignalVectorEnv(scene, 2)) as env:
        check_env(env)


def test_same_seed_same_rewards_and_a_killed_sumo_changes_nothing(env: SignalEnv) -> None:
    whole = total_rewards(env, seed=3)
    assert len(whole) == SCENE.horizon
    assert total_rewards(env, seed=4) != whole
    first = env.pid
    assert total_rewards(env, seed=3, killed_at=7) == whole
    assert env.pid != first


def test_it_gives_up_on_a_sumo_that_dies_again_and_again(
    env: SignalEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    env.reset(seed=1)
    os.kill(env.pid, signal.SIGKILL)
    monkeypatch.setattr(signal_client, "SERVER", "trafficsim.no_such_server")
    with pytest.raises(SimulatorError, match="died 4 times"):
        env.step(dict.fromkeys(env.agents, 0))


def test_a_sumo_that_hangs_is_replaced() -> None:
    scene = checked_scene("2x2grid", SignalScene(seconds=60, watchdog_s=12))
    with closing(SignalEnv(scene)) as env:
        env.reset(seed=3)
        os.kill(env.pid, signal.SIGSTOP)
        hung = env.pid
        env.step(dict.fromkeys(env.agents, 0))
        assert env.pid != hung


def test_copies_side_by_side_know_their_neighbours() -> None:
    scene = checked_scene("2x2grid", SCENE)
    with closing(SignalVectorEnv(scene, 2)) as env:
        runs, step = [], env.reset(seed=5)
        for _ in range(2):
            step = env.reset(seed=5)
            rewards = []
            for t in range(SCENE.horizon):
                step = env.step(torch.full((2, 4), t % 4))
                rewards.append(step.rewards)
            assert bool(step.truncated.all())
            runs.append(torch.stack(rewards))
        assert torch.equal(runs[0], runs[1])
        assert not torch.equal(runs[0][:, 0], runs[0][:, 1])  # copies have seeds of their own
        assert step.neighbours is not None
        assert step.neighbours.sum(dim=-1).eq(2).all()


def test_actions_other_than_announced_are_played_as_given(env: SignalEnv) -> None:
    whole = total_rewards(env, seed=3)
    env.reset(seed=3)
    env.announce([1, 2, 3, 1])
    rewards = [list(env.step(dict.fromkeys(env.agents, 0))[1].values())]
    env.announce([0, 0, 0, 0])
    rewards.append(list(env.step(dict.fromkeys(env.agents, 0))[1].values()))
    assert rewards == whole[:2]


def test_demand_is_the_same_whoever_switches_the_lights() -> None:
    scene = checked_scene("2x2grid", SignalScene(seconds=120))
    trips: dict[str, Any] = {}
    for program in ("fixed", "actuated"):
        with closing(SignalClient(scene, program)) as client:
            client.reset(9, record=True)
            trips[program] = client.play()
    with closing(SignalClient(scene)) as client:
        client.reset(9, record=True)
        while not client.step([0, 0, 0, 0])["over"]:
            pass
        trips["agents"] = client.measure()
    assert len({tuple(sorted(found["ids"])) for found in trips.values()}) == 1
    assert len({sum(found["trips"]["waitingTime"]) for found in trips.values()}) == 3


def generated_net(folder: Path, kind: str) -> tuple[str, str]:
    """Four crossings whose lights are of a kind of SUMO's, and trips to and fro."""
    import sumo

    net, routes = folder / f"{kind}.net.xml", folder / "a.rou.xml"
    words = "--grid --grid.number 2 --grid.length 100 --grid.attach-length 100"
    words += f" --default-junction-type traffic_light --tls.default-type {kind}"
    done = subprocess.run(
        [f"{sumo.SUMO_HOME}/bin/netgenerate", *words.split(), "-o", str(net)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert net.read_text().count(f'type="{kind}" programID="0"') >= 4
    trips = "".join(
        f'<trip id="{n}" depart="{2 * n}" from="{way[0]}" to="{way[1]}"/>'
        for n in range(30)
        for way in [(("left0A0", "B1top1"), ("top0A1", "B0right0"))[n % 2]]
    )
    routes.write_text(f"<routes>{trips}</routes>")
    return str(net), str(routes)


def waiting_times_s(net: str, routes: str) -> list[str]:
    """Waiting of all trips where agents switch the lights, and where their own programs do."""
    done = subprocess.run(
        [sys.executable, "-c", WAITING, net, routes],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_agents_switch_any_kind_of_light_alike_and_its_own_program_stays(tmp_path: Path) -> None:
    kinds = ("static", "actuated", "delay_based")
    found = [waiting_times_s(*generated_net(tmp_path, kind)) for kind in kinds]
    by_agents, by_themselves = zip(*found, strict=True)
    assert len(set(by_agents)) == 1
    assert len(set(by_themselves)) == len(kinds)


def test_the_program_of_agents_overwrites_none_of_the_nets(tmp_path: Path) -> None:
    net, routes = generated_net(tmp_path, "actuated")
    text = Path(net).read_text()
    Path(net).write_text(text.replace('programID="0"', 'programID="ss"'))
    assert waiting_times_s(net, routes) == waiting_times_s(*generated_net(tmp_path, "actuated"))


def test_what_sumo_refuses_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.rou.xml"
    path.write_text('<routes><trip id="a" depart="0" from="x" to="y"/></routes>', encoding="utf-8")
    args = ["signals", *TINY, "--routes", str(path), "--out", str(tmp_path / "runs")]
    assert run(sstraffic, "sstraffic", args) == InputError.exit_code
    err = capsys.readouterr().err
    assert err.startswith("SS-E310")
    assert err.count("\n") == 1
    assert str(path) in err
    assert not (tmp_path / "runs").exists()


def test_the_command_leaves_a_whole_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    args = ["signals", *TINY, "--json", "--out", str(tmp_path)]
    with tasks_here():
        assert run(sstraffic, "sstraffic", args) == 0
    result = json.loads(capsys.readouterr().out)
    assert list(result["kpis"]) == ["fixed", "actuated", "independent", "ss"]
    assert result["bytes_by_kind"]["independent"] == {}
    assert result["bytes_by_kind"]["ss"]["suggestion"] > 0
    ((title, rows),) = result["tables"].items()
    assert title == "4 traffic lights, means over 2 held-out episodes"
    assert [*rows[0]][:2] == ["policy", "travel time s"]
    folder = Path(result["run_dir"])
    assert verify_run(folder) == []
    tables = {path.name for path in folder.rglob("traces/*")}
    assert {"run", "agent", "kpi", "trip"} <= tables
    assert {path.name for path in (folder / "tasks" / "ss" / "traces").iterdir()} == {
        "link",
        "message",
    }


def test_no_sumo_outlives_a_killed_parent() -> None:
    code = (
        "from trafficsim.signals.env import parallel_env; import time;"
        "e = parallel_env(scenario='2x2grid', seconds=60); e.reset(seed=1);"
        "print(e.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(50):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.1)
    pytest.fail(f"SUMO process {child} is still there")


def test_lights_of_a_single_phase_play_their_own_program(tmp_path: Path) -> None:
    routes = tmp_path / "one.rou.xml"
    routes.write_text('<routes><trip id="a" depart="0" from="A0A1" to="C1C2"/></routes>')
    net = data_path("nets/grid_3x3.net.xml")
    scene = SignalScene(net=str(net), routes=str(routes), seconds=20)
    with closing(SignalClient(scene, "fixed")) as client:
        client.reset(0, record=True)
        assert len(client.play()["ids"]) == 1
