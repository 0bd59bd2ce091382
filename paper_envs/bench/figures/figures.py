"""The figures of a benchmark, one set per suite; numbered like the paper's where it has the same.

Here are those of the main comparison and of what is taken away from SS. A figure whose runs are
missing is left out.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from paper_envs.bench.figures.agents import numbers_of_agents
from paper_envs.bench.figures.predation import (
    cooperators,
    joint_actions,
    less_communication,
    suggestions,
)
from paper_envs.bench.figures.style import (
    BAND,
    COMPONENTS,
    DOTS,
    FIG_8_VARIANTS,
    RETURN_AXIS,
    SETTINGS,
    Figure,
    Series,
    algorithm_series,
    canvas,
    draw_curves,
    draw_points,
    finished,
    in_words,
    legend_below,
    place_name,
    unfinished_words,
    variant_style,
)
from paper_envs.bench.results.comparisons import Scale, Suite, interval_of, sample
from paper_envs.bench.results.tables import bytes_per_agent_update

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Setting = tuple[str, int]  # task and number of agents


def draw_figures(suites: Iterable[Suite]) -> list[Figure]:
    """Every figure that the runs allow."""
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        drawn = [draw(suite) for suite in suites for draw in FIGURES]
    return [figure for figure in drawn if figure is not None]


def _settings(suite: Suite) -> list[Setting]:
    """The tasks that were run, with the number of agents of the main comparison."""
    sizes = [(task, suite.size(task)) for task in suite.tasks]
    return [(task, size) for task, size in sizes if size is not None]


def _main_series(suite: Suite, setting: Setting) -> list[Series]:
    return algorithm_series(suite.algorithms(*setting))


def _finals(suite: Suite, settings: Iterable[Setting]) -> str:
    """Final returns in words."""
    return " ".join(
        f"{place_name(*setting)}, final: {in_words(_main_series(suite, setting))}."
        for setting in settings
    )


def training_curves(suite: Suite) -> Figure | None:
    """Fig. 1: averaged return during training, a panel per task."""
    settings = _settings(suite)
    if not settings:
        return None
    title = f"Averaged return during training (preset {suite.preset})"
    figure, axes = canvas(len(settings), title)
    for axis, setting in zip(axes, settings, strict=True):
        draw_curves(axis, _main_series(suite, setting), "averaged_return")
        axis.set_title(place_name(*setting))
        axis.set_ylabel("averaged return")
    legend_below(figure, axes, columns=7)
    caption = f"External reward per agent and step; higher is better. {BAND}"
    alt = f"Line charts of averaged return against training episodes. {_finals(suite, settings)}"
    return finished(figure, suite, "fig1-training-curves", title=title, caption=caption, alt=alt)


def final_returns(suite: Suite) -> Figure | None:
    """Fig. 2 as it was measured: final averaged return of every seed."""
    settings = _settings(suite)
    if not settings:
        return None
    title = f"Final averaged return (preset {suite.preset})"
    figure, axes = canvas(len(settings), title)
    for axis, setting in zip(axes, settings, strict=True):
        series = _main_series(suite, setting)
        draw_points(axis, [(one.style, sample(one.runs)) for one in series])
        axis.set_title(place_name(*setting))
        axis.set_xlabel(RETURN_AXIS)
    caption = f"Evaluation after training; further right is better. {DOTS}"
    alt = f"Dot plots of final averaged returns. {_finals(suite, settings)}"
    return finished(figure, suite, "fig2-final-returns", title=title, caption=caption, alt=alt)


def normalised_returns(suite: Suite) -> Figure | None:
    """Fig. 2 as in the paper: all tasks on one scale."""
    scales = {setting: suite.scale(*setting) for setting in _settings(suite)}
    known = {setting: scale for setting, scale in scales.items() if scale is not None}
    if not known:
        return None
    title = f"Final averaged return, normalised within each task (preset {suite.preset})"
    figure, (axis,) = canvas(1, title)
    figure.set_size_inches(max(7.0, 2.6 * len(known)), 4.2)
    names = {name for setting in known for name in suite.algorithms(*setting)}
    rows = algorithm_series(dict.fromkeys(names, ()))
    width = 0.84 / len(rows)
    for column, (setting, scale) in enumerate(known.items()):
        for one in _main_series(suite, setting):
            place = [row.style for row in rows].index(one.style) - (len(rows) - 1) / 2
            _draw_bar(axis, column + place * width, width, one, scale)
    for one in rows:
        axis.plot([], [], "s", color=one.style.colour, label=one.style.title)
    axis.set_xticks(range(len(known)), [place_name(*each).replace(", ", "\n") for each in known])
    axis.set_ylabel("0 = worst algorithm, 1 = best")
    axis.grid(visible=False, axis="x")
    legend_below(figure, [axis], columns=4)
    caption = (
        "Interquartile mean over seeds, with 0 at the worst and 1 at the best algorithm of a task; "
        "black lines: 95 % bootstrap intervals."
    )
    if unfinished_words(suite):
        caption = f"{caption} Finished runs set 0 and 1 where two algorithms have any."
    alt = f"Bar chart of normalised final returns. {_finals(suite, known)}"
    return finished(figure, suite, "fig2-normalised", title=title, caption=caption, alt=alt)


def _draw_bar(axis: "Axes", x: float, width: float, one: Series, scale: Scale) -> None:
    interval = interval_of(scale.normalised(sample(one.runs)))
    if interval is not None:
        axis.bar(x, interval.estimate, width * 0.92, color=one.style.colour, alpha=0.6)
        axis.plot([x, x], [interval.low, interval.high], color="black", linewidth=1.4)
        axis.plot(x, interval.estimate, one.style.marker, color="black", markersize=5)


def _variant_series(suite: Suite, setting: Setting, names: Sequence[str]) -> list[Series]:
    task, size = setting
    return [
        Series(
            style=variant_style(name), runs=suite.runs(task, "ss", num_agents=size, variant=name)
        )
        for name in names
    ]


def without_constraints(suite: Suite) -> Figure | None:
    """Fig. 4: SS with ρ = 0."""
    settings = [each for each in _settings(suite) if "rho0" in suite.variants(*each)]
    if not settings:
        return None
    title = f"SS with and without its constraints, ρ = 0 (preset {suite.preset})"
    figure, axes = canvas(len(settings), title)
    ends = []
    for axis, setting in zip(axes, settings, strict=True):
        series = _variant_series(suite, setting, ("", "rho0"))
        draw_curves(axis, series, "averaged_return")
        axis.set_title(place_name(*setting))
        axis.set_ylabel("averaged return")
        ends.append(f"{place_name(*setting)}: {in_words(series)}")
    legend_below(figure, axes)
    caption = f"What is lost when nothing draws suggestions and policies together. {BAND}"
    alt = f"Line charts of averaged return. Final: {'; '.join(ends)}."
    name = "fig4-without-constraints"
    return finished(figure, suite, name, title=title, caption=caption, alt=alt)


def components(suite: Suite) -> Figure | None:
    """Fig. 4b: one part of SS at a time taken away or set back."""
    chosen: dict[Setting, list[str]] = {}
    for setting in _settings(suite):
        variants = suite.variants(*setting)
        others = [name for name in variants if name not in {*COMPONENTS, *FIG_8_VARIANTS, "rho0"}]
        names = [*(name for name in COMPONENTS if name in variants), *others]
        if names:
            chosen[setting] = ["", *(["rho0"] if "rho0" in variants else []), *names]
    if not chosen:
        return None
    title = f"SS, one part at a time taken away or set back (preset {suite.preset})"
    figure, axes = canvas(len(chosen), title, columns=1)
    figure.set_size_inches(7.6, 1.0 + sum(0.36 * len(names) + 0.9 for names in chosen.values()))
    ends = []
    for axis, (setting, names) in zip(axes, chosen.items(), strict=True):
        series = _variant_series(suite, setting, names)
        draw_points(axis, [(one.style, sample(one.runs)) for one in series])
        default = interval_of(sample(series[0].runs))
        if default is not None:
            axis.axvline(default.estimate, color=series[0].style.colour, linewidth=1, linestyle=":")
        axis.set_title(place_name(*setting))
        axis.set_xlabel(RETURN_AXIS)
        ends.append(f"{place_name(*setting)}: {in_words(series)}")
    caption = f"Final averaged return; further right is better. {DOTS} Dotted line: SS as it is."
    alt = f"Dot plot of final averaged returns. {'; '.join(ends)}."
    return finished(figure, suite, "fig4b-components", title=title, caption=caption, alt=alt)


def exchange(suite: Suite) -> Figure | None:
    """What every algorithm sends."""
    settings = [each for each in _settings(suite) if _costs(suite, each)]
    if not settings:
        return None
    title = f"Bytes that an agent sends per update (preset {suite.preset})"
    figure, axes = canvas(len(settings), title)
    words = []
    for axis, setting in zip(axes, settings, strict=True):
        costs = _costs(suite, setting)
        for row, (one, cost) in enumerate(costs):
            axis.plot([1, cost], [row, row], color=one.style.colour, linewidth=3)
            axis.plot(cost, row, one.style.marker, color=one.style.colour, markersize=8)
            axis.annotate(_size(cost), (cost, row), (8, 0), textcoords="offset points", va="center")
        axis.set_xscale("log")
        axis.minorticks_off()
        axis.set_xlim(1, 40 * max(cost for _, cost in costs))
        axis.set_ylim(len(costs) - 0.4, -0.6)
        axis.set_yticks(range(len(costs)), [one.style.title for one, _ in costs])
        axis.grid(visible=False, axis="y")
        axis.set_title(place_name(*setting))
        axis.set_xlabel("bytes per agent and update (log scale)")
        named = ", ".join(f"{one.style.title} {_size(cost)}" for one, cost in costs)
        words.append(f"{place_name(*setting)}: {named}")
    caption = "Counted at the channel, all kinds of messages; whoever sends nothing is left out."
    alt = f"Bytes per agent and update. {'; '.join(words)}."
    return finished(figure, suite, "fig-exchange", title=title, caption=caption, alt=alt)


def _costs(suite: Suite, setting: Setting) -> list[tuple[Series, float]]:
    """Bytes per agent and update of every algorithm that sends any."""
    costs = [(one, bytes_per_agent_update(one.runs)) for one in _main_series(suite, setting)]
    return [(one, cost) for one, cost in costs if cost > 0]


def _size(num_bytes: float) -> str:
    """`12 kB`, in powers of a thousand."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= factor:
            return f"{num_bytes / factor:.3g} {unit}"
    return f"{num_bytes:.0f} B"


FIGURES: tuple[Callable[[Suite], Figure | None], ...] = (
    training_curves,
    final_returns,
    normalised_returns,
    joint_actions,
    without_constraints,
    components,
    suggestions,
    less_communication,
    exchange,
    cooperators,
    numbers_of_agents,
)
