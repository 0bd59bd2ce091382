"""How much of the Nash-to-optimum gap learners close, over seeds with households of their own.

    .venv/bin/python benchmarks/gap.py --seeds 5 --households 50 --variants ss,independent

Every seed has its own population, training days, held-out days and networks. A seed's figure is
(Σ C_Nash - Σ C) / (Σ C_Nash - Σ C_optimum) over its held-out days and plays; printed are the
interquartile mean over seeds with its 95 % bootstrap interval; `--out` keeps the whole curves.
"""

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gridsim.config import GridConfig

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # of a process: one
VARIANTS = {  # overrides of the tuned preset
    "ss": {},
    "independent": {"algorithm": "independent"},
    "centralised": {"algorithm": "centralised"},
    "ss rho'=rho": {"learner.scale_rho_follow": False},
    "ss m=4": {"neighbours": 4},
    "ss 16 plans": {"num_actions": 16},
    "ss redrawn neighbours": {"learner.exchange.redraw": True},
    "ss sampled": {"preset": "sampled"},
    "independent sampled": {"preset": "sampled", "algorithm": "independent"},
}


def configured(
    variant: str, seed: int, *, households: int, days: int | None, updates: int | None
) -> "GridConfig":
    """One seed of one variant; held-out days and updates are the preset's where they are None."""
    from gridsim.config import resolve

    overrides = dict(VARIANTS[variant])
    preset = overrides.pop("preset", "tuned")
    overrides |= {"households": households, "seed": seed}
    if days is not None:
        overrides["days"] = days
    if updates is not None:
        overrides["learner.num_updates"] = updates
    return resolve(preset, overrides)


def one(config: "GridConfig", variant: str) -> dict:
    """Train and score one seed of one variant."""
    import numpy as np
    import torch

    from gridsim.households.schedules import candidate_schedules
    from gridsim.references.references import nash, optimum
    from gridsim.stage import build_training, play, set_stage

    torch.set_num_threads(1)
    stage = set_stage(config)
    tariff, days = stage.world.tariff, stage.held_out
    search = replace(config.search, num_random_starts=0)
    selfish = nash(days, tariff, search)[0].costs(tariff).social_cost_eur.sum()
    best = optimum(days, tariff, search)[0].costs(tariff).social_cost_eur.sum()
    plans = candidate_schedules(days, config.num_actions)
    among = nash(days, tariff, search, plans)[0].costs(tariff).social_cost_eur.sum()

    def gap(plays: int) -> float:
        found = [play(training, stage, config, sample=s).schedule for s in range(plays)]
        cost = np.mean([s.costs(tariff).social_cost_eur.sum() for s in found])
        return float((selfish - cost) / (selfish - best))

    training = build_training(config, config.learner, stage)
    started, curve = time.process_time(), []
    total = config.learner.num_updates
    while training.update < total:
        training.advance()
        training.channel.ledger.take_rows()
        if training.update % max(1, total // 20) == 0:
            curve.append([training.update, round(gap(1), 4)])
    told = training.channel.ledger.num_bytes()
    return {
        "variant": variant,
        "seed": config.seed,
        "households": config.households,
        "days": config.days,
        "updates": total,
        "gap_closed": gap(config.policy_samples),
        "nash_among_candidates": float((selfish - among) / (selfish - best)),
        "dilemma": float((selfish - best) / best),
        "cpu_s": round(time.process_time() - started, 1),
        "kb_per_household": round(told / config.households / 1000, 1),
        "curve": curve,
    }


def summary(rows: list[dict]) -> str:
    """One line of a variant."""
    import numpy as np

    from ss_core.statistics import bootstrap_interval, interquartile_mean

    values = np.array([r["gap_closed"] for r in rows])
    interval = bootstrap_interval(values, interquartile_mean, rng=np.random.default_rng(0))
    among = np.mean([r["nash_among_candidates"] for r in rows])
    return (
        f"{rows[0]['variant']:22s} N={rows[0]['households']:<4d} {100 * interval.estimate:6.1f} "
        f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}] % of the gap"
        f"  (seeds: {', '.join(f'{100 * v:.0f}' for v in values)};"
        f" Nash among plans {100 * among:.0f} %;"
        f" dilemma {100 * np.mean([r['dilemma'] for r in rows]):.0f} %;"
        f" {np.mean([r['cpu_s'] for r in rows]):.0f} CPU s;"
        f" {np.mean([r['kb_per_household'] for r in rows]):,.0f} kB/household)"
    )


def main() -> None:
    """Run the variants over seeds, two processes at a time."""
    as_written = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=100, help="tuning used seeds 0 to 3")
    parser.add_argument("--households", type=int, default=50)
    parser.add_argument("--variants", default="ss,independent")
    parser.add_argument("--days", type=int, help="held-out days of a seed")
    parser.add_argument("--updates", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    for name in THREADS:
        os.environ.setdefault(name, "1")
    results = []
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        for variant in args.variants.split(","):
            seeds = range(args.first_seed, args.first_seed + args.seeds)
            size = {"households": args.households, "days": args.days, "updates": args.updates}
            configs = [configured(variant, seed, **size) for seed in seeds]
            jobs = [pool.submit(one, config, variant) for config in configs]
            rows = [job.result() for job in jobs]
            print(summary(rows), flush=True)
            results += rows
    if args.out:
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
