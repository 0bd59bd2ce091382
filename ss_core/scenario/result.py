"""What a run's parts add up to: rows scored on the same days, the trace, the table, the notes."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ss_core.algorithms.registry import algorithm_named
from ss_core.random_streams import Stream, numpy_generator
from ss_core.record.checkpoint import Checkpoint
from ss_core.record.run_directory import RunDirectory
from ss_core.record.trace_rows import write_kpis, write_run
from ss_core.record.trace_writer import TraceWriter
from ss_core.report.labels import LEARNED, in_order, title_of
from ss_core.scenario.config import RunConfig
from ss_core.scenario.key_figures import Scores, Summary, gap_summary, gaps_closed, summarise
from ss_core.scenario.pilot import PILOT, pilot_sentence
from ss_core.scenario.protocol import Column, Evaluation, Prepared, Result, Scenario
from ss_core.scenario.recommendation import Recommendation, recommendation
from ss_core.scenario.tasks import TRIAL_COST
from ss_core.statistics import Interval

METHOD = "mean over {samples}, 95 % bootstrap interval; baseline: {baseline}"


def conclude(
    scenario: Scenario,
    run: RunDirectory,
    config: RunConfig,
    prepared: Prepared,
    results: Mapping[str, Checkpoint],
) -> Result:
    """Score every row, write the trace, and return the result."""
    found = prepared.trivial() if prepared.trivial else scenario.score(config, prepared, results)
    placed = in_order(scenario.rows, found.figures)
    scores = replace(
        found,
        figures={name: found.figures[name] for name in placed},
        trial_cost={**found.trial_cost, **_trial_costs(results)},
    )
    evaluation = evaluated(scenario, run, config, prepared, scores)
    advised = evaluation.recommendation
    pilots = {row: each.state[PILOT] for row, each in results.items() if PILOT in each.state}
    _write_traces(evaluation)
    result = {
        "tables": {
            _table_title(evaluation): table_of(scenario, evaluation),
            **(scenario.tables(evaluation) if scenario.tables else {}),
        },
        "notes": [
            *([advised.sentence] if advised else []),
            *scenario.notes(evaluation),
            *(
                pilot_sentence(k, each, results[k].state["num_updates"])
                for k, each in pilots.items()
            ),
            *prepared.notes,
        ],
        "kpis": {
            name: {k: s.mean for k, s in summary.items()}
            for name, summary in evaluation.summaries.items()
        },
    }
    if evaluation.gaps:
        result["gap_closed"] = {
            name: None if gap is None else [gap.estimate, gap.low, gap.high]
            for name, gap in evaluation.gaps.items()
        }
    if advised is not None:
        result["recommendation"] = _facts_of(advised)
    if pilots:
        result[PILOT] = pilots
    return result | dict(scenario.facts(evaluation) if scenario.facts else {})


def _trial_costs(results: Mapping[str, Checkpoint]) -> dict[str, np.ndarray]:
    """What learners' trial days cost all agents together, by row."""
    return {
        row: result.tensors[TRIAL_COST].double().numpy()
        for row, result in results.items()
        if TRIAL_COST in result.tensors
    }


def _facts_of(advised: Recommendation) -> dict[str, Any]:
    """A recommendation for `result.json`; the gain is of all agents together, per day."""
    tried = advised.adoption
    return {
        "row": advised.row,
        "coordinated": advised.coordinated,
        "against": advised.against,
        "decision": tried.decision,
        "gain": [tried.gain.estimate, tried.gain.low, tried.gain.high],
        "confidence": tried.confidence,
        "trial_days": tried.pairs,
        "sentence": advised.sentence,
    }


def _table_title(evaluation: Evaluation) -> str:
    scenario = evaluation.scenario
    if scenario.title is not None:
        return scenario.title(evaluation)
    return f"means over {evaluation.num_days} {scenario.scope}"


def evaluated(
    scenario: Scenario,
    run: RunDirectory,
    config: RunConfig,
    prepared: Prepared,
    scores: Scores,
) -> Evaluation:
    """Scores with means, intervals and gaps."""

    def draws() -> np.random.Generator:
        return numpy_generator(config.seed, Stream.BOOTSTRAP)

    rng = draws()
    gaps: Mapping[str, Interval | None] = {}
    if scenario.best is not None:
        gaps = gaps_closed(scores, scenario.baseline, scenario.best, rng)
    summaries = {
        name: summarise(figures, draws() if scenario.paired_intervals else rng)
        for name, figures in scores.figures.items()
    }
    return Evaluation(
        scenario=scenario,
        run=run,
        config=config,
        prepared=prepared,
        scores=scores,
        summaries=summaries,
        gaps=gaps,
        recommendation=recommendation(
            scores.trial_cost,
            next(iter(config.learners)),
            scenario.uncoordinated,
            scenario.labels,
            scenario.cost_unit,
        ),
    )


def table_of(scenario: Scenario, evaluation: Evaluation) -> list[dict[str, Any]]:
    """Rows of the table that a run ends with."""
    return [_row(scenario, evaluation, name) for name in evaluation.scores.figures]


def _row(scenario: Scenario, evaluation: Evaluation, name: str) -> dict[str, Any]:
    summary, scores = evaluation.summaries[name], evaluation.scores
    first, *others = scenario.columns
    title = _title(evaluation, name) + scores.suffixes.get(name, "")
    row: dict[str, Any] = {"policy": title}
    row[first.title] = _rounded(summary, first)
    if evaluation.gaps:
        row["gap closed %"] = percent(evaluation.gaps[name])
    row |= {column.title: _rounded(summary, column) for column in others}
    if knows := scenario.knows(evaluation.config):
        row["knows"] = knows.get(name, knows.get(LEARNED, ""))
    if evaluation.recommendation is not None:
        row["recommended"] = "yes" if name == evaluation.recommendation.row else ""
    row[f"kB exchanged/{scenario.agent}"] = _kilobytes(scores, name)
    return row


def _title(evaluation: Evaluation, name: str) -> str:
    """What people call a row; somebody's own algorithm says so itself."""
    own = evaluation.config.learners.get(name)
    labels = evaluation.scenario.labels
    return title_of(labels, name) if own is None or name in labels else algorithm_named(own).title


def _rounded(summary: Mapping[str, Summary], column: Column) -> float | str:
    if column.figure not in summary or np.isnan(summary[column.figure].mean):
        return column.absent
    value = column.scale * getattr(summary[column.figure], column.value)
    return value if column.digits is None else round(value, column.digits)


def percent(gap: Interval | None) -> str:
    """A gap closed with its interval, in words."""
    if gap is None:
        return "no dilemma"
    return f"{100 * gap.estimate:.0f} [{100 * gap.low:.0f}, {100 * gap.high:.0f}]"


def _kilobytes(scores: Scores, name: str) -> float | str:
    if name not in scores.bytes_by_kind:
        return ""
    sent = sum(scores.bytes_by_kind[name].values())
    return round(sent / max(1, scores.num_agents) / 1000, 1)


def _write_traces(evaluation: Evaluation) -> None:
    scenario = evaluation.scenario
    run, config, scores = evaluation.run, evaluation.config, evaluation.scores
    constants = {"run_id": run.trace_run_id, "seed": config.seed}
    writer = TraceWriter(run.path, level=config.trace, constants=constants, date=config.day_0)
    writer.discard_after({})
    if writer.writes("run"):
        write_run(
            writer,
            task=evaluation.prepared.task or scenario.name,
            algorithm=evaluation.algorithm,
            num_agents=scores.num_agents,
            num_updates=scores.num_updates.get(evaluation.algorithm, 0),
            config_sha256=run.config_sha256,
        )
    if scenario.record is None:
        for name in scores.figures:
            write_key_figures(writer, evaluation, name)
    else:
        scenario.record(writer, evaluation)
    _write_recommendation(writer, evaluation)
    writer.commit()


def _write_recommendation(writer: TraceWriter, evaluation: Evaluation) -> None:
    """Rows of the `kpi` table: which row is recommended, and what trial days gained."""
    advised, scenario = evaluation.recommendation, evaluation.scenario
    if advised is None or not writer.writes("kpi"):
        return
    gain, days = advised.adoption.gain, advised.adoption.pairs
    method = (
        f"paired trial days against {advised.against}; Student's t, each bound with "
        f"{100 * advised.adoption.confidence:g} % confidence"
    )
    for row in {advised.coordinated: None, advised.against: None, advised.row: None}:
        yes = float(row == advised.row)
        figures = {"recommended": Summary(mean=yes, ci_low=yes, ci_high=yes, num_days=days)}
        if row == advised.coordinated:
            figures[f"trial_gain_{scenario.cost_unit.lower()}".rstrip("_")] = Summary(
                mean=gain.estimate, ci_low=gain.low, ci_high=gain.high, num_days=days
            )
        write_kpis(
            writer, row, figures, {}, scope="trial days", method=method, units=scenario.units
        )


def write_key_figures(
    writer: TraceWriter, evaluation: Evaluation, name: str, only: Collection[str] | None = None
) -> None:
    """Rows of the `kpi` table of one row, against the baseline's figures; all, or `only` some."""
    scenario = evaluation.scenario
    if not writer.writes("kpi"):
        return
    known, gap = evaluation.summaries[name], evaluation.gaps.get(name)
    figures = {key: value for key, value in known.items() if only is None or key in only}
    if gap is not None:
        figures["gap_closed"] = gap_summary(gap, evaluation.num_days)
    samples = scenario.scope.removeprefix("held-out ")
    write_kpis(
        writer,
        name,
        figures,
        evaluation.summaries[scenario.baseline],
        scope=scenario.scope,
        method=METHOD.format(samples=samples, baseline=scenario.baseline),
        units=scenario.units,
    )
