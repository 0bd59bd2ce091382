"""Pages of made-up content, for tests."""

import numpy as np

from ss_core.report.charts import Bar, Series, bar_chart, line_chart, matrix_chart
from ss_core.report.network_map import Stretch, network_chart
from ss_core.report.page_model import (
    Chart,
    Code,
    KeyFigure,
    Page,
    Part,
    Picture,
    Section,
    Table,
    Text,
)


def page_saying(word: str) -> Page:
    """A page with a word in every place that may hold text of a run."""
    series = Series(
        name=word, role="ours", x=[0.0, 1.0], y=[1.0, 2.0], low=[0.5, 1.5], high=[2.0, 3.0]
    )
    table = Table(columns=(word, "number"), rows=[(word, 1.0)], caption=word)

    def chart(slug: str, figure: dict) -> Chart:
        return Chart(slug=slug, title=word, alt=word, panels=(figure,), table=table, note=word)

    stretch = Stretch(name=word, x=[0.0, 1.0], y=[0.0, 1.0], value=3.0)
    charts = (
        chart("bars", bar_chart([Bar(label=word, role="best", value=1.0)], value_title=word)),
        chart("matrix", matrix_chart(np.eye(2), row_title=word, column_title=word, unit=word)),
        chart(
            "net",
            network_chart(
                [stretch], bounds=[1.0], unit=word, title=word, points=([0.0], [0.0], [word])
            ),
        ),
    )
    lines = line_chart([series], x_title=word, y_title=word, limit=(1.5, word))
    part = Part(
        question=word,
        verdict=word,
        picture=chart("first", lines),
        figures=(KeyFigure(label=word, value=word, detail=word),),
    )
    picture = Picture(slug="drawn", title=word, alt=word, kind="png", data=b"", caption=word)
    section = Section(
        slug="all", title=word, intro=word, items=(*charts, picture, table, Text(word), Code(word))
    )
    return Page(title=word, part=part, sections=(section,), footer=word)
