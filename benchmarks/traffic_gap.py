"""How much of the gap between user equilibrium and optimum learners close, over seeds.

    .venv/bin/python benchmarks/traffic_gap.py --net data/nets/two_route.net.xml --seeds 5

Equilibrium and optimum (best found) of the net's demand are computed once; every seed has its own
networks, exploration, neighbours, SUMO seeds and held-out days. A seed's figure is
(T_UE - T) / (T_UE - T_best) over its held-out days, T the mean travel time; printed are the
interquartile mean over seeds with its 95 % bootstrap interval; `--out` keeps the whole curves.
"""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

FRESH, FRESH_DAYS = 2_000_000, 64  # seeds that no stream is likely to draw
VARIANTS = {  # overrides of a preset
    "ss": {},
    "independent": {"algorithm": "independent"},
    "centralised": {"algorithm": "centralised"},
    "ss unscaled": {"learner.scale_rho_follow": False},
    "ss m=16": {"neighbours": 16},
    "ss sampled": {"preset": "sampled"},
    "independent sampled": {"preset": "sampled", "algorithm": "independent"},
    "ss sampled, networks": {
        "preset": "sampled",
        "learner.credit": "samples",
        "learner.suggestions": "networks",
        "learner.suggestion_baseline": True,
        "learner.suggestion_lr": 0.05,
    },
}


def known(net: str, drivers: dict) -> dict:
    """Mean travel times of equilibrium and best found, on days that no search saw."""
    import numpy as np

    from trafficsim.references.references import optimum, references
    from trafficsim.routing.config import resolve
    from trafficsim.routing.inputs import checked_net, game_of, given_demand
    from trafficsim.sumo.simulation import Simulator, travel_times_s

    config = resolve("tuned", {"net": net, **drivers})
    checked = checked_net(config)
    demand = given_demand(config, checked)
    assert demand is not None, f"{net}: give a demand beside it"
    game = game_of(config, checked, demand)
    with Simulator(game.scene, 2) as simulator:
        found = references(game, simulator, config, lambda _: None)
        starts = [profile.actions for profile in found.values()]
        best = optimum(game, simulator, config, starts, lambda _: None)
        rows = {**found, "optimum": best}
        days = 1 if game.scene.is_deterministic else FRESH_DAYS
        seeds = [FRESH + day for day in range(days)]
        means = {}
        for name, profile in rows.items():
            outcomes = simulator.play([game.routes_of(profile.actions)] * days, seeds)
            means[name] = np.mean([travel_times_s(game.scene, each) for each in outcomes])
    return {
        name: {"mean_s": float(means[name]), "epsilon_s": p.epsilon_s, "method": p.method}
        for name, p in rows.items()
    }


def one(net: str, variant: str, seed: int, updates: int | None, refs: dict) -> dict:
    """Train and score one seed of one variant."""
    from dataclasses import replace

    import torch

    from ss_core.random_streams import Stream
    from trafficsim.routing.config import resolve
    from trafficsim.routing.env import RoutingEnv
    from trafficsim.routing.inputs import checked_net, game_of, given_demand
    from trafficsim.routing.modelled import ModelledRoutingEnv
    from trafficsim.routing.policies_on_the_road import (
        curve_seeds,
        drive,
        held_out_seeds,
        open_training,
        scaled_to_game,
    )
    from trafficsim.sumo.simulation import Simulator

    torch.set_num_threads(1)
    asked = {"preset": "tuned", "net": net, "seed": seed} | VARIANTS[variant]
    config = resolve(str(asked.pop("preset")), asked)
    if updates:
        config = replace(config, learner=replace(config.learner, num_updates=updates))
    checked = checked_net(config)
    demand = given_demand(config, checked)
    assert demand is not None
    game = game_of(config, checked, demand)
    selfish, best = refs["user_equilibrium"]["mean_s"], refs["optimum"]["mean_s"]
    started, curve, days = time.process_time(), [], 0
    with Simulator(game.scene) as simulator:
        learner = scaled_to_game(config.learner, config, game)
        total = learner.num_updates
        with open_training(config, learner, game, simulator) as training:
            while training.update < total:
                training.advance()
                assert isinstance(training.env, RoutingEnv | ModelledRoutingEnv)
                days += len(training.env.last_outcomes)
                training.channel.ledger.take_rows()
                if training.update % max(1, total // 10) == 0:
                    seeds = curve_seeds(replace(config, evaluation_days=8))
                    _, times_s, _ = drive(training, config, simulator, seeds, Stream.CURVE_ACTIONS)
                    curve.append([training.update, round(float(times_s.mean()), 2)])
            _, times_s, _ = drive(
                training, config, simulator, held_out_seeds(config), Stream.PLAYED_ACTIONS
            )
    mean_s = float(times_s.mean())
    return {
        "variant": variant,
        "seed": seed,
        "updates": total,
        "days": days,
        "mean_travel_time_s": mean_s,
        "gap_closed": (selfish - mean_s) / (selfish - best),
        "own_cpu_s": round(time.process_time() - started, 1),
        "kb_per_driver": round(training.channel.ledger.num_bytes() / game.num_drivers / 1000, 1),
        "curve": curve,
    }


def summary(rows: list[dict]) -> str:
    """One line of a variant."""
    import numpy as np

    from ss_core.statistics import bootstrap_interval, interquartile_mean

    values = np.array([row["gap_closed"] for row in rows])
    sent = np.mean([row["kb_per_driver"] for row in rows])
    interval = bootstrap_interval(values, interquartile_mean, rng=np.random.default_rng(0))
    return (
        f"{rows[0]['variant']:22s} {100 * interval.estimate:6.1f} "
        f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}] % of the gap"
        f"  (seeds: {', '.join(f'{100 * v:.0f}' for v in values)};"
        f" {np.mean([row['mean_travel_time_s'] for row in rows]):.1f} s;"
        f" {rows[0]['days']} days; {sent:,.0f} kB/driver)"
    )


def main() -> None:
    """Run the variants over seeds, two processes at a time."""
    as_written = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--net", required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=100, help="tuning used seeds 0 to 3")
    parser.add_argument("--variants", default="ss,independent")
    parser.add_argument("--updates", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="JSON; references in it are used again")
    args = parser.parse_args()
    kept = json.loads(args.out.read_text()) if args.out and args.out.exists() else {}
    refs = kept.get("references") or known(args.net, {})
    for name, row in refs.items():
        print(f"{name:22s} {row['mean_s']:6.1f} s  {row['method']}", flush=True)
    results = kept.get("results", [])
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        for variant in args.variants.split(","):
            seeds = range(args.first_seed, args.first_seed + args.seeds)
            jobs = [pool.submit(one, args.net, variant, s, args.updates, refs) for s in seeds]
            rows = [job.result() for job in jobs]
            print(summary(rows), flush=True)
            results += rows
            if args.out:
                text = json.dumps(
                    {"net": args.net, "references": refs, "results": results}, indent=1
                )
                args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
