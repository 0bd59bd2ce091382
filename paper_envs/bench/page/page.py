"""One self-contained HTML page of a benchmark: question, verdict, claims, figures, tables, means.

It loads nothing: style and pictures are inside, scripts there are none, and its own content policy
forbids everything else. Every word from outside this module is escaped.
"""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from paper_envs.bench.claims.evidence import Outcome
from paper_envs.bench.claims.verdicts import Claim
from paper_envs.bench.figures.style import Figure

INTERVAL = re.compile(r"-?[\d.e-]+ \[-?[\d.e-]+, -?[\d.e-]+\]")
NO_BREAK = "\N{NO-BREAK SPACE}"
MAX_BYTES = 8_000_000
OUTCOMES: dict[Outcome, tuple[str, str]] = {  # class of the style sheet, mark
    "holds": ("holds", "✓"),
    "does not hold": ("fails", "✗"),
    "undecided": ("open", "?"),
    "not run": ("none", "–"),
}
TITLE = "Sharing suggestions: the paper’s experiments, run again"
QUESTION = (
    "Agents with rewards of their own share nothing but suggestions: what they would do, and what "
    "they would have others do. Does that make them cooperate as well as sharing values, policies "
    "or rewards does? Every claim of the paper is put to a test that can fail."
)
RULES = (
    "Returns are external rewards per agent and step, measured in evaluation episodes after "
    "training. Estimates are interquartile means over seeds, intervals 95 % percentile bootstrap "
    "intervals over seeds. A claim holds when its whole interval lies on the claimed side, does "
    "not hold when it lies on the other side, and is undecided otherwise, or with fewer than five "
    "seeds. In a simulation without a true difference, five seeds put the whole interval above 0 "
    "in about 3 % of cases (2.5 % would be exact), three seeds in 10 %. Claims about all tasks are "
    "a mean over those that were run, each counted alike; their figures begin with which these "
    "are. "
    "Claims of being level, or of a small number, are undecided where nothing has been learned."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One preset on the paper's tasks, or on their small variants."""

    slug: str
    title: str
    claims: Sequence[Claim]
    returns: Sequence[Mapping[str, str]]  # the table of final returns, by column
    figures: Sequence[Figure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How the results came about."""

    command: str  # the last one, which need not have run everything
    profile: str
    seeds: Sequence[int]
    num_runs: int
    versions: Mapping[str, str | None]
    missing: Sequence[str]
    tables: Sequence[str]  # paths of files beside the page


def html_page(sections: Sequence[Section], facts: Facts) -> bytes:
    """The page; figures that would make it too large are left to their files."""
    small = _render(sections, facts, vector=True)
    return small if len(small) <= MAX_BYTES else _render(sections, facts, vector=False)


def _render(sections: Sequence[Section], facts: Facts, *, vector: bool) -> bytes:
    style = files("paper_envs.bench.page").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        f"<title>{TITLE}</title>",
        f"<style>{style}</style>",
        "</head>",
        "<body>",
        *_head(sections),
        "<main>",
        *(line for section in sections for line in _section(section, vector=vector)),
        *_means(facts),
        "</main>",
        "</body>",
        "</html>",
    ]
    return ("\n".join(lines) + "\n").encode()


def _head(sections: Sequence[Section]) -> list[str]:
    links = [
        f'<li><a href="#{escape(one.slug)}">{escape(_named(one))}</a></li>' for one in sections
    ]
    verdicts = [line for section in sections for line in _tally(section)]
    return [
        "<header>",
        f"<h1>{TITLE}</h1>",
        f"<p>{QUESTION}</p>",
        '<div class="verdicts">',
        *(verdicts or ["<p>No run has a result yet.</p>"]),
        "</div>",
        f'<nav aria-label="Sections"><ul>{"".join(links)}<li><a href="#means">How this was made'
        "</a></li></ul></nav>",
        "</header>",
    ]


def _named(section: Section) -> str:
    return f"Preset {section.title}"


def _tally(section: Section) -> list[str]:
    """How many of the paper's claims hold; ours are counted apart."""
    counts = Counter(claim.verdict for claim in section.claims if claim.source == "paper")
    ours = Counter(claim.verdict for claim in section.claims if claim.source == "ours")
    rows = [
        f'<li class="{kind}"><strong>{counts[outcome]}</strong> {mark} {escape(outcome)}</li>'
        for outcome, (kind, mark) in OUTCOMES.items()
        if counts[outcome]
    ]
    beside = (
        f'<p class="note">Of {ours.total()} tests of our own, {ours["holds"]} hold.</p>'
        if ours
        else ""
    )
    return [
        "<section>",
        f"<h3>{escape(_named(section))}</h3>",
        f"<div>{counts.total()} tests of the paper’s claims</div>",
        f'<ul class="tally">{"".join(rows)}</ul>{beside}',
        "</section>",
    ]


def _section(section: Section, *, vector: bool) -> list[str]:
    return [
        f'<section id="{escape(section.slug)}">',
        f"<h2>{escape(_named(section))}</h2>",
        "<h3>Claims</h3>",
        *_claims(section.claims),
        "<h3>Final averaged return</h3>",
        *_records(section.returns, "Interquartile mean over seeds [95 % interval]"),
        "<h3>Figures</h3>",
        *(_figure(figure, vector=vector) for figure in section.figures),
        "</section>",
    ]


def _claims(claims: Iterable[Claim]) -> list[str]:
    rows = []
    for claim in claims:
        kind, mark = OUTCOMES[claim.verdict]
        note = _lines(claim.beside, "note") + _lines(claim.note, "note")
        ours = " (ours)" if claim.source == "ours" else ""
        rows.append(
            "<tr>"
            f"<td>{escape(claim.statement)}{ours}</td>"
            f'<td data-label="Task">{escape(claim.task)}</td>'
            f'<td class="verdict {kind}">{mark} {escape(claim.verdict)}</td>'
            f"<td>{_lines(claim.figures)}{note}</td>"
            f'<td data-label="Decided by" class="note">{escape(claim.test)}</td>'
            "</tr>"
        )
    return [
        '<div class="scroll"><table class="cards"><thead><tr><th scope="col">Claim</th>'
        '<th scope="col">Task</th><th scope="col">Verdict</th><th scope="col">Figures</th>'
        '<th scope="col">Decided by</th></tr></thead><tbody>',
        *rows,
        "</tbody></table></div>",
    ]


def _lines(parts: str, kind: str = "figure") -> str:
    """Parts that semicolons separate, each on a line of its own."""
    lines = [part for part in parts.split("; ") if part]
    return "".join(f'<div class="{kind}">{_typeset(line)}</div>' for line in lines)


def _typeset(text: str) -> str:
    """Escaped, with true minus signs, and estimate and interval on one line."""
    unbroken = INTERVAL.sub(lambda found: found[0].replace(" ", NO_BREAK).replace("-", "−"), text)
    return escape(unbroken)


def _records(records: Sequence[Mapping[str, str]], caption: str) -> list[str]:
    if not records:
        return ["<p>Nothing was run.</p>"]
    names = list(records[0])
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = [
        f'<tr><th scope="row">{escape(record[names[0]])}</th>'
        + "".join(f'<td class="number">{_typeset(record[name])}</td>' for name in names[1:])
        + "</tr>"
        for record in records
    ]
    return [
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>',
        f"<thead><tr>{head}</tr></thead><tbody>",
        *rows,
        "</tbody></table></div>",
    ]


def _figure(figure: Figure, *, vector: bool) -> str:
    kind, data = ("svg+xml", figure.svg) if vector else ("png", figure.png)
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return (
        f'<figure id="{escape(figure.name)}"><div class="scroll" tabindex="0">'
        f'<img src="{source}" alt="{escape(figure.alt)}"></div>'
        f"<figcaption><b>{escape(figure.title)}.</b> {escape(figure.caption)}</figcaption></figure>"
    )


def _means(facts: Facts) -> list[str]:
    versions = ", ".join(
        f"{name} {version or 'absent'}" for name, version in facts.versions.items()
    )
    seeds = ", ".join(str(seed) for seed in facts.seeds) or "none"
    files_beside = ", ".join(
        f'<a href="{escape(path)}"><code>{escape(path)}</code></a>' for path in facts.tables
    )
    missing = (
        "<ul>"
        + "".join(f"<li><code>{escape(name)}</code></li>" for name in facts.missing)
        + "</ul>"
        if facts.missing
        else "<p>Every run that was planned has a result.</p>"
    )
    return [
        '<section id="means">',
        "<h2>How this was made</h2>",
        f"<p>{RULES}</p>",
        f"<p>Profile {escape(facts.profile)}: {facts.num_runs} runs. Seeds: {escape(seeds)}.</p>",
        "<p>The last of the commands that filled this folder; others may have run other conditions "
        "or seeds of it:</p>",
        f"<pre>{escape(facts.command)}</pre>",
        f"<p>{escape(versions)}.</p>",
        f"<p>Tables, with unit and meaning of every column inside: {files_beside}.</p>",
        "<h3>What was not run</h3>",
        missing,
        "<p>Claims marked “not run” need conditions that are not part of this profile.</p>",
        "</section>",
    ]
