"""A run's whole page: what its world has to say, then the chapters that every run has."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ss_core.analysis.run_data import RunData
from ss_core.report.exchange import exchange_section
from ss_core.report.labels import Labels
from ss_core.report.learning import Score, gap_section, learning_section
from ss_core.report.page import html_page
from ss_core.report.page_model import Item, Page, Part, Section
from ss_core.report.provenance import incidents_section, made_section

FOOTER = (
    "This file is complete in itself: it loads nothing, sends nothing, and may be mailed. It shows "
    "what the run’s operator sees, private figures of agents included; ss export --view public "
    "makes tables without them."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a world tells about one run."""

    title: str
    part: Part
    labels: Labels
    rows: Sequence[str]  # of its table, in order
    score: Score
    gap_formula: str  # "" where a world has no gap to close
    algorithm: str  # the row whose messages are shown
    trust: Sequence[Item] = ()  # what was checked, beside incidents


def _gap_sections(data: RunData, summary: RunSummary) -> list[Section]:
    if not summary.gap_formula:
        return []
    return [gap_section(data, summary.labels, summary.rows, summary.gap_formula)]


def run_page(data: RunData, summary: RunSummary) -> bytes:
    """The page of one run as a file.

    Raises:
        CorruptError: a table of the run is not readable.
        InputError: plotly is not installed.
    """
    sections = (
        *summary.part.sections,
        *_gap_sections(data, summary),
        learning_section(data, summary.labels, summary.score),
        exchange_section(data, summary.algorithm),
        incidents_section(data, summary.trust),
        made_section(data),
    )
    advised = data.result.get("recommendation", {}).get("sentence", "")
    part = replace(summary.part, verdict=f"{summary.part.verdict} {advised}".rstrip())
    page = Page(title=summary.title, part=part, sections=sections, footer=FOOTER)
    return html_page(page)
