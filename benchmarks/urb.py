"""The core task of the Urban Routing Benchmark (URB): a fleet among humans who have settled.

    .venv/bin/python benchmarks/urb.py FOLDER --town saint_arnoult --seeds 5

FOLDER holds a town: `NAME.net.xml` (or .gz), and URB's `NAME.agents.csv` with its origins and
destinations (`NAME.od.txt`), or else `NAME.trips.xml` (or .gz). For every seed

1. all drivers settle by successive averages, day after day in SUMO (`--human-days`);
2. a share of those with a choice, drawn by the seed, becomes the fleet and learns by suggestion
   sharing (`sstraffic run --share`); all others keep their settled routes;
3. settled routes (`t_pre`), the fleet, a fleet that learns selfishly, and references are driven on
   the same held-out days.

It differs from URB as RouteRL runs it: routes are ours, up to four by link penalties, not JanuX's;
humans go by link times of the day before (a share of 1/(k+1) changes on day k; best responses where
there are at most 120), where RouteRL's learn from their own trips by Gawron's rule and draw by a
logit; the fleet is drawn from those with a choice; a figure is the mean over held-out days with
other random numbers, each trip counted from its planned departure with 300 s for a teleport; the
fleet learns on a public link model and drives few days in SUMO. Costs of training (c_all, c_HDV,
c_CAV) are not measured: most days are the model's.

Minutes: t_pre (all, before), t_test (all, after), t_CAV and t_HDV (fleet, humans, after), each of
these two with what the same drivers needed before. d_V, km/h, and d_l, km: mean speed and mileage
of the fleet, after less before, on the first held-out day. WR: share of seeds in which the fleet
needs less than t_pre; WR_own: less than the same drivers before. PoA is that of the fleet's game:
total time at its equilibrium over the best found. `days`: driven in SUMO while the fleet learned.
Runs are kept in `--out`, a line of each in TOWN/urb.tsv. One that was stopped goes on.
"""

import argparse
import ast
import csv
import os
import time
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

BEFORE, FLEET, SELFISH = "as_given", "ss", "independent"
COLUMNS = ("vehicle_id", "is_agent", "day", "travel_time_s", "route_length_m")
LARGEST_BYTES = 64 * 2**20
PRINTED = (
    *("t_pre", "t_test", "t_CAV", "t_CAV_pre", "t_CAV_selfish", "t_HDV", "t_HDV_pre", "t_best"),
    *("d_V", "d_l", "PoA", "no_dilemma", "fleet", "days", "wall_s"),
)


def file_of(folder: Path, town: str, *ends: str) -> Path | None:
    """The first of a town's files that is there; `agents.csv` of a folder of one town, too."""
    names = [f"{town}.{end}" for end in ends] + list(ends)
    return next((folder / each for each in names if (folder / each).is_file()), None)


def town_of(folder: Path, asked: str | None) -> tuple[str, Path]:
    """Name and net of the town."""
    from ss_core.errors import InputError

    nets = {path.name.split(".net.xml")[0]: path for path in sorted(folder.glob("*.net.xml*"))}
    if asked is None and len(nets) == 1:
        asked = next(iter(nets))
    if asked not in nets:
        found = ", ".join(nets) or "no .net.xml"
        raise InputError(f"{folder}: name one town with --town ({found})")
    return asked, nets[asked]


def text_of(path: Path) -> str:
    """A small file's text."""
    from ss_core.errors import InputError

    if path.stat().st_size > LARGEST_BYTES:
        raise InputError(f"{path}: larger than {LARGEST_BYTES >> 20} MB; is it URB's file?")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text; take the file as URB has it") from error


def od_lists(path: Path) -> tuple[list[str], list[str]]:
    """Edges of origins and destinations; the file is read as literals, nothing in it is run."""
    from ss_core.errors import InputError

    try:
        found = ast.literal_eval(text_of(path))
        lists = [found[name] for name in ("origins", "destinations")]
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise InputError(
            f"{path}: not a mapping of 'origins' and 'destinations' ({type(error).__name__}); "
            "take the file as URB has it"
        ) from error
    for each in lists:
        if not isinstance(each, list) or not all(isinstance(edge, str) for edge in each):
            raise InputError(f"{path}: origins and destinations are lists of edge ids")
    return lists[0], lists[1]


def agents_as_trips(agents: Path, od: Path) -> tuple[Any, ...]:
    """A trip of every agent, in URB's order of departure."""
    from ss_core.errors import InputError
    from trafficsim.demand.trips import Trip

    origins, destinations = od_lists(od)
    trips = []
    for number, row in enumerate(csv.DictReader(text_of(agents).splitlines()), start=2):
        try:
            ends = int(row["origin"]), int(row["destination"])
            if min(ends) < 0:
                raise IndexError
            edges = origins[ends[0]], destinations[ends[1]]
            trips.append(Trip(f"a{int(row['id'])}", float(row["start_time"]), *edges))
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise InputError(
                f"{agents}:{number}: needs id, start_time in seconds, and origin and destination "
                f"as positions in the lists of {od.name}"
            ) from error
    return tuple(sorted(trips, key=lambda trip: trip.depart_s))


def demand_of(folder: Path, town: str, out: Path) -> Path:
    """A trips file: URB's agents written as one, or the one that is there."""
    from ss_core.errors import InputError
    from ss_core.record.atomic import atomic_write
    from trafficsim.demand.trips import Demand, demand_file

    agents = file_of(folder, town, "agents.csv")
    od = file_of(folder, town, "od.txt") or file_of(folder, f"od_{town}", "txt")
    if agents is not None and od is not None:
        demand = Demand(agents_as_trips(agents, od), source=f"{agents.name}, {od.name}")
        path = out / f"{town}.trips.xml"
        atomic_write(path, demand_file(demand).encode())
        return path
    trips = file_of(folder, town, "trips.xml", "trips.xml.gz")
    if trips is None:
        raise InputError(f"{folder}: neither {town}.agents.csv and {town}.od.txt nor trips")
    return trips


def settle(net: Path, trips: Path, seed: int, days: int, to: Path) -> dict[str, Any]:
    """Write the routes on which humans have settled; how well, and on how many days."""
    from dataclasses import replace

    import numpy as np

    from ss_core.random_streams import Stream, numpy_generator
    from ss_core.record.atomic import atomic_write
    from trafficsim.demand.trips import demand_file
    from trafficsim.references.references import equilibrium
    from trafficsim.routing.config import resolve
    from trafficsim.routing.inputs import checked_net, game_of, given_demand
    from trafficsim.sumo.simulation import Simulator

    asked = {"net": str(net), "trips": str(trips), "seed": seed, "ignore_route_errors": True}
    config = resolve("tuned", asked | {"search.msa_iterations": days})
    checked = checked_net(config)
    demand = given_demand(config, checked)
    assert demand is not None
    game = game_of(config, checked, demand)
    shortest = np.zeros(game.num_drivers, dtype=np.int64)
    rng = numpy_generator(seed, Stream.EQUILIBRIUM)
    with Simulator(game.scene, 1) as simulator:
        found = equilibrium(game, simulator, shortest, config, rng, lambda _: None)
    routes = [game.scene.routes[number] for number in game.routes_of(found.actions)]
    settled = [replace(t, route=r) for t, r in zip(demand.trips, routes, strict=True)]
    source = f"{demand.source}; settled by {found.method}"
    atomic_write(to, demand_file(replace(demand, trips=tuple(settled), source=source)).encode())
    return {"humans": found.method, "human_days": found.simulations, "vehicles": len(routes)}


def figures(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """URB's metrics of a finished run."""
    from ss_core.analysis.run_data import RunData
    from trafficsim.routing.modelled import ModelledConfig, days_in_sumo

    run = RunData(folder)
    rows = {name: run.table("trip", COLUMNS, {"algorithm": name}) for name in result["kpis"]}
    minutes = {
        (name, who): float(part["travel_time_s"].mean()) / 60.0
        for name, trips in rows.items()
        for who, part in (
            ("all", trips),
            ("fleet", trips[trips["is_agent"]]),
            ("humans", trips[~trips["is_agent"]]),
        )
    }
    before = BEFORE if BEFORE in rows else "all_shortest"  # settled on the shortest roads
    speeds, lengths = zip(*(_driven(rows[name]) for name in (before, FLEET)), strict=True)
    modelled, learner = ModelledConfig(**run.config["modelled"]), run.config["learner"]
    vehicles = rows[FLEET]["vehicle_id"].nunique()
    first, later = (
        min(days_in_sumo(modelled, vehicles, first=first), learner["num_envs"])
        for first in (True, False)
    )
    return {
        "t_pre": minutes[before, "all"],
        "t_test": minutes[FLEET, "all"],
        "t_CAV": minutes[FLEET, "fleet"],
        "t_CAV_pre": minutes[before, "fleet"],
        "t_CAV_selfish": minutes.get((SELFISH, "fleet"), float("nan")),
        "t_HDV": minutes[FLEET, "humans"],
        "t_HDV_pre": minutes[before, "humans"],
        "t_best": minutes["optimum", "all"],
        "t_UE": minutes["user_equilibrium", "all"],
        "d_V": speeds[1] - speeds[0],
        "d_l": lengths[1] - lengths[0],
        "PoA": result["price_of_anarchy"],
        "no_dilemma": any(note.startswith("no dilemma") for note in result["notes"]),
        "fleet": int(rows[FLEET].groupby("vehicle_id")["is_agent"].first().sum()),
        "days": first + later * (learner["num_updates"] - 1),
        "recommended": result.get("recommendation", {}).get("row", ""),
    }


def _driven(trips: Any) -> tuple[float, float]:
    """Mean speed in km/h and mean length in km of the fleet on the first held-out day."""
    day = trips[trips["is_agent"] & (trips["day"] == trips["day"].min())].dropna()
    km, hours = day["route_length_m"] / 1000.0, day["travel_time_s"] / 3600.0
    return float((km / hours).mean()), float(km.mean())


def one(town: str, net: Path, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """A seed: settle, learn, measure; a run that was stopped goes on."""
    from ss_core.config import parse_assignment
    from ss_core.scenario.run import run_scenario

    def progress(task: str, done: float, total: float, note: str) -> None:
        if done in (0, total):
            print(f"  seed {seed} {task} {note}", flush=True)

    began = time.perf_counter()
    out = args.out / town / f"seed-{seed}"
    out.mkdir(parents=True, exist_ok=True)
    routes = out / "settled.rou.xml"
    trips = demand_of(args.folder, town, out)
    facts = settle(net, trips, seed, args.human_days, routes)
    overrides = {"net": str(net), "routes": str(routes), "share": args.share, "seed": seed}
    overrides |= {"workers": args.workers, "evaluations": 1, "evaluation_days": 1}
    overrides |= dict(map(parse_assignment, args.set))
    request = {"preset": "tuned", "overrides": overrides, "origins": {}, "resume": "auto"}
    request |= {"out": str(out), "dry_run": False}
    result = run_scenario("trafficsim.scenario:SCENARIO", request, progress)
    row = {"town": town, "seed": seed, **facts, **figures(Path(result["run_dir"]), result)}
    return row | {"wall_s": time.perf_counter() - began}


def report(rows: list[dict[str, Any]]) -> str:
    """A line of every seed and of their means; then the win rates."""
    lines = [" ".join(f"{each:>13}" for each in ("seed", *PRINTED))]
    mean = {"seed": "mean"} | {k: sum(row[k] for row in rows) / len(rows) for k in PRINTED}
    lines += [
        " ".join(f"{_shown(row[k]):>13}" for k in ("seed", *PRINTED)) for row in [*rows, mean]
    ]
    wins = sum(row["t_CAV"] < row["t_pre"] for row in rows)
    own = sum(row["t_CAV"] < row["t_CAV_pre"] for row in rows)
    share = 100.0 / len(rows)
    return "\n".join([*lines, f"WR {share * wins:.0f} %, WR_own {share * own:.0f} %"])


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def main() -> None:
    """Run the seeds, print and keep their metrics."""
    from ss_core.errors import SuggestionSharingError
    from ss_core.record.atomic import atomic_write

    as_written = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--town", help="which, where the folder holds several")
    parser.add_argument("--share", type=float, default=0.4, help="of those with a choice")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=100, help="settings: seeds 0 to 4")
    parser.add_argument("--human-days", type=int, default=30)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("runs/urb"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    try:
        town, net = town_of(args.folder, args.town)
        rows = []
        for seed in range(args.first_seed, args.first_seed + args.seeds):
            rows.append(one(town, net, seed, args))
            text = ["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]
            atomic_write(args.out / town / "urb.tsv", "\n".join([*text, ""]).encode())
            print(report(rows), flush=True)
    except SuggestionSharingError as error:
        parser.exit(2, f"{error}\n")


if __name__ == "__main__":
    main()
