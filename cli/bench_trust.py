"""`ss bench trust`: what liars cost in every world, and what trust saves."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.app import CONTEXT_SETTINGS, debug_option

if TYPE_CHECKING:
    from ss_core.statistics import Interval
    from ss_core.trials import Trial
    from ss_core.trust_bench import Condition, Verdict

WORLDS = ("predation", "grid", "traffic")
UNITS = {"predation": "reward/step", "grid": "EUR/household and day", "traffic": "s/driver"}
UPDATES = {  # of a trial, by profile
    "smoke": {"predation": 4, "grid": 2, "traffic": 2},
    "quick": {"predation": 300, "grid": 100, "traffic": 50},
    "full": {"predation": 300, "grid": 200, "traffic": 80},
}
HOUSEHOLDS = {"smoke": 8, "quick": 50, "full": 50}
NUM_SEEDS = {"smoke": 2, "quick": 5, "full": 10}
NET = "data/nets/grid.net.xml"


@click.command("trust", context_settings=CONTEXT_SETTINGS)
@click.option(
    "--profile",
    type=click.Choice(["smoke", "quick", "full"]),
    envvar="SS_PROFILE",
    default="quick",
    show_default=True,
    help="How much is run: a minute, about an hour, half a day (on two cores).",
)
@click.option(
    "--env",
    "worlds",
    type=click.Choice(WORLDS),
    multiple=True,
    help="Only this world; may be repeated.",
)
@click.option(
    "--seeds", type=click.IntRange(2, 10), show_default="5, smoke: 2", help="Per condition."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 256),
    envvar="SS_WORKERS",
    default=2,
    show_default=True,
    help="Trainings at a time, each in a process with one thread.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    show_default="bench/trust-<profile>",
    help="Folder of the benchmark; what is finished in there is kept.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@debug_option
def trust(
    profile: str,
    worlds: tuple[str, ...],
    seeds: int | None,
    workers: int,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Welfare lost to liars, believed and with trust, in Predation, grid and traffic.

    May be stopped at any time: the same command goes on with what is not finished.
    """
    from cli.render import Progress, print_result
    from ss_core.atomic import atomic_write, json_bytes
    from ss_core.locks import acquire_lock
    from ss_core.trials import run_trials
    from ss_core.trust_bench import SEEDS, conditions

    folder = out or Path("bench") / f"trust-{profile}"
    wanted = conditions(profile, worlds or WORLDS)  # type: ignore[arg-type]
    used = SEEDS[: seeds or NUM_SEEDS[profile]]
    trials = [_trial(each, seed, profile) for seed in used for each in wanted]
    lock = acquire_lock(folder)
    try:
        with Progress(quiet=quiet) as progress:
            found = run_trials(trials, folder, workers, progress)
        result = _result(wanted, used, found, folder)
        atomic_write(folder / "trust.json", json_bytes(result))
    finally:
        lock.release()
    print_result(result, as_json=as_json)


def _trial(condition: "Condition", seed: int, profile: str) -> "Trial":
    from ss_core.trials import Trial

    updates, settings = UPDATES[profile][condition.world], condition.settings
    named = {f"learner.{key}": value for key, value in settings.items()}
    if condition.world == "predation":
        arguments = {"task": "predation", "agents": 8, "updates": updates, "settings": settings}
        arguments |= {"seed": seed}
        return Trial(condition.slug, seed, "paper_envs.trials:trial", arguments)
    common = named | {"seed": seed, "learner.num_updates": updates, "days": 16}
    if condition.world == "grid":
        chosen = common | {"households": HOUSEHOLDS[profile]}
        return Trial(condition.slug, seed, "gridsim.trials:trial", {"settings": chosen})
    from ss_core.resources import data_path

    net = str(data_path("nets") / Path(NET).name)
    return Trial(
        condition.slug, seed, "trafficsim.trials:trial", {"settings": common | {"net": net}}
    )


def _result(
    wanted: "list[Condition]",
    seeds: tuple[int, ...],
    found: Mapping[tuple[str, int], Mapping[str, Any]],
    folder: Path,
) -> dict[str, Any]:
    import numpy as np

    from ss_core.trust_bench import judge, premium

    welfare = {
        each: np.array([found[each.slug, seed]["welfare"] for seed in seeds]) for each in wanted
    }
    weights = {
        each: tuple(_mean([found[each.slug, seed].get(key) for seed in seeds])
                    for key in ("weight_of_liars", "weight_of_honest"))
        for each in wanted
    }  # fmt: skip
    verdicts = judge(welfare, weights)  # type: ignore[arg-type]
    shown = sorted({each.world for each in wanted}, key=WORLDS.index)
    return {
        "schema": "ss.bench_trust/1",
        "tables": {
            f"{world}: welfare lost, {UNITS[world]}, {len(seeds)} seeds": [
                _row(each) for each in verdicts if each.world == world
            ]
            for world in shown
        },
        "notes": [
            *(f"{world}: trust where nobody lies costs {_show(premium(welfare, world))} "
              f"{UNITS[world]}" for world in shown),
            "lost: interquartile mean over seeds of what the same agents have without liars, less "
            "what they have; kept: lost with trust / lost believed; words: the same beyond silent, "
            "agents that neither tell nor heed anything; 95 % bootstrap intervals over seeds",
        ],
        "run_dir": str(folder),
    }  # fmt: skip


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _row(verdict: "Verdict") -> dict[str, Any]:
    return {
        "lie": verdict.lie,
        "liars %": round(100 * verdict.share),
        "silent": _show(verdict.silent),
        "believed": _show(verdict.believed),
        "with trust": _show(verdict.trusted),
        "kept": _show(verdict.kept),
        "kept of words": _show(verdict.kept_of_words),
        "weight of liars": _number(verdict.weight_of_liars),
        "weight of honest": _number(verdict.weight_of_honest),
    }


def _number(value: float | None) -> float | str:
    return "" if value is None else round(value, 3)


def _show(interval: "Interval | None") -> str:
    if interval is None:
        return "nothing lost"
    return f"{interval.estimate:.3g} [{interval.low:.3g}, {interval.high:.3g}]"
