"""Nets made by SUMO's tools in many ways pass the preflight, and SUMO loads them."""

import subprocess
from pathlib import Path

import pytest

from ss_core.resources import data_path
from trafficsim.nets.catalogue import NETS, inside_sumo_rl
from trafficsim.nets.network import preflight

pytestmark = pytest.mark.sumo

NODES = """<nodes>
<location netOffset="-360000,-5640000" convBoundary="0,0,500,500" origBoundary="6.9,50.9,7,51"
    projParameter="+proj=utm +zone=32 +ellps=WGS84 +datum=WGS84 +units=m +no_defs"/>
<node id="a" x="0" y="0" type="traffic_light"/><node id="b" x="200" y="0" type="rail_signal"/>
<node id="c" x="200" y="200" type="zipper"/><node id="d" x="0" y="200" type="allway_stop"/>
<node id="e" x="-200" y="0"/><node id="f" x="400" y="0" type="rail_crossing"/>
<node id="g" x="600" y="0"/><node id="h" x="400" y="200"/><node id="i" x="400" y="-200"/>
</nodes>"""
TYPES = """<types><type id="street" priority="3" numLanes="2" speed="13.9"/>
<type id="rail" allow="rail" numLanes="1" speed="30"/></types>"""
STREETS = ["ab", "bc", "cd", "ad", "ae", "hf", "fi", "ch"]
STREETS += [name[::-1] for name in STREETS] + ["ac", "ca"]
RAILS = ["bf", "fb", "fg", "gf"]


def edges(function: str = "normal") -> str:
    streets = [
        f'<edge id="{a}{b}" from="{a}" to="{b}" type="street" sidewalkWidth="2" '
        f'function="{function if a + b == "ae" else "normal"}"/>'
        for a, b in STREETS
    ]
    rails = [f'<edge id="r{a}{b}" from="{a}" to="{b}" type="rail"/>' for a, b in RAILS]
    roundabout = '<roundabout nodes="a b c d" edges="ab bc cd da"/>'
    return f"<edges>{''.join(streets + rails)}{roundabout}</edges>"


def tool(name: str, *arguments: str) -> None:
    import sumo

    command = [f"{sumo.SUMO_HOME}/bin/{name}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-800:]


def assert_sumo_agrees(net: Path) -> None:
    report = preflight(net)
    assert report.problems == ()
    assert report.car_edges > 1
    tool("sumo", "-n", str(net), "--no-step-log", "--end", "1")


PLAIN = {
    "as it is": "",
    "crossings and walking areas": "--crossings.guess",
    "actuated lights": "--tls.guess --tls.default-type actuated",
    "nothing inside junctions": "--no-internal-links",
    "no turning round": "--no-turnarounds",
    "on the left": "--lefthand",
    "cycle lanes": "--bikelanes.guess",
    "joined junctions": "--junctions.join",
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("function", ["normal", "connector"])
def test_netconvert(tmp_path: Path, name: str, function: str) -> None:
    parts = {"nod": NODES, "edg": edges(function), "typ": TYPES}
    for suffix, text in parts.items():
        (tmp_path / f"p.{suffix}.xml").write_text(text)
    net = tmp_path / "p.net.xml"
    files = [f"--{kind}-files={tmp_path}/p.{kind[:3]}.xml" for kind in ("node", "edge", "type")]
    tool("netconvert", *files, "-o", str(net), *PLAIN[name].split())
    assert_sumo_agrees(net)


GENERATED = {
    "grid": "--grid",
    "grid without inner lanes": "--grid --no-internal-links",
    "grid with roads that end": "--grid --attach-length 50 --opposites.guess",
    "random": "--rand --rand.iterations 60 --seed 4",
    "random with lights": "--rand --rand.iterations 60 --rand.random-lanenumber --tls.guess "
    "--tls.default-type delay_based --turn-lanes 1",
    "spider": "--spider --spider.omit-center",
    "spider with walkers": "--spider --spider.omit-center --default.sidewalk-width 2 "
    "--crossings.guess",
}


@pytest.mark.parametrize("name", GENERATED)
def test_netgenerate(tmp_path: Path, name: str) -> None:
    net = tmp_path / "g.net.xml"
    tool("netgenerate", *GENERATED[name].split(), "-o", str(net))
    assert_sumo_agrees(net)


@pytest.mark.parametrize("name", NETS)
def test_nets_of_sumo_rl(name: str) -> None:
    assert_sumo_agrees(inside_sumo_rl(NETS[name].net))


def test_nets_of_this_project() -> None:
    for net in sorted(data_path("nets").glob("*.net.xml")):
        assert_sumo_agrees(net)
