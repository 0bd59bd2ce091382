"""Checks of nets and demand for traffic lights, before SUMO and sumo-rl see them."""

from pathlib import Path

from ss_core.errors import InputError
from trafficsim.nets.network import examine
from trafficsim.nets.read import read_records
from trafficsim.nets.safe_xml import SafeXml

DEMAND_ROOTS = frozenset({"routes", "trips", "additional"})
DEMAND_TAGS = {"vehicle", "trip", "flow"}
BESIDE = (".rou.xml", ".trips.xml")  # demand that is looked for where only a net is given
PROBLEMS_SHOWN = 3


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
