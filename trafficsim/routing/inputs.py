"""From what a user gives to a game: the net checked, demand read or drawn, once per run.

The demand of a run is stored in it as a SUMO route file, so that sub-tasks and later users of the
run need nothing but the net.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ss_core.errors import ConfigError, InputError
from ss_core.random_streams import Stream, numpy_generator
from ss_core.record.atomic import atomic_write, json_bytes, sha256_of
from trafficsim.demand.generate import generate_demand
from trafficsim.demand.read import DemandConfig, read_demand
from trafficsim.demand.trips import Demand, demand_file
from trafficsim.nets.catalogue import (
    inside_sumo_rl,
    is_named_net,
    net_file,
    net_named,
    origin_notes,
)
from trafficsim.nets.network import examine
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import RoadGraph, build_road_graph
from trafficsim.routing.config import RoutingConfig
from trafficsim.routing.game import RoutingGame, build_game, drivable
from trafficsim.signals.checks import check_lights
from trafficsim.sumo.simulation import Simulator, travel_times_s

DEMAND_FILE, BACKGROUND_FILE, FACTS_FILE = "demand.rou.xml", "background.add.xml", "inputs.json"
PROBLEMS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Net:
    """A net that passed the preflight."""

    path: str
    graph: RoadGraph
    notes: tuple[str, ...]


def net_path(config: RoutingConfig) -> Path:
    """The file that `net` names.

    Raises:
        InputError: neither a file, nor the file name of a shipped net, nor the name of a net.
    """
    if not config.net:
        raise ConfigError(
            "net: name a SUMO network, as in --net data/nets/grid.net.xml, or give a --sumocfg"
        )
    path = Path(config.net)
    if not path.exists() and (is_named_net(config.net) or not path.suffix):
        return inside_sumo_rl(net_named(config.net).net)
    return net_file(config.net)


def checked_net(config: RoutingConfig) -> Net:
    """Read and check the net.

    Raises:
        InputError: it cannot be used; one line per problem; or its lights are to learn, and it has
            none.
    """
    path = net_path(config)
    records = read_records(path)
    report = examine(records, str(path))
    if report.problems:
        shown = [*report.problems[:PROBLEMS_SHOWN]]
        more = len(report.problems) - len(shown)
        shown += [f"and {more} more"] if more else []
        raise InputError("\n  ".join([f"{path}: {len(report.problems)} problems", *shown]))
    if config.signals:
        inside_sumo_rl("")
        check_lights(path)
    notes = (*report.notes, *origin_notes(config.net, path))
    return Net(str(path.resolve()), build_road_graph(records, classes_of(config)), notes)


def given_demand(config: RoutingConfig, net: Net) -> Demand | None:
    """The demand of a file: one that was named, or the trips beside the net; None: draw it.

    Raises:
        InputError: it cannot be used; one line per problem.
    """
    kinds = {"trips": config.trips, "routes": config.routes, "od": config.od}
    for kind, name in kinds.items():
        if name:
            return _read(_listed(name), kind, config, net)
    path = Path(net.path)
    stem = path.name.removesuffix(".gz").removesuffix(".net.xml")
    for beside in (path.with_name(f"{stem}.trips.xml{end}") for end in ("", ".gz")):
        if beside.is_file():
            return _read([beside], "trips", config, net)
    return None


def classes_of(config: RoutingConfig) -> tuple[str, ...]:
    """Vehicle classes that decide."""
    return tuple(name.strip() for name in config.classes.split(",") if name.strip())


def _listed(names: str) -> list[Path]:
    return [Path(name.strip()) for name in names.split(",") if name.strip()]


def _read(paths: Sequence[Path], kind: str, config: RoutingConfig, net: Net) -> Demand:
    demand = read_demand(
        paths,
        kind=kind,  # type: ignore[arg-type]
        edges=net.graph.position,
        taz=_listed(config.taz),
        additional=_listed(config.additional),
        rng=numpy_generator(config.seed, Stream.DEMAND),
        config=DemandConfig(
            classes=classes_of(config), ignore_route_errors=config.ignore_route_errors
        ),
        graph=net.graph,
    )
    return drivable(demand, net.graph) if config.ignore_route_errors else demand


def drawn_demand(config: RoutingConfig, net: Net, tell: Callable[[str], None]) -> Demand:
    """Demand drawn for a bare net; SUMO is asked how much is enough."""

    def congestion(demand: Demand) -> float:
        game = _game(replace(config, share=1.0), net, demand)
        if not game.num_drivers:
            return 1.0
        with Simulator(game.scene) as simulator:
            chosen = game.routes_of(np.zeros(game.num_drivers, dtype=np.int64))
            (outcome,) = simulator.play([chosen], [0])
        level = travel_times_s(game.scene, outcome).mean() / game.free_flow_s[chosen].mean()
        tell(f"level of demand: {level:.2f} x the empty road's time")
        return float(level)

    rng = numpy_generator(config.seed, Stream.DEMAND)
    return generate_demand(net.graph, config.generator, config.candidates, rng, congestion)


def keep_inputs(
    config: RoutingConfig,
    net: Net,
    given: Demand | None,
    folder: Path,
    tell: Callable[[str], None],
) -> Demand:
    """Store the demand and the net's checksum, or check that they are the ones a run began with.

    Raises:
        ConfigError: a file has changed since.
    """
    facts = {"net": Path(net.path).name, "net_sha256": sha256_of(Path(net.path))}
    kept = folder / FACTS_FILE
    if not kept.exists():
        demand = drawn_demand(config, net, tell) if given is None else given
        atomic_write(folder / DEMAND_FILE, demand_file(demand).encode())
        if demand.background:
            atomic_write(folder / BACKGROUND_FILE, demand.background.encode())
            facts["background_begin_s"] = str(demand.background_begin_s)
        atomic_write(kept, json_bytes(facts | {"demand": demand.source}))
    known = _facts(folder)
    if known["net_sha256"] != facts["net_sha256"]:
        raise ConfigError(
            f"{net.path}: differs from the net this run began with; "
            "put that one back, or start anew with --resume never"
        )
    stored = stored_demand(config, net, folder)
    if given is not None and (
        demand_file(given).encode() != (folder / DEMAND_FILE).read_bytes()
        or given.background != stored.background
    ):
        raise ConfigError(
            f"{given.source}: differs from what this run began with ({folder / DEMAND_FILE}); put "
            "that one back, or start anew with --resume never"
        )
    return replace(stored, source=known["demand"])


def _facts(folder: Path) -> dict[str, str]:
    return json.loads((folder / FACTS_FILE).read_text())


def stored_demand(config: RoutingConfig, net: Net, folder: Path) -> Demand:
    """The demand a run keeps."""
    demand = read_demand(
        folder / DEMAND_FILE,
        kind="routes",
        edges=net.graph.position,
        rng=numpy_generator(config.seed, Stream.DEMAND),
        config=DemandConfig(classes=classes_of(config)),
    )
    if not (folder / BACKGROUND_FILE).exists():
        return demand
    begin_s = float(_facts(folder)["background_begin_s"])
    background = (folder / BACKGROUND_FILE).read_text()
    return replace(demand, background=background, background_begin_s=begin_s)


def load_game(config: RoutingConfig, folder: Path) -> RoutingGame:
    """The game of a run, from its stored inputs: a function of configuration and files."""
    net = checked_net(config)
    return _game(config, net, stored_demand(config, net, folder))


def game_of(config: RoutingConfig, net: Net, demand: Demand) -> RoutingGame:
    """The game of a checked net and a demand."""
    return _game(config, net, demand)


def _game(config: RoutingConfig, net: Net, demand: Demand) -> RoutingGame:
    return build_game(
        net.path,
        net.graph,
        demand,
        candidates=config.candidates,
        sumo=config.sumo,
        share=config.share,
        ignores_route_errors=config.ignore_route_errors,
        rng=numpy_generator(config.seed, Stream.ADOPTERS),
    )
