"""Which files a SUMO configuration (.sumocfg) names."""

from pathlib import Path

from ss_core.errors import InputError
from trafficsim.nets.safe_xml import SafeXml

ROOTS = frozenset({"configuration", "sumoConfiguration"})
SETTINGS = {  # options of SUMO, in all their spellings, and our settings
    "net-file": "net",
    "net": "net",
    "n": "net",
    "route-files": "routes",
    "r": "routes",
    "additional-files": "additional",
    "additional": "additional",
    "a": "additional",
}


def named_files(path: Path) -> dict[str, str]:
    """Settings `net`, `routes` and `additional` with paths as seen from here; lists have commas.

    Raises:
        InputError: no configuration of SUMO, or one without a net.
    """
    xml = SafeXml(path, "a SUMO configuration (.sumocfg)", roots=ROOTS)
    found: dict[str, str] = {}

    def take(tag: str, attributes: dict[str, str], depth: int) -> None:
        if depth > 1 and tag in SETTINGS:
            given = attributes.get("value", attributes.get("v", ""))
            names = [name.strip() for name in given.replace(" ", ",").split(",") if name.strip()]
            if names:
                found[SETTINGS[tag]] = ",".join(str(path.parent / name) for name in names)

    xml.read(take)
    if "net" not in found:
        raise InputError(f"{path}: names no net (<net-file value=...>); give the net with --net")
    return found
