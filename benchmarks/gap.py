"""How much of the Nash-to-optimum gap learners close, and whether the recommended row ever harms.

    .venv/bin/python benchmarks/gap.py --seeds 5 --households 10,50 --variants ss

Every seed has its own population, training, trial and held-out days and networks. A seed's figure
is (Σ C_Nash - Σ C) / (Σ C_Nash - Σ C_optimum) over its held-out days and plays; printed are
interquartile means over seeds with 95 % bootstrap intervals. The recommended row is the one that
trial days choose; it is tested against the better of selfish learned and selfish by public rule
(Student's t over seeds, one-sided, Holm over all lines). `--out` keeps every seed's figures.
"""

import argparse
import ast
import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from gridsim.config import GridConfig
    from gridsim.game.joint_schedules import Schedule
    from gridsim.stage import Stage

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # of a process: one
VARIANTS: dict[str, dict[str, Any]] = {  # overrides of the tuned preset
    "ss": {},
    "independent": {"algorithm": "independent"},
    "centralised": {"algorithm": "centralised"},
    "ss rho'=rho": {"learner.scale_rho_follow": False},
    "ss m=4": {"neighbours": 4},
    "ss redrawn neighbours": {"learner.exchange.redraw": True},
    "ss per job": {"variant": "per_job"},
    "ss sampled": {"preset": "sampled"},
    "independent sampled": {"preset": "sampled", "algorithm": "independent"},
}
SIGNIFICANT = 0.05


def configured(
    variant: str, seed: int, households: int, overrides: Mapping[str, Any]
) -> "GridConfig":
    """One seed of one variant."""
    from gridsim.config import resolve

    own = dict(VARIANTS[variant])
    preset = own.pop("preset", "tuned")
    return resolve(preset, {"households": households, "seed": seed} | own | dict(overrides))


def one(config: "GridConfig", variant: str) -> dict[str, Any]:
    """Train and score one seed of one variant, beside what goes without coordination."""
    import torch

    from gridsim.references.references import nash, optimum
    from gridsim.stage import set_stage

    torch.set_num_threads(1)
    stage = set_stage(config)
    tariff, days = stage.world.tariff, stage.held_out
    search = replace(config.search, num_random_starts=0)
    selfish = cost_eur([nash(days, tariff, search)[0]], stage)
    best = cost_eur([optimum(days, tariff, search)[0]], stage)
    costs, trials = _by_rule(config, stage)
    spent, sent = {}, {}
    algorithm = config.learner.algorithm
    for name in dict.fromkeys((algorithm, "independent")):
        costs[name], trials[name], spent[name], sent[name] = _learned(config, stage, name)
    gap = selfish.sum() - best.sum()
    return {
        "variant": variant,
        "seed": config.seed,
        "households": config.households,
        "days": config.days,
        "updates": config.learner.num_updates,
        "gap_closed": {k: float((selfish.sum() - c.sum()) / gap) for k, c in costs.items()},
        "learner": algorithm,
        "dilemma": float(gap / best.sum()),
        "cpu_s": round(spent[algorithm], 1),
        "kb_per_household": round(sent[algorithm] / config.households / 1000, 1),
        **_recommended(costs, trials, algorithm, config.households),
    }


def cost_eur(plays: "Sequence[Schedule]", stage: "Stage") -> "np.ndarray":
    """C of every held-out day, mean of plays."""
    import numpy as np

    found = [schedule.costs(stage.world.tariff).social_cost_eur for schedule in plays]
    return np.mean(found, axis=0)


Costs = dict[str, "np.ndarray"]


def _by_rule(config: "GridConfig", stage: "Stage") -> tuple[Costs, Costs]:
    """Held-out and trial days of the rows that learn nothing; none but in the game in turn."""
    from gridsim.scenario import refer_same_information
    from gridsim.stage import schedules_of
    from ss_core.record.checkpoint import Checkpoint
    from ss_core.scenario.protocol import Place

    if config.variant != "in_turn":
        return {}, {}
    nowhere = Place(folder=Path(), inputs=Path(), results={}, processes=1)
    saved = refer_same_information(config, nowhere, lambda *_: None, lambda: False)
    assert saved is not None
    result = Checkpoint(update=0, tensors=dict(saved.tensors), state={}, parts={})
    rows = {s.name: cost_eur([s], stage) for s in schedules_of(result, stage.held_out)}
    tried = saved.tensors["trial_cost/selfish_by_rule"].numpy()
    return rows, {"selfish_by_rule": tried}


def _learned(
    config: "GridConfig", stage: "Stage", algorithm: str
) -> "tuple[np.ndarray, np.ndarray, float, int]":
    """Held-out costs, trial costs, CPU seconds and bytes of a learner."""
    from gridsim.stage import build_training, play, trial_costs

    started = time.process_time()
    learner = replace(config.learner, algorithm=algorithm)
    training = build_training(config, learner, stage)
    while training.update < learner.num_updates:
        training.advance()
        training.channel.ledger.take_rows()
    seconds = time.process_time() - started
    plays = [play(training, stage, config, sample=s) for s in range(config.policy_samples)]
    held_out = cost_eur([each.schedule for each in plays], stage)
    tried = trial_costs(training, stage, config).sum(axis=0)
    return held_out, tried, seconds, training.channel.ledger.num_bytes()


def _recommended(costs: Costs, trials: Costs, algorithm: str, households: int) -> dict[str, Any]:
    """The row that trial days choose, and what it costs beyond the better selfish row."""
    from gridsim.results.labels import LABELS, UNCOORDINATED
    from ss_core.scenario.recommendation import recommendation

    advised = recommendation(trials, algorithm, UNCOORDINATED, LABELS, "EUR")
    if advised is None:
        return {}
    better = min(float(costs[row].mean()) for row in UNCOORDINATED if row in costs)
    extra = (float(costs[advised.row].mean()) - better) / households
    return {"recommended": advised.row, "extra_eur_per_household": extra}


def line(rows: Sequence[Mapping[str, Any]]) -> str:
    """One line of a setting."""
    first = rows[0]
    shown = (first["learner"], "independent", "selfish_by_rule", "planner_by_rule")
    parts = [_setting(first)]
    parts += [
        f"{name} {_interval([r['gap_closed'][name] for r in rows])}"
        for name in dict.fromkeys(shown)
        if name in first["gap_closed"]
    ]
    seeds = " ".join(f"{100 * r['gap_closed'][first['learner']]:.0f}" for r in rows)
    parts.append(f"seeds {seeds}")
    if "recommended" in first:
        chosen = [r["recommended"] for r in rows]
        parts.append("recommended " + " ".join(f"{chosen.count(c)}x{c}" for c in sorted({*chosen})))
    parts.append(f"dilemma {100 * sum(r['dilemma'] for r in rows) / len(rows):.1f} %")
    few = sum(r["dilemma"] < 0.03 for r in rows)
    parts += [f"{few} without dilemma"] if few else []
    parts.append(f"{sum(r['cpu_s'] for r in rows) / len(rows):.0f} CPU s")
    parts.append(f"{sum(r['kb_per_household'] for r in rows) / len(rows):,.0f} kB/household")
    return " | ".join(parts)


def _setting(row: Mapping[str, Any]) -> str:
    return " ".join([row["variant"], f"N={row['households']}", *row.get("overrides", ())])


def _interval(values: Sequence[float]) -> str:
    import numpy as np

    from ss_core.random_streams import Stream, numpy_generator
    from ss_core.statistics import bootstrap_interval, interquartile_mean

    rng = numpy_generator(0, Stream.BOOTSTRAP)
    found = bootstrap_interval(100 * np.array(values), interquartile_mean, rng=rng)
    return f"{found:.1f}"


def harm(settings: Sequence[Sequence[Mapping[str, Any]]]) -> list[str]:
    """Holm's verdict on every setting: is the recommended row worse than the better selfish one?"""
    import numpy as np
    from scipy.special import stdtr  # Student's distribution

    tested = [rows for rows in settings if "recommended" in rows[0] and len(rows) > 1]
    chances = []
    for rows in tested:
        extra = np.array([r["extra_eur_per_household"] for r in rows])
        error = float(extra.std(ddof=1)) / len(extra) ** 0.5
        mean = float(extra.mean())
        known = float(mean <= 0.0)  # where seeds do not differ
        chances.append(float(stdtr(len(extra) - 1, -mean / error)) if error > 0.0 else known)
    lines, rejected = [], True
    for rank, at in enumerate(np.argsort(chances)):
        rejected = rejected and chances[at] <= SIGNIFICANT / (len(tested) - rank)
        rows = tested[at]
        extra = np.mean([r["extra_eur_per_household"] for r in rows])
        verdict = "WORSE" if rejected else "not worse"
        setting = _setting(rows[0])
        lines.append(
            f"{setting}: recommended row {verdict} than the better selfish row "
            f"({100 * extra:+.2f} ct per household and day, p = {chances[at]:.3f})"
        )
    return lines


def _assigned(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, {"true": True, "false": False}.get(value, value)


def _named(path: Path) -> list[dict[str, Any]]:
    """The rows of a file, with its name if it does not say what was set."""
    return [{"overrides": [path.stem]} | row for row in json.loads(path.read_text())]


def main() -> None:
    """Run settings over seeds, two processes at a time."""
    as_written = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=100, help="tuning used seeds 0 to 3")
    parser.add_argument("--households", default="50", help="one number, or several with commas")
    parser.add_argument("--variants", default="ss")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument(
        "--judge", nargs="+", type=Path, metavar="FILE", help="what --out kept, side by side"
    )
    args = parser.parse_args()
    if args.judge:
        kept = [row for path in args.judge for row in _named(path)]
        settings = [[*rows] for _, rows in groupby(kept, _setting)]
        print(*map(line, settings), *harm(settings), sep="\n")
        return
    for name in THREADS:
        os.environ.setdefault(name, "1")
    overrides, results = dict(map(_assigned, args.set)), []
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        for variant in args.variants.split(","):
            for households in map(int, args.households.split(",")):
                seeds = range(args.first_seed, args.first_seed + args.seeds)
                configs = [configured(variant, seed, households, overrides) for seed in seeds]
                jobs = [pool.submit(one, config, variant) for config in configs]
                results.append([job.result() | {"overrides": args.set} for job in jobs])
                print(line(results[-1]), flush=True)
    print(*harm(results), sep="\n")
    if args.out:
        args.out.write_text(json.dumps([r for rows in results for r in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
