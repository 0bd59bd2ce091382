"""Nets by name: those of the installed sumo-rl, used in place, each passing the preflight."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ss_core.errors import InputError
from trafficsim import named_nets
from trafficsim.demand_xml import read_demand
from trafficsim.named_nets import is_named_net, named_net, net_names
from trafficsim.net_xml import read_records
from trafficsim.network import examine
from trafficsim.road_graph import build_road_graph


@pytest.mark.sumo
@pytest.mark.parametrize("name", net_names())
def test_a_named_net_and_its_demand_pass_the_checks(name: str) -> None:
    found = named_net(name)
    assert "sumo_rl" in found.net.parts
    assert found.licence
    records = read_records(found.net)
    assert examine(records, name).problems == ()
    edges = build_road_graph(records).position
    for path in found.demand:
        demand = read_demand(path, kind="routes", edges=edges, rng=np.random.default_rng(0))
        assert demand.trips


@pytest.mark.sumo
@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("resco:cologne8", "CC BY-NC-SA 3.0"),
        ("grid4x4", "CC BY-NC-SA 4.0"),
        ("Arterial4x4", "CC BY-NC-SA 4.0"),
        ("ingolstadt21", "GPL-3.0"),
        ("OW", "no licence file"),
        ("nguyen", "MIT"),
    ],
)
def test_a_licence_is_named(name: str, licence: str) -> None:
    assert is_named_net(name)
    assert licence in named_net(name).licence


@pytest.mark.sumo
def test_a_name_is_good_with_and_without_its_collection() -> None:
    assert named_net("cologne1") == named_net("resco:cologne1")


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    assert not is_named_net("cologne2")
    with pytest.raises(InputError, match=r"neither a file nor a known name; near: .*cologne1"):
        named_net("cologne2")


def test_without_sumo_rl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(named_nets, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r'pip install "suggestion-sharing\[traffic\]"'):
        named_net("ow")


@pytest.mark.sumo
def test_a_net_is_found_without_importing_sumo_rl() -> None:
    code = (
        "import sys; from trafficsim.named_nets import named_net; named_net('ow');"
        "sys.exit('sumo_rl' in sys.modules)"
    )
    root = Path(__file__).parents[2]
    found = subprocess.run([sys.executable, "-c", code], check=False, cwd=root)
    assert found.returncode == 0
