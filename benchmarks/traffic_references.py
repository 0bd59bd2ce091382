"""What references of a routing game cost, and what they are worth on days they never saw.

    .venv/bin/python benchmarks/traffic_references.py --net data/nets/grid.net.xml

Prints for each row its mean travel time on fresh days with its standard error, and for the whole
search the days driven in SUMO and the seconds it took.
"""

import argparse
import os
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

FRESH = 2_000_000  # seeds of days that no stream draws often


def main() -> None:
    import numpy as np

    from ss_core.config import parse_assignment
    from trafficsim.references.references import OPTIMUM, optimum, references
    from trafficsim.routing.config import resolve
    from trafficsim.routing.inputs import checked_net, drawn_demand, game_of, given_demand
    from trafficsim.sumo.simulation import Simulator, travel_times_s

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--net", required=True)
    parser.add_argument("--drivers", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--days", type=int, default=64)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    values = {"net": args.net, "seed": args.seed} | dict(map(parse_assignment, args.set))
    config = resolve("tuned", values | ({"drivers": args.drivers} if args.drivers else {}))
    net = checked_net(config)
    demand = given_demand(config, net) or drawn_demand(config, net, lambda _: None)
    game = game_of(config, net, demand)
    with Simulator(game.scene, 2) as simulator:
        began = time.perf_counter()
        found = references(game, simulator, config, lambda _: None)
        between = time.perf_counter()
        starts = [profile.actions for profile in found.values()]
        found[OPTIMUM] = optimum(game, simulator, config, starts, lambda _: None)
        ended = time.perf_counter()
        days = 1 if game.scene.is_deterministic else args.days
        for name, profile in found.items():
            outcomes = simulator.play(
                [game.routes_of(profile.actions)] * days, [FRESH + day for day in range(days)]
            )
            mean_s = np.array([travel_times_s(game.scene, each).mean() for each in outcomes])
            error_s = mean_s.std(ddof=1) / np.sqrt(days) if days > 1 else 0.0
            gain = f"largest gain {profile.epsilon_s:.1f} +- {profile.epsilon_error_s:.1f} s"
            print(
                f"{name:<17}{mean_s.mean():8.2f} +- {error_s:.2f} s, {profile.simulations:>4} days,"
                f" {gain}; {profile.method}"
            )
    print(f"references {between - began:.1f} s, optimum {ended - between:.1f} s")


if __name__ == "__main__":
    main()
