"""How the frozen feeders of this folder were made from networks that ship inside pandapower.

Run from the repository root: `python -m data.feeders.build`. Using the feeders does not need it.
"""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import pandapower
import pandapower.networks

from gridsim.network.feeder import save_feeder
from gridsim.network.pandapower_io import compile_feeder, read_net

FOLDER = Path(__file__).resolve().parent
SEED = 20260101  # the Vorstadt creator draws its cable types at random
KEPT_TABLES = ("bus", "load", "ext_grid", "line", "trafo", "switch")
KEPT_SETTINGS = ("name", "version", "format_version", "f_hz", "sn_mva")


def schutterwald_area(load_count: int) -> Any:
    """The area of the real town of Schutterwald with that many house connections."""
    areas: Any = pandapower.networks.lv_schutterwald(separation_by_sub=True)
    return next(area for area in areas if len(area.load) == load_count)


def kerber_vorstadt() -> Any:
    """Kerber's suburb with 146 house connections, its random cable types drawn once and for all."""
    state = random.getstate()
    random.seed(SEED)
    try:
        return pandapower.networks.create_kerber_vorstadtnetz_kabel_1()
    finally:
        random.setstate(state)


def freeze(net: Any, name: str) -> None:
    """Write `name`.json (tables only, readable by pandapower) and `name`.npz (compiled)."""
    net.name = name
    if "geo" in net.line.columns:
        net.line["geo"] = None
    content = json.loads(pandapower.to_json(net))
    content["_object"] = {
        key: value
        for key, value in content["_object"].items()
        if key in KEPT_SETTINGS or (key in KEPT_TABLES and len(net[key]))
    }
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    save_feeder(compile_feeder(read_net(path), name), FOLDER / f"{name}.npz")


def write_checksums() -> None:
    """SHA-256 of every data file, in the format of `sha256sum`."""
    files = sorted([*FOLDER.glob("*.json"), *FOLDER.glob("*.npz")])
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in files]
    (FOLDER / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    freeze(pandapower.networks.create_kerber_dorfnetz(), "kerber_dorfnetz")
    freeze(schutterwald_area(56), "schutterwald_56")
    freeze(kerber_vorstadt(), "kerber_146")
    write_checksums()
