"""Networks that a name is enough for: those of the installed sumo-rl, and the shipped ones.

The files of sumo-rl are used where they lie, each under its licence: several are not free enough to
be copied into other projects. Nothing of sumo-rl is imported here (it wants SUMO_HOME).
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from ss_core.errors import InputError
from ss_core.resources import data_path, install_command

# the wheel of sumo-rl holds its own licence alone; those of RESCO's nets lie in both repositories
SHIPPED = "Apache-2.0"
SUMO_RL = "MIT, as part of sumo-rl; no licence file of its own"
COLOGNE = "CC BY-NC-SA 3.0 (RESCO, from the TAPAS Cologne scenario): no commercial use"
INGOLSTADT = "GPL-3.0 (RESCO, from the InTAS scenario)"
GRID = "CC BY-NC-SA 4.0 (RESCO): no commercial use"
ARTERIAL = "CC BY-NC-ND 4.0 (RESCO): no commercial use, no changed copies"
MANY_CHOICES = "trips have three to four different ways"
TRAFFIC = "traffic"  # the extra with SUMO as a library
PROGRAMS = "sumo"  # the extra with its programs: duarouter, netconvert, netedit, sumo-gui
SINGLE_CROSSING = "a single crossing: there is no choice of routes"
FEW_CHOICES = "most trips have a single way, so route choice has little to coordinate"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedNet:
    """A net of sumo-rl and the demand files beside it, as paths for `inside_sumo_rl`."""

    net: str
    demand: tuple[str, ...]  # trips and route files; the first is the one to take
    licence: str
    note: str
    begin_s: int = 0  # when its demand begins,
    seconds: int = 600  # and how much of it makes an episode of traffic lights


def _own(net: str, *demand: str, note: str) -> NamedNet:
    folder = net.split("/")[0]
    files = tuple(f"{folder}/{name}" for name in demand)
    return NamedNet(net=net, demand=files, licence=SUMO_RL, note=note)


def _resco(name: str, licence: str, note: str, *, begin_s: int = 0, suffix: str = "") -> NamedNet:
    path = f"RESCO/{name}/{name}"
    return NamedNet(
        net=f"{path}.net.xml",
        demand=(f"{path}{suffix}.rou.xml",),
        licence=licence,
        note=note,
        begin_s=begin_s,
        seconds=3600,
    )


NETS = {
    "ow": _own(
        "OW/OW.net.xml",
        *("OW-nowait.rou.xml", "OW-nowait-small.rou.xml", "OW-nowait-single.rou.xml"),
        note=f"Ortúzar and Willumsen's network, long roads; {MANY_CHOICES}",
    ),
    "nguyen": _own(
        "Nguyen/nguyentl.net.xml",
        *("nguyen.trips.xml", "nguyencontext.rou.xml", "nguyen.flows.xml"),
        note=f"Nguyen and Dupuis' network; {MANY_CHOICES}",
    ),
    "single-intersection": _own(
        "single-intersection/single-intersection.net.xml",
        "single-intersection.rou.xml",
        note=SINGLE_CROSSING,
    ),
    "2way-single-intersection": _own(
        "2way-single-intersection/single-intersection.net.xml",
        "single-intersection-vhvh.rou.xml",
        note=SINGLE_CROSSING,
    ),
    "double": _own("double/network.net.xml", "flow.rou.xml", note="2 crossings with lights"),
    "2x2grid": _own("2x2grid/2x2.net.xml", "2x2.rou.xml", note="4 crossings with lights"),
    "3x3grid": _own(
        "3x3grid/3x3Grid2lanes.net.xml", "routes14000.rou.xml", note="9 crossings with lights"
    ),
    "4x4grid": _own(
        "4x4-Lucas/4x4.net.xml", "4x4c1c2c1c2.rou.xml", note="16 crossings with lights"
    ),
    "4x4loop": _own("4x4loop/4x4loop.net.xml", "4x4loop.rou.xml", note="16 crossings with lights"),
    "resco:cologne1": _resco("cologne1", COLOGNE, SINGLE_CROSSING, begin_s=25200),
    "resco:cologne3": _resco("cologne3", COLOGNE, FEW_CHOICES, begin_s=25200),
    "resco:cologne8": _resco("cologne8", COLOGNE, FEW_CHOICES, begin_s=25200),
    "resco:ingolstadt1": _resco("ingolstadt1", INGOLSTADT, SINGLE_CROSSING, begin_s=57600),
    "resco:ingolstadt7": _resco("ingolstadt7", INGOLSTADT, FEW_CHOICES, begin_s=57600),
    "resco:ingolstadt21": _resco("ingolstadt21", INGOLSTADT, MANY_CHOICES, begin_s=57600),
    "resco:grid4x4": _resco("grid4x4", GRID, MANY_CHOICES, suffix="_1"),
    "resco:arterial4x4": _resco("arterial4x4", ARTERIAL, "16 crossings with lights", suffix="_1"),
}


def is_named_net(name: str) -> bool:
    """Whether `name` stands for a net of sumo-rl, be it installed or not."""
    return _full_name(name) in NETS


def net_named(name: str) -> NamedNet:
    """The net of that name, in any case; those of RESCO also without `resco:`.

    Raises:
        InputError: no such name; the nearest are given.
    """
    full_name = _full_name(name)
    if full_name not in NETS:
        short = [each.removeprefix("resco:") for each in NETS]
        near = get_close_matches(name.lower().removeprefix("resco:"), short, n=3) or short
        raise InputError(
            f"net {name[:80]!r}: neither a file nor a known name; near: {', '.join(near)}"
        )
    return NETS[full_name]


def inside_sumo_rl(relative: str) -> Path:
    """A file below the `nets` of the installed sumo-rl; "" is that folder.

    Raises:
        InputError: sumo-rl is not installed, or has no such file.
    """
    spec = find_spec("sumo_rl")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "sumo-rl, which has its own nets and simulates traffic lights, is not installed; "
            + install_command(TRAFFIC)
        )
    path = Path(spec.submodule_search_locations[0]) / "nets" / relative
    if not path.exists():
        raise InputError(
            f"{path}: this release of sumo-rl has no such file; {install_command(TRAFFIC)}"
        )
    return path


def shipped_nets() -> tuple[Path, ...]:
    """The nets under `data/nets`."""
    return tuple(sorted(data_path("nets").glob("*.net.xml")))


def net_file(name: str) -> Path:
    """The file `name`, or the shipped net of that bare file name if there is no such file.

    Raises:
        InputError: there is neither.
    """
    path = Path(name)
    try:
        path.stat()
    except FileNotFoundError as error:
        shipped = {each.name: each for each in shipped_nets()}
        if name not in shipped:
            raise InputError(
                f"{path}: {error.strerror}; give a SUMO network that exists, or one of those "
                f"shipped: {', '.join(shipped)}"
            ) from error
        return shipped[name]
    except (OSError, ValueError):
        pass  # whoever reads the file says what is wrong with it
    return path


def origin_notes(name: str, path: Path) -> list[str]:
    """Where the net at `path` comes from, if it is not the very file `name`."""
    if path == Path(name):
        return []
    if path.name == name:
        return [f"net {name}: no such file in this folder; the shipped net of that name was used"]
    return [
        f"net {name}: loaded from the installed sumo-rl, never copied; {net_named(name).licence}"
    ]


def _full_name(name: str) -> str:
    lower = name.lower()
    return lower if lower in NETS else f"resco:{lower}"
