"""Traffic lights on sumo-rl's grid: SS, independent learners, fixed time and actuated, over seeds.

    .venv/bin/python benchmarks/signals.py --seeds 5 --scenario 2x2grid

Every seed has its own networks, training traffic and held-out traffic; all rows of a seed meet the
same held-out traffic. Printed are interquartile means over seeds with their 95 % bootstrap
intervals, and differences of them. Each seed is a run of `sstraffic signals` below `--out`, so that
a benchmark that was stopped goes on.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

KPIS = ("mean_travel_time_s", "mean_waiting_time_s", "mean_queue_veh", "unfinished_trips")
SAY = "  {:12} {:22} {:8.2f} [{:.2f}, {:.2f}]   {}"


def one(seed: int, arguments: argparse.Namespace) -> dict:
    """The result of one seed, computed now or before."""
    from ss_core.scenario.run import run_scenario

    def progress(task: str, done: float, total: float, note: str) -> None:
        if done == total or done % 10 == 0:
            print(f"  seed {seed} {task} {done:g}/{total:g} {note}", flush=True)

    overrides = {"scenario": arguments.scenario, "seed": seed, "workers": arguments.workers}
    for text in arguments.set:
        key, _, value = text.partition("=")
        overrides[key] = json.loads(value)
    kept = arguments.out / f"{arguments.scenario}-seed{seed}.json"
    if kept.exists() and (stored := json.loads(kept.read_text()))["overrides"] == overrides:
        return stored["result"]
    request = {"preset": "tuned", "overrides": dict(overrides), "origins": {}, "resume": "auto"}
    request |= {"out": str(arguments.out), "dry_run": False}
    result = run_scenario("trafficsim.signals.scenario:SCENARIO", request, progress)
    kept.write_text(json.dumps({"overrides": overrides, "result": result}))
    return result


def summarise(results: list[dict]) -> dict:
    """Interquartile means over seeds, and how the rows differ in travel time."""
    from ss_core.statistics import bootstrap_interval, difference_interval, interquartile_mean

    rng = np.random.default_rng(0)
    rows: dict = {}
    for name in results[0]["kpis"]:
        rows[name] = {}
        for kpi in KPIS:
            values = np.array([result["kpis"][name][kpi] for result in results])
            found = bootstrap_interval(values, interquartile_mean, rng=rng)
            rows[name][kpi] = [found.estimate, found.low, found.high, values.tolist()]
    differences = {}
    for name in rows:
        if name != "ss":
            pair = [np.array(rows[row][KPIS[0]][3]) for row in ("ss", name)]
            apart = difference_interval([pair[0]], [pair[1]], interquartile_mean, rng=rng)
            paired = bootstrap_interval(pair[0] - pair[1], interquartile_mean, rng=rng)
            differences[name] = {
                "unpaired": [apart.estimate, apart.low, apart.high],
                "paired": [paired.estimate, paired.low, paired.high],
            }
    sent = [sum(result["bytes_by_kind"]["ss"].values()) for result in results]
    return {"rows": rows, "ss_less": differences, "ss_bytes": sent}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--scenario", default="2x2grid")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs/signals-bench"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=JSON")
    arguments = parser.parse_args()

    started_s = time.perf_counter()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    found = summarise([one(seed, arguments) for seed in seeds])
    print(f"{arguments.scenario}, seeds {seeds[0]} to {seeds[-1]}:")
    for name, row in found["rows"].items():
        for kpi, (estimate, low, high, values) in row.items():
            each = " ".join(f"{value:.1f}" for value in values)
            print(SAY.format(name, kpi, estimate, low, high, each))
    for name, kinds in found["ss_less"].items():
        for kind, (estimate, low, high) in kinds.items():
            print(f"  ss less {name}, {kind}: {estimate:+.2f} s [{low:+.2f}, {high:+.2f}]")
    print(f"  {time.perf_counter() - started_s:.0f} s")
    (arguments.out / f"{arguments.scenario}.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
