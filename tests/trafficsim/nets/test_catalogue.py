"""Nets by name: those of the installed sumo-rl, used in place, each passing the preflight."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ss_core.errors import InputError
from ss_core.resources import data_path
from trafficsim.demand.read import read_demand
from trafficsim.nets import catalogue
from trafficsim.nets.catalogue import (
    NETS,
    inside_sumo_rl,
    is_named_net,
    net_file,
    net_named,
    shipped_nets,
)
from trafficsim.nets.network import examine
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import build_road_graph
from trafficsim.routing.config import RoutingConfig
from trafficsim.routing.inputs import checked_net, given_demand

SHIPPED = [
    *("braess.net.xml", "braess_shortcut.net.xml", "grid.net.xml", "grid_3x3.net.xml"),
    "two_route.net.xml",
]


@pytest.mark.sumo
@pytest.mark.parametrize("name", NETS)
def test_a_named_net_and_its_demand_pass_the_checks(name: str) -> None:
    found = net_named(name)
    net = inside_sumo_rl(found.net)
    assert "sumo_rl" in net.parts
    assert found.licence
    records = read_records(net)
    assert examine(records, name).problems == ()
    edges = build_road_graph(records).position
    for path in found.demand:
        demand = read_demand(
            inside_sumo_rl(path), kind="routes", edges=edges, rng=np.random.default_rng(0)
        )
        assert demand.trips


@pytest.mark.parametrize(
    ("name", "licence"),
    [
        ("resco:cologne8", "CC BY-NC-SA 3.0"),
        ("grid4x4", "CC BY-NC-SA 4.0"),
        ("Arterial4x4", "CC BY-NC-ND 4.0"),
        ("ingolstadt21", "GPL-3.0"),
        ("OW", "no licence file"),
        ("nguyen", "MIT"),
        ("2x2grid", "MIT"),
    ],
)
def test_a_licence_is_named(name: str, licence: str) -> None:
    assert is_named_net(name)
    assert licence in net_named(name).licence


@pytest.mark.sumo
def test_a_name_is_good_with_and_without_its_collection() -> None:
    assert net_named("cologne1") == net_named("resco:cologne1")
    net = inside_sumo_rl(net_named("cologne1").net)
    for name in ("cologne1", "resco:cologne1"):
        assert checked_net(RoutingConfig(net=name)).path == str(net.resolve())


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    assert not is_named_net("cologne2")
    with pytest.raises(InputError, match=r"neither a file nor a known name; near: .*cologne1"):
        net_named("cologne2")


def test_without_sumo_rl_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r'pip install "suggestion-sharing\[traffic\]"'):
        inside_sumo_rl(net_named("ow").net)


@pytest.mark.sumo
def test_a_net_is_found_without_importing_sumo_rl() -> None:
    code = (
        "import sys; from trafficsim.nets.catalogue import inside_sumo_rl; inside_sumo_rl('');"
        "sys.exit('sumo_rl' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    found = subprocess.run([sys.executable, "-c", code], check=False, cwd=root)
    assert found.returncode == 0


def test_a_bare_file_name_is_the_shipped_net_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [path.name for path in shipped_nets()] == SHIPPED
    for name in SHIPPED:
        assert net_file(name) == data_path("nets") / name


def test_a_shipped_net_is_used_with_its_trips_and_this_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = data_path("nets")
    bare, whole = (RoutingConfig(net=each) for each in ("grid.net.xml", f"{folder}/grid.net.xml"))
    net = checked_net(bare)
    assert net.path == str(folder / "grid.net.xml")
    assert net.notes[-1] == (
        "net grid.net.xml: no such file in this folder; the shipped net of that name was used"
    )
    assert checked_net(whole).notes == net.notes[:-1]
    demand = given_demand(bare, net)
    assert demand is not None
    assert demand == given_demand(whole, checked_net(whole))
    assert len(demand.trips) == 100


def test_a_file_of_that_name_in_the_folder_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    here = tmp_path / "grid.net.xml"
    here.write_bytes((data_path("nets") / "two_route.net.xml").read_bytes())
    net = checked_net(RoutingConfig(net="grid.net.xml"))
    assert net.path == str(here)
    assert not any("shipped" in note for note in net.notes)


@pytest.mark.parametrize("name", ["gird.net.xml", "nets/grid.net.xml", "grid.trips.xml"])
def test_a_file_that_is_missing_is_answered_with_the_shipped_nets(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=f"^{name}: No such file.*{', '.join(SHIPPED)}$"):
        checked_net(RoutingConfig(net=name))
