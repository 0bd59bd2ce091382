"""What `ss train` tells: returns before and after, with intervals, and what was exchanged."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from paper_envs.training.config import TrainingConfig
from paper_envs.training.learn import Episodes, episodes_of
from ss_core.algorithms.registry import algorithm_named
from ss_core.record.checkpoint import load_latest
from ss_core.record.run_directory import RunDirectory
from ss_core.record.schema import TraceLevel
from ss_core.record.trace_rows import write_run
from ss_core.record.trace_writer import TraceWriter
from ss_core.statistics import Interval, bootstrap_interval, mean

BOOTSTRAP_STREAM = 7  # below a run's seed


def conclude(config: TrainingConfig, folder: Path) -> dict[str, Any]:
    """The result of a run as plain data.

    Raises:
        FileNotFoundError: the task has not finished.
    """
    result = load_latest(folder / "result")
    if result is None:
        raise FileNotFoundError(f"{folder / 'result'}: the task has not finished")
    before, after = (episodes_of(result, when) for when in ("before", "after"))
    averaged = {
        "before": _interval(before.averaged, config.seed),
        "after": _interval(after.averaged, config.seed),
    }
    count = len(after.steps)
    algorithm = algorithm_named(config.learner.algorithm).name
    return {
        "env": config.env,
        "algorithm": algorithm,
        "num_agents": config.num_agents,
        "horizon": config.horizon,
        "seed": config.seed,
        "num_updates": result.update,
        "episodes_per_update": config.learner.num_envs,
        "improved": averaged["after"].low > averaged["before"].high,
        "evaluation": {
            "before": _figures(before, averaged["before"]),
            "after": _figures(after, averaged["after"]),
        },
        "bytes_by_kind": dict(result.state["bytes_by_kind"]),
        "tables": {
            f"{count} held-out episodes (means; 95 % bootstrap intervals)": [
                _row("untrained", before, averaged["before"]),
                _row(f"{algorithm}, trained", after, averaged["after"]),
            ],
            "told to other agents while training": _exchanged(
                config, result.state["bytes_by_kind"], result.update
            ),
        },
        "notes": [_verdict(averaged["before"], averaged["after"])],
    }


def record_kpis(result: dict[str, Any], run: RunDirectory, trace: TraceLevel) -> None:
    """The run, and its averaged returns as key figures."""
    constants = {"run_id": run.trace_run_id, "seed": run.config["seed"]}
    writer = TraceWriter(run.path, level=trace, constants=constants)
    before, after = (result["evaluation"][when] for when in ("before", "after"))
    if not writer.writes("kpi"):
        return
    write_run(
        writer,
        task=result["env"],
        algorithm=result["algorithm"],
        num_agents=result["num_agents"],
        num_updates=result["num_updates"],
        config_sha256=run.config_sha256,
    )
    for policy, figures in (("untrained", before), (result["algorithm"], after)):
        writer.write(
            "kpi",
            {
                "algorithm": policy,
                "kpi": "averaged_return",
                "scope": "held-out episodes",
                "value": figures["averaged_return"],
                "unit": "1",
                "baseline_value": before["averaged_return"],
                "ci_low": figures["averaged_return_low"],
                "ci_high": figures["averaged_return_high"],
                "n": len(figures["averaged_returns"]),
                "method": "mean; percentile bootstrap over episodes, 95 %",
            },
        )
    writer.commit()


def _interval(values: Float[np.ndarray, " sample"], seed: int) -> Interval:
    rng = np.random.default_rng([seed, BOOTSTRAP_STREAM])
    return bootstrap_interval(values.astype(float), mean, rng=rng)


def _figures(played: Episodes, averaged: Interval) -> dict[str, Any]:
    return {
        "averaged_return": averaged.estimate,
        "averaged_return_low": averaged.low,
        "averaged_return_high": averaged.high,
        "averaged_returns": played.averaged.tolist(),  # of each episode
        "episode_return_per_agent": float(played.returns.mean()),
        "agent_returns": played.returns.mean(axis=0).tolist(),  # of an episode
        "steps_per_episode": float(played.steps.mean()),
    }


def _row(policy: str, played: Episodes, averaged: Interval) -> dict[str, Any]:
    return {
        "policies": policy,
        "averaged_return": averaged.estimate,
        "low": averaged.low,
        "high": averaged.high,
        "episode_return_per_agent": float(played.returns.mean()),
        "steps": float(played.steps.mean()),
    }


def _exchanged(
    config: TrainingConfig, bytes_by_kind: dict[str, int], num_updates: int
) -> list[dict[str, Any]]:
    per = config.num_agents * num_updates
    return [
        {"kind": kind, "MB": count / 1e6, "kB_per_agent_and_update": count / 1e3 / per}
        for kind, count in sorted(bytes_by_kind.items())
        if count
    ]


def _verdict(before: Interval, after: Interval) -> str:
    if after.low > before.high:
        return "averaged return per agent and step: better after training, intervals apart"
    if after.high < before.low:
        return (
            "averaged return per agent and step: WORSE after training, intervals apart; try "
            "--updates, another --algorithm, or a lower --set learner.actor_lr"
        )
    return (
        "averaged return per agent and step: no clear change, intervals overlap; try more "
        "--updates or --set evaluation_episodes"
    )
