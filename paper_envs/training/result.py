"""What `ss train` tells: returns before and after, with intervals, and what was exchanged."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from paper_envs.training.config import TrainingConfig
from paper_envs.training.episodes import Episodes, episodes_of
from paper_envs.training.labels import UNTRAINED
from ss_core.record.checkpoint import Checkpoint
from ss_core.record.trace_writer import TraceWriter
from ss_core.report.labels import SELFISH
from ss_core.scenario.key_figures import DayFigures, Scores, Summary
from ss_core.scenario.protocol import Evaluation, Prepared, Rows
from ss_core.scenario.result import write_key_figures

CENTRALISED = "centralised"
ROUNDING = 1e-5  # of the largest return, below which a sum of returns counts as 0
MEASURE = "averaged_return"  # of the paper; the other figures say the same in other units


def score(config: TrainingConfig, _: Prepared, results: Mapping[str, Checkpoint]) -> Scores:
    """Returns of held-out episodes, before training and after it."""
    asked = results[next(iter(config.learners))]
    played = {UNTRAINED: episodes_of(asked, "before")}
    played |= {name: episodes_of(results[name], "after") for name in config.learners}
    return Scores(
        figures={name: _figures(each) for name, each in played.items()},
        num_agents=config.num_agents,
        num_updates={name: results[name].state["num_updates"] for name in config.learners},
        bytes_by_kind={name: results[name].state["bytes_by_kind"] for name in config.learners},
        detail=played,
    )


def _figures(played: Episodes) -> DayFigures:
    return {
        MEASURE: played.averaged,
        "episode_return_per_agent": played.returns.mean(axis=1),
        "steps": played.steps.astype(float),
    }


def title(evaluation: Evaluation) -> str:
    """Title of the table."""
    return f"{evaluation.num_days} held-out episodes (means; 95 % bootstrap intervals)"


def tables(evaluation: Evaluation) -> dict[str, Rows]:
    """What was exchanged, by kind."""
    scores, algorithm = evaluation.scores, evaluation.algorithm
    per = scores.num_agents * scores.num_updates[algorithm]
    sent = [
        {"kind": kind, "MB": count / 1e6, "kB_per_agent_and_update": count / 1e3 / per}
        for kind, count in sorted(scores.bytes_by_kind[algorithm].items())
        if count
    ]
    return {"sent to other agents while training": sent}


def facts(evaluation: Evaluation) -> dict[str, Any]:
    """What `result.json` holds beside tables: what was trained, and all returns."""
    config: TrainingConfig = evaluation.config
    scores, algorithm = evaluation.scores, evaluation.algorithm
    played: Mapping[str, Episodes] = scores.detail
    before, after = _before_after(evaluation)
    return {
        "env": config.env,
        "algorithm": algorithm,
        "num_agents": config.num_agents,
        "horizon": config.horizon,
        "seed": config.seed,
        "num_updates": scores.num_updates[algorithm],
        "episodes_per_update": config.learner.num_envs,
        "improved": after.ci_low > before.ci_high,
        "evaluation": {
            "before": _returns(played[UNTRAINED], before),
            "after": _returns(played[algorithm], after),
        },
        "bytes_by_kind": dict(scores.bytes_by_kind[algorithm]),
    }


def _returns(played: Episodes, averaged: Summary) -> dict[str, Any]:
    return {
        "averaged_return": averaged.mean,
        "averaged_return_low": averaged.ci_low,
        "averaged_return_high": averaged.ci_high,
        "averaged_returns": played.averaged.tolist(),  # of each episode
        "episode_return_per_agent": float(played.returns.mean()),
        "agent_returns": played.returns.mean(axis=0).tolist(),  # of an episode
        "steps_per_episode": float(played.steps.mean()),
    }


def _before_after(evaluation: Evaluation) -> tuple[Summary, Summary]:
    figures = evaluation.summaries
    return figures[UNTRAINED][MEASURE], figures[evaluation.algorithm][MEASURE]


def notes(evaluation: Evaluation) -> list[str]:
    """Whether training helped, what to try if not, and what the rewards are like."""
    return [_progress(evaluation), *_beside_others(evaluation), *_zero_sum(evaluation)]


def _progress(evaluation: Evaluation) -> str:
    config: TrainingConfig = evaluation.config
    before, after = _before_after(evaluation)
    if after.ci_low > before.ci_high:
        return "averaged return per agent and step: better after training, intervals apart"
    if after.ci_high < before.ci_low:
        return (
            "averaged return per agent and step: WORSE after training, intervals apart; try "
            "--updates, another --algorithm, or a lower --set learner.actor_lr"
        )
    return (
        "averaged return per agent and step: no clear change, intervals overlap; try more "
        f"--updates, or --set evaluation_episodes={4 * config.evaluation_episodes}"
    )


def _beside_others(evaluation: Evaluation) -> Iterator[str]:
    """Where the algorithm asked for stands between selfish and centralised learners, if trained."""
    figures, asked = evaluation.summaries, evaluation.algorithm
    mine = figures[asked][MEASURE]
    for rival in (SELFISH, CENTRALISED):
        theirs = figures.get(rival, {}).get(MEASURE)
        if rival == asked or theirs is None or theirs.ci_low <= mine.ci_high:
            continue
        apart = f"{rival} learners end at {theirs.mean:.4g}, {asked} at {mine.mean:.4g}: "
        if rival == SELFISH:
            yield apart + f"coordination does not help here; use --algorithm {SELFISH}"
        else:
            yield apart + "there is more to gain together; try more --updates"


def _zero_sum(evaluation: Evaluation) -> Iterator[str]:
    played: Mapping[str, Episodes] = evaluation.scores.detail
    returns = np.concatenate([each.returns for each in played.values()])
    most = np.abs(returns).max(initial=0.0)
    if most > 0.0 and np.abs(returns.sum(axis=1)).max() <= ROUNDING * most:
        yield (
            "what agents earn adds up to 0 in every held-out episode, a zero-sum game: there is "
            "nothing to gain together, and nothing for suggestions to find"
        )


def record(writer: TraceWriter, evaluation: Evaluation) -> None:
    """The averaged return of every row, as key figure."""
    for name in evaluation.scores.figures:
        write_key_figures(writer, evaluation, name, only=(MEASURE,))
