"""Networks that a name is enough for: those of the installed sumo-rl, and the shipped ones.

The files of sumo-rl are used where they lie, each under its licence: several are not free enough to
be copied into other projects.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from ss_core.errors import InputError
from ss_core.resources import data_path

COLOGNE = "CC BY-NC-SA 3.0 (RESCO, from the TAPAS Cologne scenario)"
INGOLSTADT = "GPL-3.0 (RESCO, from the InTAS scenario)"
SYNTHETIC = "CC BY-NC-SA 4.0 (RESCO)"
CLASSIC = "no licence file of its own; part of sumo-rl, which is MIT-licensed"
MANY_CHOICES = "trips have three to four different ways"
SINGLE_CROSSING = "a single crossing: there is no choice of routes"
FEW_CHOICES = "most trips have a single way, so route choice has little to coordinate"


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedNet:
    """A net of sumo-rl and the demand files beside it."""

    name: str
    net: Path
    demand: tuple[Path, ...]  # trips and route files; the first is the one to take
    licence: str
    note: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a net lies below `sumo_rl/nets`."""

    net: str
    demand: tuple[str, ...]
    licence: str
    note: str


def _resco(name: str, licence: str, note: str, routes: str = "") -> _Entry:
    folder = f"RESCO/{name}"
    return _Entry(
        f"{folder}/{name}.net.xml", (f"{folder}/{routes or name}.rou.xml",), licence, note
    )


ENTRIES = {
    "ow": _Entry(
        "OW/OW.net.xml",
        ("OW/OW-nowait.rou.xml", "OW/OW-nowait-small.rou.xml", "OW/OW-nowait-single.rou.xml"),
        CLASSIC,
        f"Ortúzar and Willumsen's network, long roads; {MANY_CHOICES}",
    ),
    "nguyen": _Entry(
        "Nguyen/nguyentl.net.xml",
        ("Nguyen/nguyen.trips.xml", "Nguyen/nguyencontext.rou.xml", "Nguyen/nguyen.flows.xml"),
        CLASSIC,
        f"Nguyen and Dupuis' network; {MANY_CHOICES}",
    ),
    "resco:cologne1": _resco("cologne1", COLOGNE, SINGLE_CROSSING),
    "resco:cologne3": _resco("cologne3", COLOGNE, FEW_CHOICES),
    "resco:cologne8": _resco("cologne8", COLOGNE, FEW_CHOICES),
    "resco:ingolstadt1": _resco("ingolstadt1", INGOLSTADT, SINGLE_CROSSING),
    "resco:ingolstadt7": _resco("ingolstadt7", INGOLSTADT, FEW_CHOICES),
    "resco:ingolstadt21": _resco("ingolstadt21", INGOLSTADT, MANY_CHOICES),
    "resco:grid4x4": _resco("grid4x4", SYNTHETIC, MANY_CHOICES, "grid4x4_1"),
    "resco:arterial4x4": _resco(
        "arterial4x4", SYNTHETIC, "16 crossings with lights", "arterial4x4_1"
    ),
}


def net_names() -> tuple[str, ...]:
    """All names; those of RESCO may be given without `resco:`."""
    return tuple(ENTRIES)


def is_named_net(name: str) -> bool:
    """Whether `name` stands for a net of sumo-rl, be it installed or not."""
    return _full_name(name) in ENTRIES


def named_net(name: str) -> NamedNet:
    """The files of a net, found without importing sumo-rl (which wants SUMO_HOME).

    Raises:
        InputError: no such name, or sumo-rl is not installed.
    """
    full_name = _full_name(name)
    if full_name not in ENTRIES:
        short = [each.removeprefix("resco:") for each in ENTRIES]
        near = get_close_matches(name.lower().removeprefix("resco:"), short, n=3) or short
        raise InputError(
            f"net {name[:80]!r}: neither a file nor a known name; near: {', '.join(near)}"
        )
    entry = ENTRIES[full_name]
    folder = _nets_folder()
    if folder is None or not (folder / entry.net).is_file():
        raise InputError(
            f"net {name!r} comes with sumo-rl, which is not installed; "
            'pip install "suggestion-sharing[traffic]"'
        )
    return NamedNet(
        name=full_name,
        net=folder / entry.net,
        demand=tuple(folder / each for each in entry.demand),
        licence=entry.licence,
        note=entry.note,
    )


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
    return [f"{name}: {named_net(name).licence}"]


def _full_name(name: str) -> str:
    lower = name.lower()
    return lower if lower in ENTRIES else f"resco:{lower}"


def _nets_folder() -> Path | None:
    spec = find_spec("sumo_rl")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))) / "nets"
