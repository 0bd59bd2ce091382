"""What a training run of one task tells its readers, from its Parquet tables alone."""

from paper_envs.training.labels import LABELS, ROWS, UNTRAINED
from ss_core.analysis.run_data import Frame, RunData
from ss_core.report.assemble import RunSummary
from ss_core.report.charts import Bar, bar_chart
from ss_core.report.labels import role_of, title_of
from ss_core.report.learning import Score
from ss_core.report.page_model import Chart, Item, KeyFigure, Part, Table, Text


def run_summary(data: RunData) -> RunSummary:
    """The part of a training run's page that is about its task.

    Raises:
        CorruptError: a table cannot be read.
    """
    rows = data.table("kpi", ["algorithm", "kpi", "value", "ci_low", "ci_high", "n"])
    rows = rows[rows["kpi"] == "averaged_return"]
    agents = data.table("run", ["algorithm", "n_agent", "n_update"])
    algorithm = str(agents["algorithm"].iloc[0]) if len(agents) else _asked(data)
    count = f"{int(agents['n_agent'].iloc[0])} agents" if len(agents) else "agents"
    part = Part(
        question=f"Do {count} learn the task {data.task} by {title_of(LABELS, algorithm)}?",
        verdict=_verdict(rows, algorithm),
        picture=_before_after(rows) if len(rows) else None,
        figures=_figures(data, rows, algorithm, agents),
    )
    return RunSummary(
        title=f"Training run {data.block['run_id']}",
        part=part,
        labels=LABELS,
        rows=ROWS,
        score=Score(
            metric="held_out_averaged_return",
            title="averaged return per agent and step",
            lower_is_better=False,
            over="held-out episodes",
        ),
        gap_formula="",
        algorithm=algorithm,
        trust=_notes(data),
    )


def _asked(data: RunData) -> str:
    learner = data.config.get("learner")
    return str(learner.get("algorithm", "ss")) if isinstance(learner, dict) else "ss"


def _row(rows: Frame, algorithm: str) -> tuple[float, float, float] | None:
    found = rows[rows["algorithm"] == algorithm]
    if found.empty:
        return None
    value, low, high = found[["value", "ci_low", "ci_high"]].iloc[0].astype(float)
    return float(value), float(low), float(high)


def _verdict(rows: Frame, algorithm: str) -> str:
    before, after = _row(rows, UNTRAINED), _row(rows, algorithm)
    if after is None:
        return "This run has no scores yet: run the same command again to let it finish."
    said = (
        f"The averaged return per agent and step is {after[0]:.4g} [{after[1]:.4g}, {after[2]:.4g}]"
    )
    if before is None:
        return f"{said}."
    apart = after[1] > before[2]
    return (
        f"{said} after training, {before[0]:.4g} [{before[1]:.4g}, {before[2]:.4g}] before: "
        f"{'better, intervals apart' if apart else 'not surely better'}."
    )


def _before_after(rows: Frame) -> Chart:
    bars = [
        Bar(
            label=title_of(LABELS, row.algorithm),
            role=role_of(LABELS, row.algorithm),
            value=float(row.value),
            low=float(row.ci_low),
            high=float(row.ci_high),
        )
        for row in rows.itertuples()
    ]
    listed = ", ".join(f"{one.label} {one.value:.4g}" for one in bars)
    return Chart(
        slug="before-after",
        title="Averaged return, before and after training",
        alt=f"Averaged return per agent and step: {listed}.",
        panels=(bar_chart(bars, value_title="averaged return per agent and step"),),
        table=Table(
            columns=("policies", "averaged return", "from", "to", "episodes"),
            rows=[
                (bar.label, bar.value, bar.low, bar.high, int(n))
                for bar, n in zip(bars, rows["n"], strict=True)
            ],
            caption="95 % bootstrap intervals over held-out episodes",
        ),
        height_px=220,
    )


def _figures(data: RunData, rows: Frame, algorithm: str, agents: Frame) -> tuple[KeyFigure, ...]:
    before, after = _row(rows, UNTRAINED), _row(rows, algorithm)
    sent = data.table("message", ["n_bytes"])["n_bytes"].sum() / 1e6
    updates = str(int(agents["n_update"].iloc[0])) if len(agents) else "–"
    return (
        KeyFigure(label="Averaged return", value="–" if after is None else f"{after[0]:.4g}"),
        KeyFigure(label="Before training", value="–" if before is None else f"{before[0]:.4g}"),
        KeyFigure(label="Learner updates", value=updates),
        KeyFigure(label="Exchanged while learning", value=f"{sent:.3g} MB"),
    )


def _notes(data: RunData) -> list[Item]:
    return [Text(str(note)) for note in data.result.get("notes", [])]
