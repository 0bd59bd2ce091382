"""CPU time of every reference per day: `python benchmarks/references.py --households 50`.

The first call of each reference is not timed: it compiles kernels or reads them from the cache.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from gridsim.game.tariff import TariffConfig, build_tariff
from gridsim.households.days import draw_days
from gridsim.households.households import Days, HouseholdConfig, draw_population
from gridsim.households.profiles import load_profiles
from gridsim.references.certificate import certify_dilemma
from gridsim.references.references import (
    SearchConfig,
    compute_references,
    deviation_gains,
    load_to_come,
    nash,
    optimum,
    pigou,
    rolling_planner,
)


def cpu_ms_per_day(task: Callable[[], object], num_days: int) -> float:
    started = time.process_time()
    task()
    return 1e3 * (time.process_time() - started) / num_days


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--households", type=int, default=50)
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    tariff, search = build_tariff(TariffConfig()), SearchConfig()
    one_start = replace(search, num_random_starts=0)
    profiles, config = load_profiles(), HouseholdConfig()
    rng = np.random.default_rng(options.seed)
    population = draw_population(config, profiles, options.households, rng)

    def draw(num_days: int) -> Days:
        return draw_days(config, profiles, population, num_days, rng)

    compute_references(draw(1), tariff)
    days, past = draw(options.days), draw(options.days)
    to_come_kw = load_to_come(optimum(past, tariff, search)[0], past)
    found = compute_references(days, tariff, to_come_kw=to_come_kw)
    tasks = {
        "nash, one start": lambda: nash(days, tariff, one_start),
        "optimum and lower bound": lambda: optimum(days, tariff, search),
        "deviations": lambda: deviation_gains(days, tariff, found.nash, search),
        "rolling planner": lambda: rolling_planner(days, tariff, to_come_kw=to_come_kw),
        "pigou": lambda: pigou(days, tariff, search),
        "all references": lambda: compute_references(days, tariff, to_come_kw=to_come_kw),
        "certificate": lambda: certify_dilemma(days, tariff, found),
    }
    print(f"{options.households} households, {days.jobs.num_jobs / options.days:.0f} jobs a day")
    for name, task in tasks.items():
        print(f"{name:<26}{cpu_ms_per_day(task, options.days):9.1f} ms CPU per day")

    per_day = options.days * options.households
    costs = {s.name: s.costs(tariff).social_cost_eur.sum() / per_day for s in found.schedules}
    gap = costs["nash"] - costs["optimum"]
    for name, cost in costs.items():
        closed = 100.0 * (costs["nash"] - cost) / gap
        print(f"{name:<26}{cost:9.3f} EUR per household and day{closed:9.1f} % of the gap closed")
    print(f"{'lower bound':<26}{found.lower_bound_eur.sum() / per_day:9.3f}")


if __name__ == "__main__":
    main()
