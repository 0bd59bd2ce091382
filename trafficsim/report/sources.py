"""What a traffic run was made from: its net, with its licence."""

from pathlib import Path
from typing import Any

from ss_core.analysis.about import Source
from ss_core.analysis.run_data import RunData
from ss_core.record.atomic import sha256_of
from trafficsim.nets.catalogue import SHIPPED, is_named_net, net_named, shipped_nets
from trafficsim.routing.inputs import FACTS_FILE

SUMO_RL = "https://github.com/LucasAlegre/sumo-rl"


def run_sources(run: RunData, *, named: bool) -> list[Source]:
    """The net; a file of the user's own bears its name only if `named`."""
    scene: Any = run.config.get("scene", {})
    name = str(run.config.get("scenario") or scene.get("net") or run.config.get("net") or "")
    if is_named_net(name):
        return [Source(f"net {name}, from sumo-rl", net_named(name).licence, SUMO_RL)]
    known = {sha256_of(path): path.name for path in shipped_nets()}
    shipped = known.get(_net_sha256(run))
    if shipped:
        return [Source(f"net {shipped}, of Suggestion Sharing", SHIPPED)]
    return [Source(f"net {Path(name).name}" if named else "a net of the user's own")]


def _net_sha256(run: RunData) -> str:
    """Of the net's file as the run began with it; "" where it is not kept."""
    kept = run.facts(f"inputs/{FACTS_FILE}")
    return str(run.config.get("net_sha256") or kept.get("net_sha256", ""))
