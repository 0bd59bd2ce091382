"""How far the public link model is from SUMO: shipped nets and nets made by `netgenerate`.

    .venv/bin/python benchmarks/link_model.py --seed 100

On each net drivers choose at random on some days; the model is fitted to the vehicles counted on
links there. Then, on common seeds, one driver at a time changes its route, from a random joint
choice and from one where nobody gains by changing alone on the model. Compared are drivers' mean
times on days not fitted to, what a change does to the mover and to all others together, and the
processor time of a day. Correlations are printed as they are and, for effects on others, also
divided by what noise of SUMO's own days leaves possible.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from numpy import ndarray

from trafficsim.link_model.calibration import CalibrationConfig, calibrate, public_days
from trafficsim.link_model.model import LinkModel
from trafficsim.routing.config import resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import checked_net, game_of, given_demand, keep_inputs
from trafficsim.sumo.simulation import Outcome, Simulator, travel_times_s

SHIPPED = ("two_route", "braess", "grid")
BLOCKS = "--grid --grid.number 4 --grid.length 180"
WEB = "--spider --spider.arm-number 6 --spider.circle-number 3 --spider.space-radius 150"
WILD = "--rand --rand.iterations 60"
LIGHTS = "-j traffic_light"
GENERATED = {
    "grid-plain": BLOCKS,
    "grid-wide": "--grid --grid.x-number 5 --grid.y-number 3 --grid.length 150 -L 2",
    "grid-lights": f"{BLOCKS} {LIGHTS}",
    "grid-actuated": f"{BLOCKS} {LIGHTS} --tls.default-type actuated",
    "grid-rbl": f"{BLOCKS} -j right_before_left",
    "spider": WEB,
    "spider-lights": f"{WEB} {LIGHTS}",
    "random": WILD,
    "random-wide": f"{WILD} -L 2",
    "random-lights": f"{WILD} {LIGHTS}",
}
FITTED, FRESH, DRAWS = 40, 40, 32


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of one net."""

    net: str
    drivers: int
    level_s: float  # mean travel time on fresh days in SUMO
    model_level_s: float
    times_r: float  # drivers' mean times
    own_r: float
    others_r: float
    others_slope: float  # SUMO's effect over the model's
    others_ceiling: float  # correlation that a perfect model would have, given SUMO's noise
    speed_ratio: float
    changes: int


def generated(name: str, seed: int, folder: Path) -> Path:
    """A net file made by SUMO's own tool."""
    import sumo

    net = folder / f"{name}-{seed}.net.xml"
    if not net.exists():
        tool = Path(sumo.SUMO_HOME) / "bin" / "netgenerate"
        words = [str(tool), *GENERATED[name].split(), "--seed", str(seed), "-o", str(net)]
        subprocess.run(words, check=True, capture_output=True)
    return net


def game_on(net: Path, seed: int, drivers: int, folder: Path) -> RoutingGame:
    """Demand beside the net, or drawn once and kept."""
    config = resolve("tuned", {"net": str(net), "seed": seed, "drivers": drivers})
    checked = checked_net(config)
    folder.mkdir(parents=True, exist_ok=True)
    demand = keep_inputs(config, checked, given_demand(config, checked), folder, lambda _: None)
    return game_of(config, checked, demand)


def times(game: RoutingGame, outcomes: list[Outcome]) -> ndarray:
    return np.stack([travel_times_s(game.scene, each) for each in outcomes])


def selfish(model: LinkModel, game: RoutingGame, seed: int, sweeps: int = 8) -> ndarray:
    """Best responses on the model, in order of departure."""
    noise, drivers = model.noise(16, seed, 1), game.drivers
    actions = np.zeros(game.num_drivers, dtype=np.int64)
    nobody = np.zeros((1, 0), dtype=np.int64)
    for _ in range(sweeps):
        before = actions.copy()
        for at in np.argsort(game.depart_s, kind="stable").tolist():
            options = game.driver_options[at : at + 1]
            routes = game.routes_of(actions)
            found = model.alternatives(routes, drivers[at : at + 1], options, nobody, noise)
            gains = np.where(options[0] >= 0, found.own_s[0], np.inf)
            if gains.min() < -0.5:
                actions[at] = int(gains.argmin())
        if np.array_equal(before, actions):
            break
    return actions


def measured(name: str, game: RoutingGame, seed: int, changes: int, days: int) -> Accuracy:
    rng = np.random.default_rng([seed, 1])
    counts = game.option_count[game.drivers]
    rows = np.stack([rng.integers(counts) for _ in range(FITTED + FRESH)])
    model = LinkModel.of(game.scene)
    with Simulator(game.scene) as simulator:
        simulator.play([game.routes_of(rows[0])], [1])  # start SUMO
        seeds = rng.integers(2**31 - 1, size=len(rows)).tolist()
        began_s = time.perf_counter()
        outcomes = simulator.play(list(game.routes_of(rows)), seeds)
        sumo_s = (time.perf_counter() - began_s) / len(rows)
        fitted = public_days(game.scene.watched, game.routes_of(rows[:FITTED]), outcomes[:FITTED])
        fit = calibrate(model, fitted, CalibrationConfig(), seed=seed)
        model = model.with_drivers(fit.drivers)
        noise = model.noise(DRAWS, seed, 2)
        began_s = time.perf_counter()
        played = model.play(game.routes_of(rows[FITTED:]), noise)
        model_s = (time.perf_counter() - began_s) / FRESH / len(noise)
        truth = times(game, outcomes[FITTED:])
        pairs = [
            pair
            for base in (rng.integers(counts), selfish(model, game, seed))
            for pair in changed(model, game, simulator, base, changes // 2, days, rng)
        ]
    own, model_own, others, model_others, error = np.array(pairs).T
    spread = others.var()
    return Accuracy(
        net=name,
        drivers=game.num_drivers,
        level_s=float(truth.mean()),
        model_level_s=float(played.times_s.mean()),
        times_r=correlation(truth.mean(axis=0), played.times_s.mean(axis=0)),
        own_r=correlation(own, model_own),
        others_r=correlation(others, model_others),
        others_slope=float(np.polyfit(model_others, others, 1)[0]),
        others_ceiling=float(np.sqrt(max(0.0, 1.0 - np.square(error).mean() / spread))),
        speed_ratio=sumo_s / model_s,
        changes=len(pairs),
    )


def changed(
    model: LinkModel,
    game: RoutingGame,
    simulator: Simulator,
    base: ndarray,
    changes: int,
    days: int,
    rng: np.random.Generator,
) -> Iterator[tuple[float, ...]]:
    """Effects of single changes: own in SUMO and model, others' in both, their standard error."""
    days = 1 if game.scene.is_deterministic else days
    seeds = rng.integers(2**31 - 1, size=days).tolist()

    def driven(actions: ndarray) -> ndarray:
        return times(game, simulator.play([game.routes_of(actions)] * days, seeds))

    noise = model.noise(64, int(rng.integers(2**31)), 3)
    as_is = driven(base)
    nobody = np.zeros((1, 0), dtype=np.int64)
    for _ in range(changes):
        at = int(rng.integers(game.num_drivers))
        count = int(game.option_count[game.drivers[at]])
        action = int((base[at] + 1 + rng.integers(count - 1)) % count)
        actions = base.copy()
        actions[at] = action
        apart = driven(actions) - as_is
        vehicle = int(game.drivers[at])
        others = apart.sum(axis=1) - apart[:, vehicle]
        option = game.driver_options[at, action].reshape(1, 1)
        found = model.alternatives(game.routes_of(base), np.array([vehicle]), option, nobody, noise)
        own_s, total_s = float(found.own_s[0, 0]), float(found.total_s[0, 0])
        error = others.std(ddof=1) / np.sqrt(days) if days > 1 else 0.0
        yield float(apart[:, vehicle].mean()), own_s, float(others.mean()), total_s - own_s, error


def correlation(one: ndarray, other: ndarray) -> float:
    """Pearson's; NaN where one of them does not vary."""
    if min(one.std(), other.std()) < 1e-9:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nets", default=",".join([*SHIPPED, *GENERATED]), help="with commas")
    parser.add_argument("--seed", type=int, default=100, help="of nets, demand and days")
    parser.add_argument("--drivers", type=int, default=60, help="where demand is drawn")
    parser.add_argument("--changes", type=int, default=60)
    parser.add_argument("--days", type=int, default=64, help="for each change")
    parser.add_argument("--out", type=Path, default=Path("bench/link-model"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    found = []
    titles = ("level s: SUMO, model", "r times", "own", "others (slope; possible)", "x")
    print(f"{'net':16} drivers  {'   '.join(titles)}")
    for name in args.nets.split(","):
        net = Path("data/nets") / f"{name}.net.xml"
        if name in GENERATED:
            net = generated(name, args.seed, args.out)
        game = game_on(net, args.seed, args.drivers, args.out / f"{name}-{args.seed}")
        each = measured(name, game, args.seed, args.changes, args.days)
        found.append(each)
        print(
            f"{each.net:16} {each.drivers:7} {each.level_s:14.1f} {each.model_level_s:7.1f} "
            f"{each.times_r:9.3f} {each.own_r:6.2f} {each.others_r:6.2f} "
            f"({each.others_slope:.2f}; {each.others_ceiling:.2f}) {each.speed_ratio:15.0f}",
            flush=True,
        )
        (args.out / f"accuracy-{args.seed}.json").write_text(
            json.dumps([asdict(one) for one in found], indent=1)
        )
    for key in ("times_r", "own_r", "others_r", "others_slope", "speed_ratio"):
        values = np.array([getattr(each, key) for each in found])
        print(f"median {key}: {np.nanmedian(values):.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
