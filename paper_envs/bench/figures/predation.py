"""Figures of Predation alone: joint actions, suggestions, communication, cooperators."""

from paper_envs.bench.figures.style import (
    BAND,
    DOTS,
    FIG_8_VARIANTS,
    RETURN_AXIS,
    VARIANTS,
    Figure,
    Series,
    Style,
    algorithm_series,
    canvas,
    draw_curves,
    draw_points,
    finished,
    in_words,
    legend_below,
    variant_style,
)
from paper_envs.bench.results.comparisons import Suite, sample, share_of_cooperators
from paper_envs.tasks import TASKS
from ss_core.statistics import interquartile_mean

TASK = "predation"
PAIR = 2
JOINT_ACTIONS = (
    ("rate_all", "both approach (C-C)"),
    ("rate_mixed", "one approaches (C-D)"),
    ("rate_none", "both turn away (D-D)"),
)


def _has(series: list[Series], column: str) -> bool:
    return any(column in run.curve for one in series for run in one.runs)


def joint_actions(suite: Suite) -> Figure | None:
    """Fig. 3: what two predators do."""
    if not suite.in_paper:
        return None
    series = algorithm_series(suite.algorithms(TASK, PAIR))
    rho0 = suite.runs(TASK, "ss", num_agents=PAIR, variant="rho0")
    series += [Series(style=VARIANTS["rho0"], runs=rho0)] if rho0 else []
    if not _has(series, "rate_all"):
        return None
    title = f"Two predators: who approaches during training (preset {suite.preset})"
    figure, axes = canvas(4, title)
    draw_curves(axes[0], series, "averaged_return")
    axes[0].set_title("averaged return (optimum −1)")
    axes[0].set_ylabel("averaged return")
    for axis, (column, name) in zip(axes[1:], JOINT_ACTIONS, strict=True):
        draw_curves(axis, series, column)
        axis.set_title(name)
        axis.set_ylabel("share of steps")
        axis.set_ylim(-0.03, 1.03)
    legend_below(figure, axes)
    caption = f"Joint actions in Cooperative Predation with two agents. {BAND}"
    ends = in_words(series, share_of_cooperators(PAIR))
    alt = f"Line charts of joint action rates. Share of C-C after training: {ends}."
    return finished(figure, suite, "fig3-joint-actions", title=title, caption=caption, alt=alt)


def suggestions(suite: Suite) -> Figure | None:
    """Fig. 5: what is suggested, and how far policies are from it."""
    if not suite.in_paper:
        return None
    sizes = sorted(
        cell.num_agents
        for cell in suite.cells
        if (cell.task, cell.algorithm, cell.variant) == (TASK, "ss", "")
    )
    styles = (
        Style(title="", colour="#0072B2", width=2.4),
        Style(title="", colour="#D55E00", dashes=(0, (5, 2)), marker="X"),
        Style(title="", colour="#009E73", dashes=(0, (2, 1)), marker="P"),
    )
    series = [
        Series(
            style=Style(title=f"{size} agents", colour=style.colour, dashes=style.dashes),
            runs=suite.runs(TASK, "ss", num_agents=size),
        )
        for size, style in zip(sizes, styles, strict=False)
    ]
    if not _has(series, "suggestion_mse"):
        return None
    title = f"Predation: what SS suggests, and how far policies are from it (preset {suite.preset})"
    figure, axes = canvas(2, title)
    draw_curves(axes[0], series, "suggested_cooperation")
    axes[0].set_title("probability suggested for approaching")
    axes[0].set_ylim(-0.03, 1.03)
    axes[0].set_ylabel("probability")
    draw_curves(axes[1], series, "suggestion_mse")
    axes[1].set_title("policy against suggestion")
    axes[1].set_ylabel("mean squared error")
    axes[1].set_ylim(bottom=0)
    legend_below(figure, axes)
    caption = f"The paper shows two agents; its optimum is to suggest approaching always. {BAND}"
    alt = (
        "Line charts of the probability suggested for approaching and of the mean squared error. "
        f"Final averaged returns: {in_words(series)}."
    )
    return finished(figure, suite, "fig5-suggestions", title=title, caption=caption, alt=alt)


def less_communication(suite: Suite) -> Figure | None:
    """Fig. 8: fewer neighbours, and half the communication."""
    variants = suite.variants(TASK) if suite.in_paper else {}
    names = [name for name in FIG_8_VARIANTS if name in variants]
    if not names:
        return None
    default = Series(style=VARIANTS[""], runs=suite.runs(TASK, "ss"))
    series = [default, *(Series(style=variant_style(name), runs=variants[name]) for name in names)]
    title = f"Predation, {TASKS[TASK].num_agents} agents: talking to fewer, or less often"
    title = f"{title} (preset {suite.preset})"
    figure, axes = canvas(2, title)
    draw_curves(axes[0], series, "averaged_return")
    axes[0].set_title("during training")
    axes[0].set_ylabel("averaged return")
    draw_points(axes[1], [(one.style, sample(one.runs)) for one in series])
    axes[1].set_title("after training")
    axes[1].set_xlabel(RETURN_AXIS)
    legend_below(figure, axes[:1])
    caption = f"Higher, and further right, is better. {BAND} {DOTS}"
    alt = f"Line chart and dot plot of averaged return. Final: {in_words(series)}."
    return finished(figure, suite, "fig8-less-communication", title=title, caption=caption, alt=alt)


def cooperators(suite: Suite) -> Figure | None:
    """How many of eight predators approach, by algorithm: a return of -2 is one volunteer."""
    if not suite.in_paper:
        return None
    count = TASKS[TASK].num_agents
    counts = range(count + 1)
    series = [
        one
        for one in algorithm_series(suite.algorithms(TASK))
        if sample(one.runs, share_of_cooperators(0)).size
    ]
    if not series:
        return None
    title = f"Predation, {count} agents: how many approach after training (preset {suite.preset})"
    figure, axes = canvas(len(series), title, columns=4)
    figure.set_size_inches(10.0, 2.5 * -(-len(series) // 4) + 0.6)
    for axis, one in zip(axes, series, strict=True):
        shares = [interquartile_mean(sample(one.runs, share_of_cooperators(k))) for k in counts]
        axis.bar(counts, shares, color=one.style.colour)
        axis.set_title(one.style.title)
        axis.set_xticks(counts)
        axis.set_ylim(0, 1.03)
        axis.set_xlabel("agents that approach")
        axis.set_ylabel("share of steps")
        axis.grid(visible=False, axis="x")
    caption = (
        f"Share of evaluation steps in which so many of {count} agents approach, interquartile "
        "mean over seeds. All cooperate: return −1; exactly one: −2; none: −15."
    )
    alt = f"Histograms. Share of steps in which all {count} approach: " + in_words(
        series, share_of_cooperators(count)
    )
    return finished(figure, suite, "fig-cooperators", title=title, caption=caption, alt=f"{alt}.")
