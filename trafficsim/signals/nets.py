"""Nets with traffic lights: those inside the installed sumo-rl by name, and checks of any other.

Nothing of sumo-rl is copied or imported here; its files are found where it is installed.
"""

import difflib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ss_core.errors import ConfigError, InputError
from trafficsim.nets.network import examine
from trafficsim.nets.read import read_records
from trafficsim.nets.safe_xml import SafeXml
from trafficsim.sumo.process import INSTALL

MIT = "MIT, part of sumo-rl"
NONCOMMERCIAL_3 = "CC BY-NC-SA 3.0 (RESCO, from the TAPAS Cologne scenario): no commercial use"
NONCOMMERCIAL_4 = "CC BY-NC-SA 4.0 (RESCO): no commercial use"
GPL = "GPL-3.0 (RESCO, from the InTAS scenario)"
DEMAND_ROOTS = frozenset({"routes", "trips", "additional"})
DEMAND_TAGS = {"vehicle", "trip", "flow"}
BESIDE = (".rou.xml", ".trips.xml")  # demand that is looked for where only a net is given
PROBLEMS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class NamedNet:
    """A net and its demand below sumo-rl's `nets` folder."""

    net: str
    routes: str
    licence: str = MIT
    begin_s: int = 0
    seconds: int = 600


def _resco(name: str, licence: str, begin_s: int = 0, suffix: str = "") -> NamedNet:
    path = f"RESCO/{name}/{name}"
    return NamedNet(f"{path}.net.xml", f"{path}{suffix}.rou.xml", licence, begin_s, 3600)


NETS = {
    "single-intersection": NamedNet(
        "single-intersection/single-intersection.net.xml",
        "single-intersection/single-intersection.rou.xml",
    ),
    "2way-single-intersection": NamedNet(
        "2way-single-intersection/single-intersection.net.xml",
        "2way-single-intersection/single-intersection-vhvh.rou.xml",
    ),
    "double": NamedNet("double/network.net.xml", "double/flow.rou.xml"),
    "2x2grid": NamedNet("2x2grid/2x2.net.xml", "2x2grid/2x2.rou.xml"),
    "3x3grid": NamedNet("3x3grid/3x3Grid2lanes.net.xml", "3x3grid/routes14000.rou.xml"),
    "4x4grid": NamedNet("4x4-Lucas/4x4.net.xml", "4x4-Lucas/4x4c1c2c1c2.rou.xml"),
    "4x4loop": NamedNet("4x4loop/4x4loop.net.xml", "4x4loop/4x4loop.rou.xml"),
    "grid4x4": _resco("grid4x4", NONCOMMERCIAL_4, suffix="_1"),
    "arterial4x4": _resco("arterial4x4", NONCOMMERCIAL_4, suffix="_1"),
    "cologne1": _resco("cologne1", NONCOMMERCIAL_3, 25200),
    "cologne3": _resco("cologne3", NONCOMMERCIAL_3, 25200),
    "cologne8": _resco("cologne8", NONCOMMERCIAL_3, 25200),
    "ingolstadt1": _resco("ingolstadt1", GPL, 57600),
    "ingolstadt7": _resco("ingolstadt7", GPL, 57600),
    "ingolstadt21": _resco("ingolstadt21", GPL, 57600),
}


def net_named(name: str) -> NamedNet:
    """The net of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in NETS:
        near = difflib.get_close_matches(name, NETS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ConfigError(f"scenario={name!r}: {hint}Known: {', '.join(NETS)}")
    return NETS[name]


def inside_sumo_rl(relative: str) -> Path:
    """A file of the installed sumo-rl.

    Raises:
        InputError: sumo-rl is not installed, or has no such file.
    """
    spec = find_spec("sumo_rl")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"traffic lights need sumo-rl, which is not installed; {INSTALL}")
    path = Path(spec.submodule_search_locations[0]) / "nets" / relative
    if not path.exists():
        raise InputError(f"{path}: this release of sumo-rl has no such file; {INSTALL}")
    return path


def demand_beside(net: Path) -> Path | None:
    """The demand that lies beside a net under the same name, if any."""
    stem = net.name.removesuffix(".xml").removesuffix(".net")
    beside = (net.with_name(stem + ending) for ending in BESIDE)
    return next((path for path in beside if path.is_file()), None)


def check_lights(net: Path) -> None:
    """Refuse a net that SUMO or sumo-rl could not use.

    Raises:
        InputError: unreadable, unphysical, or without traffic lights.
    """
    report = examine(read_records(net), str(net))
    if report.problems:
        rest = len(report.problems) - PROBLEMS_SHOWN
        more = f" and {rest} more: see `sstraffic net {net}`" if rest > 0 else ""
        raise InputError("; ".join(report.problems[:PROBLEMS_SHOWN]) + more)
    if not report.traffic_lights:
        raise InputError(
            f"{net}: has no traffic lights; `netconvert -s {net.name} --tls.guess -o lit.net.xml` "
            "adds some"
        )


def check_demand(path: Path) -> None:
    """Refuse a file that is no demand of SUMO's.

    Raises:
        InputError: missing, too large, not plain XML, or without any trip.
    """
    found: set[str] = set()
    xml = SafeXml(path, "SUMO's routes or trips", roots=DEMAND_ROOTS)
    xml.read(lambda tag, _attributes, _depth: found.add(tag))
    if not found & DEMAND_TAGS:
        raise InputError(f"{path}: no vehicle, trip or flow in it; give SUMO's routes or trips")
