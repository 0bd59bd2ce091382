"""What others learn about households, method by method, and what noise costs.

The conditions and tables of `ss bench privacy`; one training is `leakage.observed_run`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gridsim.privacy.leakage import DIFFERENCED, read_leak
from ss_core.experiments.attacks import ATTACKS, prepare, score
from ss_core.random_streams import Stream, numpy_generator
from ss_core.scenario.short_runs import Results, ShortRun
from ss_core.statistics import Interval, bootstrap_interval, interquartile_mean

TARGET = "gridsim.privacy.leakage:observed_run"
SECRETS = {"comfort_weight": False, "has_ev": True, "daily_cost_eur": False}  # yes or no
PURE_NOISE = 3e4  # z at which suggestions carry no information: what is left is due to noise itself
NOISE = {  # multipliers z
    "smoke": (1.0,),
    "quick": (0.3, 30.0, PURE_NOISE),
    "full": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, PURE_NOISE),
}
SHADOWS = {"smoke": 2, "quick": 12, "full": 24}
VICTIMS = {"smoke": 2, "quick": 5, "full": 10}
UPDATES = {"smoke": 3, "quick": 20, "full": 60}
DAYS_PER_UPDATE = {"smoke": 4, "quick": 10, "full": 20}
HOUSEHOLDS = {"smoke": 6, "quick": 20, "full": 20}
FIRST_SHADOW, FIRST_VICTIM = 500, 100  # seeds
EV_OWNERSHIP = 0.8
ONE_AT_A_TIME = 288  # turns a day: more than 20 households have decisions


@dataclass(frozen=True, slots=True)
class Method:
    """One way of learning whose messages are observed."""

    name: str
    algorithm: str
    preset: str = "tuned"
    settings: tuple[tuple[str, Any], ...] = ()


METHODS = (
    Method("selfish", "independent"),
    Method("selfish, one at a time", "independent", settings=(("most_turns", ONE_AT_A_TIME),)),
    Method("ss", "ss"),
    Method("vps", "vps", "sampled"),
    Method("vs", "vs", "sampled"),
    Method(
        "ps", "ps", "sampled", (("learner.architecture", "multihead"), ("learner.hidden", [16]))
    ),
    Method("cl", "centralised"),
)


def short_runs_of(profile: str) -> dict[str, list[ShortRun]]:
    """The trainings of every method: shadow runs, then those observed."""
    return {
        method.name: [_short_run(method, seed, profile) for seed in _seeds(profile)]
        for method in _methods(profile)
    }


def _methods(profile: str) -> list[Method]:
    return [*METHODS, *(_noisy(z) for z in NOISE[profile])]


def _noisy(multiplier: float) -> Method:
    return Method(f"ss z={multiplier:g}", "ss", "tuned", (("learner.exchange.noise", multiplier),))


def _seeds(profile: str) -> list[int]:
    """Of shadow runs, then of victims."""
    shadows = range(FIRST_SHADOW, FIRST_SHADOW + SHADOWS[profile])
    return [*shadows, *range(FIRST_VICTIM, FIRST_VICTIM + VICTIMS[profile])]


def _short_run(method: Method, seed: int, profile: str) -> ShortRun:
    settings = {
        "households": HOUSEHOLDS[profile],
        "seed": seed,
        "days": 8,
        "population.ev_ownership": EV_OWNERSHIP,
        "learner.algorithm": method.algorithm,
        "learner.num_updates": UPDATES[profile],
        "learner.num_envs": DAYS_PER_UPDATE[profile],
        **dict(method.settings),
    }
    name = method.name.replace(" ", "-").replace("=", "").replace(",", "")
    return ShortRun(name, seed, TARGET, {"preset": method.preset, "settings": settings})


def conclude(found: Results, folder: Path, profile: str) -> dict[str, Any]:
    """The tables: what is learned, what it costs, what noise does."""
    shadows, short_runs = SHADOWS[profile], short_runs_of(profile)
    leaks = {
        name: [read_leak(one.folder(folder)) for one in each] for name, each in short_runs.items()
    }
    results = {
        name: [found[one.name, one.seed] for one in each][shadows:]
        for name, each in short_runs.items()
    }
    selfish = [each["welfare"] for each in results["selfish"]]
    rows = [
        row
        for method in METHODS
        for row in _rows_of(method.name, leaks[method.name], shadows)
    ]  # fmt: skip
    curve = [
        _point(m, results[m.name], selfish, leaks[m.name], shadows)
        for m in _methods(profile)
        if m.algorithm == "ss"
    ]
    costs = [_cost(m, results[m.name], selfish, HOUSEHOLDS[profile]) for m in METHODS]
    return {
        "schema": "ss.bench_privacy/1",
        "tables": {
            "what the curious learn: the better attack, 95 % interval": rows,
            "what it costs, and what it brings": costs,
            "noise on what suggestion sharing tells": curve,
        },
        "notes": [
            f"{shadows} shadow runs, {len(selfish)} runs observed, "
            f"{HOUSEHOLDS[profile]} households each; comfort weight and daily cost: R² (0 is no "
            "better than the mean), car: area under the ROC curve (0.5 is chance)",
            f"{DIFFERENCED}: the sum of all plans is public after every turn; whoever knows whose "
            "turn it was has that household's plan, whatever the algorithm sends or keeps",
            "ε of the household that sent most, for the whole run, at δ = 1e-5; announcements, "
            "plans, actions seen and the number of decisions are not covered",
        ],
        "run_dir": str(folder),
    }


Leaks = Sequence[Mapping[str, np.ndarray]]


def _sources(leaks: Leaks) -> dict[str, list[str]]:
    """What may be observed: each source alone, all of them, and what is public anyway."""
    received = sorted(name for name in leaks[0] if name.startswith("received/"))
    single = {name.removeprefix("received/"): [name] for name in received}
    if "policies" in single:
        single["policies and suggestions"] = ["received/policies", "received/suggestions"]
    if len(received) > 1:
        return single | {"all": received}
    return {"public data only": ["public"]} | single  # nothing is sent


def _rows_of(method: str, leaks: Leaks, shadows: int) -> list[dict[str, Any]]:
    return [
        {
            "method": method,
            "heard": label,
            **{secret: f"{_best(leaks, names, secret, shadows):.2f}" for secret in SECRETS},
        }
        for label, names in _sources(leaks).items()
    ]


def _best(leaks: Leaks, names: Sequence[str], secret: str, shadows: int) -> Interval:
    """The better of the attacks, as judged on the victims: an upper end for both."""
    rows = [np.concatenate([leak[name] for name in names], axis=1) for leak in leaks]
    secrets = [leak[f"secret/{secret}"].astype(float) for leak in leaks]
    data = prepare(np.concatenate(rows[:shadows]).astype(float), np.concatenate(rows[shadows:]))
    known, truth = np.concatenate(secrets[:shadows]), np.concatenate(secrets[shadows:])
    scores = [
        score(truth, attack(data.shadow, known, data.victims), yes_or_no=SECRETS[secret])
        for attack in ATTACKS.values()
    ]
    return max(scores, key=lambda each: each.estimate)


def _gain(results: Sequence[Mapping[str, Any]], selfish: Sequence[float]) -> Interval:
    better = np.array([each["welfare"] for each in results]) - np.array(selfish)
    return bootstrap_interval(better, interquartile_mean, rng=numpy_generator(0, Stream.BOOTSTRAP))


def _cost(
    method: Method, results: Sequence[Mapping[str, Any]], selfish: Sequence[float], households: int
) -> dict[str, Any]:
    sent = sum(each["bytes"] for each in results) / len(results)
    return {
        "method": method.name,
        "kB/household": round(sent / 1000 / households, 1),
        "EUR/day saved against selfish": f"{_gain(results, selfish):.2f}",
    }


def _point(
    method: Method,
    results: Sequence[Mapping[str, Any]],
    selfish: Sequence[float],
    leaks: Leaks,
    shadows: int,
) -> dict[str, Any]:
    spent = [each["privacy"].get("epsilon") for each in results]
    known = [value for value in spent if value is not None]
    received = ["received/policies", "received/suggestions"]
    return {
        "noise z": dict(method.settings).get("learner.exchange.noise", 0.0),
        "epsilon of a run": f"{max(known):.4g}" if known else "∞",
        "EUR/day saved against selfish": f"{_gain(results, selfish):.2f}",
        **{secret: f"{_best(leaks, received, secret, shadows):.2f}" for secret in SECRETS},
    }
