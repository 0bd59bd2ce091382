"""Which files a SUMO configuration (.sumocfg) names."""

from pathlib import Path

from ss_core.errors import InputError
from trafficsim.nets.safe_xml import SafeXml

ROOTS = frozenset({"configuration", "sumoConfiguration"})
TRUE = frozenset({"true", "t", "1", "yes", "on", "x"})  # as SUMO reads switches
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


LENIENT = "ignore-route-errors"  # osmWebWizard sets it


def named_files(path: Path) -> dict[str, str | bool]:
    """Settings `net`, `routes` and `additional` with paths as seen from here; lists have commas.

    Where the configuration ignores route errors, `ignore_route_errors`, too.

    Raises:
        InputError: no configuration of SUMO, or one without a net.
    """
    xml = SafeXml(path, "a SUMO configuration (.sumocfg)", roots=ROOTS)
    found: dict[str, str | bool] = {}

    def take(tag: str, attributes: dict[str, str], depth: int) -> None:
        given = attributes.get("value", attributes.get("v", ""))
        if depth > 1 and tag == LENIENT and given.lower() in TRUE:
            found["ignore_route_errors"] = True
        if depth > 1 and tag in SETTINGS:
            names = [name.strip() for name in given.replace(" ", ",").split(",") if name.strip()]
            if names:
                found[SETTINGS[tag]] = ",".join(str(path.parent / name) for name in names)

    xml.read(take)
    if "net" not in found:
        raise InputError(f"{path}: names no net (<net-file value=...>); give the net with --net")
    return found
