"""Lights of every kind of SUMO's learn; a SUMO that does not get on is named, with its light."""

import re
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from cli.app import run
from cli.commands.traffic import cli as sstraffic
from ss_core.errors import InputError, SimulatorError
from tests.support.grid_runs import tasks_here
from trafficsim.nets.network import preflight
from trafficsim.signals import client as signal_client
from trafficsim.signals.client import SignalClient
from trafficsim.signals.env import SignalEnv
from trafficsim.signals.scene import SignalScene

pytestmark = pytest.mark.sumo

LIGHT = r'<tlLogic id="{}".*?</tlLogic>'
TINY = (
    *("--seconds", "60", "--budget", "1", "--episodes", "2", "--no-report", "--quiet"),
    *("--set", "learner.num_envs=1", "--set", "evaluations=1", "--workers", "1"),
)
RAILWAY = (
    '<nodes><node id="w" x="-200" y="0"/><node id="c" x="0" y="0" type="rail_crossing"/>'
    '<node id="e" x="200" y="0" type="traffic_light"/><node id="f" x="400" y="0"/>'
    '<node id="n" x="200" y="200"/><node id="s" x="200" y="-200"/><node id="r" x="0" y="-400"/>'
    '<node id="m" x="0" y="-200" type="rail_signal"/><node id="t" x="0" y="200"/></nodes>',
    '<edges><edge id="wc" from="w" to="c"/><edge id="ce" from="c" to="e"/>'
    '<edge id="ef" from="e" to="f"/><edge id="ne" from="n" to="e"/><edge id="es" from="e" to="s"/>'
    '<edge id="r1" from="r" to="m" allow="rail"/><edge id="r2" from="m" to="c" allow="rail"/>'
    '<edge id="r3" from="c" to="t" allow="rail"/></edges>',
)


def sumo_tool(name: str, *words: str) -> None:
    import sumo

    done = subprocess.run(
        [f"{sumo.SUMO_HOME}/bin/{name}", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def grid(folder: Path, kind: str, *more: str) -> Path:
    """Four crossings whose lights are of a kind of SUMO's."""
    net = folder / f"{kind}.net.xml"
    words = "--grid --grid.number 2 --grid.length 100 --grid.attach-length 100 -j traffic_light"
    sumo_tool("netgenerate", *words.split(), "--tls.default-type", kind, *more, "-o", str(net))
    return net


def demand(folder: Path) -> Path:
    routes = folder / "a.rou.xml"
    trips = "".join(
        f'<trip id="{n}" depart="{2 * n}" from="{way[0]}" to="{way[1]}"/>'
        for n in range(30)
        for way in [(("left0A0", "B1top1"), ("top0A1", "B0right0"))[n % 2]]
    )
    routes.write_text(f"<routes>{trips}</routes>")
    return routes


def mixed(folder: Path) -> Path:
    """One crossing of each kind."""
    kinds = {"A0": "actuated", "A1": "delay_based", "B0": "NEMA"}
    text = grid(folder, "static").read_text()
    for name, kind in kinds.items():
        found = re.search(LIGHT.format(name), grid(folder, kind).read_text(), re.DOTALL)
        assert found is not None
        whole = found[0]
        text = re.sub(LIGHT.format(name), lambda _, new=whole: new, text, flags=re.DOTALL)
    net = folder / "mixed.net.xml"
    net.write_text(text)
    return net


def trained(net: Path, out: Path, *more: str) -> int:
    with tasks_here():
        args = ["signals", "--net", str(net), *TINY, *more, "--out", str(out)]
        return run(sstraffic, "sstraffic", args)


@pytest.mark.parametrize("kind", ["actuated", "delay_based", "NEMA"])
def test_lights_of_a_kind_learn_with_crossings_for_pedestrians(tmp_path: Path, kind: str) -> None:
    more = ["--crossings.guess", "--sidewalks.guess"] if kind != "NEMA" else []
    assert trained(grid(tmp_path, kind, *more), tmp_path / "runs") == 0


def test_drivers_and_lights_of_all_kinds_learn_together(tmp_path: Path) -> None:
    words = ["run", "--net", str(mixed(tmp_path)), "--drivers-and-signals", "--drivers", "8"]
    words += ["--budget", "1", "--days", "2", "--no-report", "--quiet", "--workers", "1"]
    for name, value in {
        "learner.num_envs": 1,
        "sumo.longest_s": 100,
        "trial_days": 2,
        "evaluations": 1,
        "search.days": 2,
    }.items():
        words += ["--set", f"{name}={value}"]
    with tasks_here():
        assert run(sstraffic, "sstraffic", [*words, "--out", str(tmp_path / "runs")]) == 0


def test_agents_of_a_nema_light_have_the_greens_that_it_shows_itself(tmp_path: Path) -> None:
    routes = str(demand(tmp_path))
    counts = {}
    for kind in ("static", "NEMA"):
        scene = SignalScene(net=str(grid(tmp_path, kind)), routes=routes, seconds=30)
        with closing(SignalClient(scene)) as client:
            counts[kind] = client.layout.action_counts
    assert counts["NEMA"] == counts["static"]  # straight and right with the oncoming traffic


def test_signals_and_crossings_of_railways_are_nobodys_to_switch(tmp_path: Path) -> None:
    nodes, edges, net = (tmp_path / name for name in ("a.nod.xml", "a.edg.xml", "a.net.xml"))
    nodes.write_text(RAILWAY[0])
    edges.write_text(RAILWAY[1])
    sumo_tool("netconvert", "-n", str(nodes), "-e", str(edges), "-o", str(net))
    assert preflight(net).traffic_lights >= 1
    routes = tmp_path / "a.rou.xml"
    routes.write_text(
        '<routes><vType id="tr" vClass="rail"/><trip id="t" type="tr" depart="0" from="r1" '
        'to="r3"/><trip id="a" depart="1" from="wc" to="ef"/></routes>'
    )
    scene = SignalScene(net=str(net), routes=str(routes), seconds=60)
    with closing(SignalClient(scene)) as client:
        assert client.layout.agents == ("e",)
        client.reset(0, record=True)
        while not client.step([0])["over"]:
            pass
        assert sorted(client.measure()["ids"]) == ["a", "t"]
    assert trained(net, tmp_path / "runs", "--routes", str(routes)) == 0


def test_lights_that_are_off_are_refused_and_the_remedy_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = grid(tmp_path, "off")  # SUMO itself ends without a word on it
    assert trained(net, tmp_path / "runs") == InputError.exit_code
    said = capsys.readouterr().err
    assert f"{net}:" in said
    remedy = re.search(r"netconvert (-s NET --tls\.unset \S+ -o \S+)`", said)
    assert remedy is not None, said
    mended = tmp_path / "without.net.xml"
    words = remedy[1].replace("NET", str(net)).replace("without.net.xml", str(mended))
    sumo_tool("netconvert", *words.split())
    assert preflight(mended).problems == ()
    assert trained(mended, tmp_path / "runs") == InputError.exit_code
    assert "has no traffic lights" in capsys.readouterr().err


# a SUMO that does not get on


@pytest.fixture
def actuated(tmp_path: Path) -> SignalScene:
    net, routes = grid(tmp_path, "actuated"), demand(tmp_path)
    return SignalScene(net=str(net), routes=str(routes), seconds=60, stall_s=2)


def rewards(env: SignalEnv) -> list[list[float]]:
    env.reset(seed=3)
    earned, step = [], 0
    while env.agents:
        actions = {a: step // 3 % int(env.action_space(a).n) for a in env.agents}  # type: ignore[attr-defined]
        earned.append(list(env.step(actions)[1].values()))
        step += 1
    return earned


def test_where_libsumo_does_not_get_on_the_same_episode_is_played_over_traci(
    actuated: SignalScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SignalEnv(actuated)) as env:
        expected = rewards(env)
    monkeypatch.setattr(signal_client, "SERVER", "tests.support.overwriting_lights")
    with closing(SignalEnv(actuated)) as env:
        hung = env.pid
        assert rewards(env) == expected
        assert env.pid != hung
        assert rewards(env) == expected


def test_a_stuck_sumo_is_named_with_its_light_and_the_remedy_works(
    actuated: SignalScene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal_client, "SERVER", "tests.support.stuck_lights")
    with closing(SignalEnv(actuated)) as env, pytest.raises(SimulatorError) as stuck:
        rewards(env)
    said = str(stuck.value)
    assert "no progress in second 15, neither in libsumo nor over TraCI" in said
    assert "lights about to change: 'A0'" in said
    remedy = re.search(r"\(netconvert (-s \S+ --tls\.unset A0 -o) without\.net\.xml\)", said)
    assert remedy is not None, said
    mended = str(tmp_path / "without.net.xml")
    sumo_tool("netconvert", *remedy[1].split(), mended)
    without = SignalScene(net=mended, routes=actuated.routes, seconds=60, stall_s=2)
    with closing(SignalEnv(without)) as env:
        assert len(rewards(env)) == without.horizon


def test_by_default_a_stuck_light_is_named_within_twenty_seconds() -> None:
    """Two tries, each with a start of SUMO; what is measured here is settings, not this machine."""
    start_s = 3.0
    assert signal_client.STALLS * (SignalScene().stall_s + start_s) <= 20.0


def test_nothing_is_left_of_a_sumo_over_traci(
    actuated: SignalScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signal_client, "SERVER", "tests.support.overwriting_lights")
    with closing(SignalEnv(actuated)) as env:
        rewards(env)
        (program,) = children_of(env.pid)  # SUMO's own
    for _ in range(50):
        if not is_running(program):
            return
        time.sleep(0.1)
    pytest.fail(f"process {program} is still there")


def stat_of(pid: int) -> list[str]:
    """State, parent and so on; nothing of a process that has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_running(pid: int) -> bool:
    return stat_of(pid)[:1] not in ([], ["Z"])


def children_of(pid: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")]
    return [each for each in pids if stat_of(each)[1:2] == [str(pid)] and is_running(each)]
