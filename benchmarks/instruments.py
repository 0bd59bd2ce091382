"""Policy instruments beside SS, Nash and optimum on the same days: one table over seeds.

    .venv/bin/python benchmarks/instruments.py --seeds 5 --out instruments.json
    .venv/bin/python benchmarks/instruments.py --seeds 5 --case summer-noon --out noon.json

Every seed has its own population, training and 32 held-out days. A figure of a seed is its mean
over held-out days (and plays); printed are interquartile means over seeds with 95 % bootstrap
intervals. Gap closed is (Σ C_Nash - Σ C) / (Σ C_Nash - Σ C_optimum). Free parameters of the
instruments follow public rules or were chosen on seeds 0 to 4. `--judge FILE` prints the tables of
what `--out` kept.
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gridsim.config import GridConfig
    from gridsim.game.joint_schedules import Schedule
    from gridsim.results.instrument_figures import Money
    from gridsim.results.scoring import Scored
    from gridsim.stage import Stage

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # of a process: one
COLUMNS = (  # heading, figure, factor, digits
    ("cost", "cost_eur_per_household", 1.0, 2),
    ("gap closed %", "gap_closed", 100.0, 0),
    ("peak kW", "peak_kw", 1.0, 0),
    ("reverse kW", "feed_in_peak_kw", 1.0, 0),
    ("h over 100 %", "trafo_overload_h", 1.0, 2),
    ("min vm_pu", "vm_min_pu", 1.0, 3),
    ("losers %", "share_of_losers", 100.0, 0),
    ("Gini", "gini_of_savings", 1.0, 2),
)
MONEY = (
    ("paid", "paid_eur", 1.0, 2),
    ("by the instrument", "instrument_eur", 1.0, 2),
    ("left with supplier, operator", "surplus_eur", 1.0, 2),
    ("comfort lost", "comfort_lost_eur", 1.0, 3),
    ("kWh undelivered, all", "undelivered_kwh", 1.0, 1),
    ("kWh curtailed, all", "curtailed_kwh", 1.0, 1),
    ("h held back", "dimmed_h", 1.0, 2),
    ("B revealed", "revealed_bytes", 1.0, 0),
)
OF_ROOFS = ("feed_in_peak_kw", "curtailed_kwh")
WINTER = "winter-evening"  # the case of a run that names none
Row = dict[str, Any]


def one(config: "GridConfig") -> Row:
    """Every row of one seed."""
    import numpy as np
    import torch

    from gridsim.references.references import asap, nash, optimum
    from gridsim.results.instrument_figures import announced_bytes
    from gridsim.results.scoring import scored
    from gridsim.scenario import check
    from gridsim.stage import set_stage

    torch.set_num_threads(1)
    stage, grid, started = set_stage(config), check(config), time.process_time()
    days, tariff = stage.held_out, stage.world.tariff
    search = replace(config.search, num_random_starts=0)
    plays: dict[str, Sequence[Schedule]] = {
        "asap": [asap(days)],
        "nash": [nash(days, tariff, search)[0]],
    }
    found, money = _instruments(config, stage)
    plays |= found
    name, learned, kb = _learned(config, stage)
    plays |= {name: learned, **_planner(config, stage)}
    plays["optimum"] = [optimum(days, tariff, search)[0]]
    against = plays["nash"][0].costs(tariff).cost_eur
    rows = {
        row: scored(each, tariff, grid, None if row == "nash" else against, money.get(row))
        for row, each in plays.items()
    }
    cost = {row: float(each.play_cost_eur.sum(axis=1).mean()) for row, each in rows.items()}
    gap = cost["nash"] - cost["optimum"]
    figures = {
        row: {"paid_eur": _supply_eur(each)}
        | {key: float(np.nanmean(value)) for key, value in each.figures.items()}
        | {"gap_closed": (cost["nash"] - cost[row]) / gap}
        for row, each in rows.items()
    }
    for row in (name, "planner_by_rule"):
        figures[row]["revealed_bytes"] = float(announced_bytes(config, days).mean())
    return {
        "seed": config.seed,
        "households": config.households,
        "days": config.days,
        "figures": figures,
        "learner": name,
        "kb_per_household": kb,
        "cpu_s": round(time.process_time() - started, 1),
    }


def _supply_eur(row: "Scored") -> float:
    """What is paid where no instrument bills: energy at the price of demand, and the charge."""
    return float((row.figures["bill_eur"] + row.figures["charge_eur"]).mean())


def _instruments(
    config: "GridConfig", stage: "Stage"
) -> "tuple[dict[str, Sequence[Schedule]], dict[str, Money]]":
    from gridsim.results.instrument_figures import money_of, tensors_of
    from gridsim.scenario import played_instruments

    plays, tensors = {}, {}
    for name, outcome in played_instruments(config, stage):
        plays[name] = [outcome.schedule]
        tensors |= tensors_of(name, outcome)
    return plays, money_of(tensors)


def _learned(config: "GridConfig", stage: "Stage") -> "tuple[str, Sequence[Schedule], float]":
    """Plays of the learner, and kB it sent per household while learning."""
    from gridsim.stage import build_training, play

    training = build_training(config, config.learner, stage)
    while training.update < config.learner.num_updates:
        training.advance()
        training.channel.ledger.take_rows()
    plays = [play(training, stage, config, sample=s) for s in range(config.policy_samples)]
    kb = training.channel.ledger.num_bytes() / config.households / 1000
    return config.learner.algorithm, [each.schedule for each in plays], round(kb, 1)


def _planner(config: "GridConfig", stage: "Stage") -> "dict[str, Sequence[Schedule]]":
    """The planner that knows what learners know."""
    import torch

    from gridsim.references.same_information import PLANNER_BY_RULE
    from gridsim.scenario import refer_same_information
    from gridsim.stage import schedules_of
    from ss_core.record.checkpoint import Checkpoint
    from ss_core.scenario.protocol import Place

    nowhere = Place(folder=Path(), inputs=Path(), results={}, processes=1)
    saved = refer_same_information(config, nowhere, lambda *_: None, lambda: False)
    assert saved is not None
    tensors: dict[str, torch.Tensor] = dict(saved.tensors)
    result = Checkpoint(update=0, tensors=tensors, state={}, parts={})
    named = {s.name: s for s in schedules_of(result, stage.held_out)}
    return {PLANNER_BY_RULE: [named[PLANNER_BY_RULE]]}


def table(results: Sequence[Row], columns: Sequence[tuple[str, str, float, int]]) -> list[str]:
    """Lines of a Markdown table; rows without any of the figures are left out."""
    from gridsim.results.labels import LABELS, ROWS
    from ss_core.report.labels import in_order, title_of

    has_roofs = any(_feed_in_kw(result) > 0.0 for result in results)
    columns = [column for column in columns if column[1] not in OF_ROOFS or has_roofs]
    lines = [
        "| " + " | ".join(["row", *(heading for heading, *_ in columns)]) + " |",
        "|" + "---|" * (len(columns) + 1),
    ]
    for name in in_order(ROWS, results[0]["figures"]):
        cells = [_cell(results, name, *column[1:]) for column in columns]
        if any(cells):
            lines.append("| " + " | ".join([title_of(LABELS, name), *cells]) + " |")
    return lines


def _feed_in_kw(result: Row) -> float:
    return max(row.get("feed_in_peak_kw", 0.0) for row in result["figures"].values())


def _cell(results: Sequence[Row], name: str, figure: str, factor: float, digits: int) -> str:
    """Interquartile mean over seeds, and its interval where it has a width."""
    import numpy as np

    from ss_core.random_streams import Stream, numpy_generator
    from ss_core.statistics import bootstrap_interval, interquartile_mean

    values = [r["figures"][name].get(figure, np.nan) for r in results]
    if not np.isfinite(values).all():
        return ""
    rng = numpy_generator(0, Stream.BOOTSTRAP)
    interval = bootstrap_interval(factor * np.array(values), interquartile_mean, rng=rng)
    shown = [
        f"{value + 0.0:,.{digits}f}" for value in (interval.estimate, interval.low, interval.high)
    ]
    return shown[0] if shown[1] == shown[2] else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def printed(results: Sequence[Row]) -> list[str]:
    """Both tables, and what stands beside them."""
    first = results[0]
    seeds = " ".join(str(r["seed"]) for r in results)
    kb = sum(r["kb_per_household"] for r in results) / len(results)
    cpu = sum(r["cpu_s"] for r in results) / len(results)
    return [
        f"{first['households']} households, {first['days']} held-out days, seeds {seeds}, "
        f"{first.get('case', WINTER)}; "
        f"{first['learner']} sent {kb:,.0f} kB per household while learning; {cpu:.0f} CPU s each",
        *table(results, COLUMNS),
        "",
        "EUR, hours and bytes per household and day",
        *table(results, MONEY),
    ]


def main() -> None:
    """Run seeds, some at a time, and print the tables."""
    as_written = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=100, help="rules used seeds 0 to 4")
    parser.add_argument("--households", type=int, default=50)
    parser.add_argument("--days", type=int, default=32)
    parser.add_argument("--case", default=WINTER, help="as of `ssgrid run`")
    parser.add_argument("--updates", type=int, help="of the learner; default: as in a run")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--judge", type=Path, metavar="FILE", help="what --out kept")
    args = parser.parse_args()
    if args.judge:
        print(*printed(json.loads(args.judge.read_text())), sep="\n")
        return
    for name in THREADS:
        os.environ.setdefault(name, "1")
    from gridsim.config import resolve

    size = {"households": args.households, "days": args.days, "instruments": "all"}
    size |= {} if args.case == WINTER else {"case": args.case}
    size |= {} if args.updates is None else {"learner.num_updates": args.updates}
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    configs = [resolve("tuned", {**size, "seed": seed}) for seed in seeds]
    with ProcessPoolExecutor(args.workers, mp_context=get_context("spawn")) as pool:
        found = [job.result() for job in [pool.submit(one, config) for config in configs]]
    results = [{**result, "case": args.case} for result in found]
    print(*printed(results), sep="\n")
    if args.out:
        args.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
