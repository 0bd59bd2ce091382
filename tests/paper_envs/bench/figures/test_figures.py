"""The figures of a benchmark: which there are, what they say, equal ones from equal runs."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from io import BytesIO

import matplotlib as mpl
import pytest
from PIL import Image

from paper_envs.bench.figures.agents import numbers_of_agents
from paper_envs.bench.figures.figures import draw_figures, final_returns
from paper_envs.bench.figures.style import (
    COMPONENTS,
    Figure,
    Series,
    algorithm_series,
    algorithm_style,
    canvas,
    draw_curves,
    variant_style,
)
from paper_envs.bench.results.comparisons import Suite, by_cell, suites_of
from paper_envs.bench.results.results import RunResult
from paper_envs.presets import ABLATIONS, VARIANTS
from tests.support.bench_results import a_benchmark, cell_of, runs_of

SMALL = [
    *runs_of(cell_of("navigation", "ss"), [-0.3, -0.4, -0.5], start=-3.0),
    *runs_of(cell_of("navigation", "new-idea"), [-0.6, -0.7, -0.5], start=-3.0),
]


def suites(results: list[RunResult]) -> list[Suite]:
    return suites_of(by_cell(results))


@pytest.fixture(scope="module")
def all_figures() -> list[Figure]:
    return draw_figures(suites(a_benchmark(3)))


def names(figures: list[Figure]) -> list[str]:
    return [figure.name for figure in figures]


@pytest.mark.slow
def test_a_whole_benchmark_has_every_figure_and_small_variants_have_their_own(
    all_figures: list[Figure],
) -> None:
    assert names(all_figures) == [
        "fig1-training-curves-tuned",
        "fig2-final-returns-tuned",
        "fig2-normalised-tuned",
        "fig3-joint-actions-tuned",
        "fig4-without-constraints-tuned",
        "fig4b-components-tuned",
        "fig5-suggestions-tuned",
        "fig8-less-communication-tuned",
        "fig-exchange-tuned",
        "fig-cooperators-tuned",
        "fig-agents-tuned",
        "fig1-training-curves-tuned-small",
        "fig2-final-returns-tuned-small",
        "fig2-normalised-tuned-small",
        "fig4-without-constraints-tuned-small",
        "fig-exchange-tuned-small",
    ]


def test_numbers_of_agents_are_drawn_where_several_were_run() -> None:
    results = [
        run
        for size, variant in ((2, ""), (4, ""), (16, "m4"))
        for run in runs_of(cell_of("cleanup", "ss", num_agents=size, variant=variant), [size / 16])
    ]
    (suite,) = suites(results)
    figure = numbers_of_agents(suite)
    assert figure is not None
    for size, value in ((2, "0.125"), (4, "0.250"), (16, "1.000")):
        assert f"Cleanup 11×18, {size} agents: SS {value} [{value}, {value}]" in figure.alt
    assert "With 16 agents, SS has 4 random neighbours an agent." in figure.caption
    without = numbers_of_agents(suites(results[:2])[0])
    assert without is not None
    assert "random neighbours" not in without.caption
    (one_size,) = suites(results[:1])
    assert numbers_of_agents(one_size) is None


@pytest.mark.slow
def test_pictures_are_legible_in_size_and_texts_are_texts(all_figures: list[Figure]) -> None:
    for figure in all_figures:
        with Image.open(BytesIO(figure.png)) as image:
            assert 800 <= image.width <= 1600, figure.name
            assert 500 <= image.height <= 1600, figure.name
        drawing = ET.fromstring(figure.svg)
        words = [text.text for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
        assert any(word and "preset" in word for word in words), figure.name
        assert figure.title
        assert figure.caption.endswith(".")
        assert len(figure.alt) > 40


def test_only_figures_with_runs_are_drawn_and_nothing_in_them_tells_time_or_version() -> None:
    figures = draw_figures(suites(SMALL))
    assert names(figures) == [
        "fig1-training-curves-tuned",
        "fig2-final-returns-tuned",
        "fig2-normalised-tuned",
        "fig-exchange-tuned",
    ]
    for figure in figures:
        assert b"dc:date" not in figure.svg
        assert b"Software" not in figure.png
    assert draw_figures([]) == []


def test_equal_runs_give_equal_bytes_and_settings_of_others_are_left_alone() -> None:
    before = dict(mpl.rcParams)
    results = [run for run in SMALL if run.cell.algorithm == "new-idea"]
    first, again = (draw_figures(suites(results)) for _ in range(2))
    assert first
    assert first == again
    assert dict(mpl.rcParams) == before


def test_the_text_alternative_tells_the_returns() -> None:
    (suite,) = suites(SMALL)
    figure = final_returns(suite)
    assert figure is not None
    assert "Cooperative Navigation 5×5, 3 agents, final: SS -0.40 [-0.50, -0.30]" in figure.alt
    assert "new-idea -0.60 [-0.70, -0.50]" in figure.alt


def test_algorithms_stand_in_one_order_with_styles_of_their_own() -> None:
    series = algorithm_series(dict.fromkeys(("vs", "new-idea", "imr", "ss"), ()))
    assert [one.style.title for one in series] == ["SS", "VS", "IMR", "new-idea"]
    known = [algorithm_style(name) for name in ("ss", "independent", "centralised", "vps", "vs")]
    assert len({(style.colour, style.marker) for style in known}) == len(known)
    assert variant_style("lambda-0.98").title == "GAE λ = 0.98"
    assert variant_style("new-variant").title == "new-variant"


def test_every_variant_has_a_title_and_no_title_is_of_a_variant_that_does_not_exist() -> None:
    assert set(ABLATIONS) <= set(COMPONENTS)
    assert set(COMPONENTS) <= set(VARIANTS)
    assert all(variant_style(name).title != name for name in VARIANTS)


def test_a_curve_of_one_point_is_a_mark() -> None:
    for points, marker in ((1, "o"), (2, "None")):
        runs = tuple(
            replace(run, curve={name: values[:points] for name, values in run.curve.items()})
            for run in SMALL[:3]
        )
        _, (axis,) = canvas(1, "")
        draw_curves(axis, [Series(style=algorithm_style("ss"), runs=runs)], "averaged_return")
        (line,) = axis.get_lines()
        assert (line.get_marker(), len(line.get_xydata())) == (marker, points)  # type: ignore[arg-type]
