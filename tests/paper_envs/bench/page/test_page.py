"""The page of a benchmark: self-contained, escaped, and with every verdict on it."""

import base64
import hashlib
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from paper_envs.bench.claims.verdicts import Claim
from paper_envs.bench.outputs import write_outputs
from paper_envs.bench.page import report
from paper_envs.bench.page.curves import role
from paper_envs.bench.page.report import ABOUT, bench_page
from paper_envs.bench.results.comparisons import by_cell, suites_of
from paper_envs.bench.results.tables import (
    curve_rows,
    exchange_rows,
    final_rows,
    parquet_bytes,
    progress_rows,
    run_rows,
)
from paper_envs.bench.results.timing import Timing, write_timing
from ss_core.algorithms.names import ALGORITHM_FACTS
from ss_core.errors import InputError
from ss_core.report.charts import COLOURS, DASHES
from tests.support.bench_results import cell_of, runs_of

EVIL = '<script>alert("1")</script>'
CLAIM = Claim(
    claim="above-vs",
    preset="tuned",
    suite="paper",
    task="all",
    source="paper",
    statement=f"SS outperforms VS {EVIL}",
    test=f"interval above 0 {EVIL}",
    verdict="holds",
    figures=f"over VS -0.50 [-0.60, 0.40]; second {EVIL}",
    beside="",
    note=EVIL,
    num_runs=5,
    published_share=0.32,
)
CLAIMS = [
    CLAIM,
    replace(CLAIM, verdict="undecided", task="x"),
    replace(CLAIM, source="ours", task="y"),
]
FIGURE = {
    "name": "fig1-tuned",
    "preset": "tuned",
    "title": EVIL,
    "caption": f"A caption & more {EVIL}.",
    "alt": f'curves "{EVIL}"',
}
FACTS: dict[str, Any] = {
    "command": f"ss bench paper --env {EVIL}",
    "profile": f"quick{EVIL}",
    "seeds": [100, 101],
    "versions": {"Python": "3.11", "absent-package": None},
    "missing": [EVIL],
    "tables": ["tables/final.parquet"],
    "figures": [FIGURE, FIGURE | {"name": "../../secret"}, FIGURE | {"name": "gone"}],
}
VOID = {"meta", "img", "br", "link"}


def benchmark(folder: Path, **facts: Any) -> Path:
    """The folder of a small benchmark with hostile words wherever there are words."""
    results = [
        run
        for name, end in (("ss", -0.4), ("vs", -0.6))
        for run in runs_of(cell_of("navigation", name), [end, end - 0.1])
    ]
    cells = by_cell(results)
    tables: dict[str, list[dict[str, Any]]] = {
        "run": run_rows(cells),
        "curve": curve_rows(cells),
        "final": [row for suite in suites_of(cells) for row in final_rows(suite)],
        "exchange": exchange_rows(cells),
        "claim": [asdict(claim) for claim in CLAIMS],
        "progress": progress_rows(cells, ["navigation-3-tuned-ps/seed100"]),
    }
    for name, rows in tables.items():
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        (folder / "tables" / f"{name}.parquet").write_bytes(parquet_bytes(name, rows))
    (folder / "figures").mkdir(exist_ok=True)
    (folder / "figures" / "fig1-tuned.svg").write_bytes(b"<svg xmlns='x'></svg>")
    (folder / "figures" / "fig1-tuned.png").write_bytes(b"\x89PNG picture")
    (folder / ABOUT).write_text(json.dumps(FACTS | facts))
    return folder


class Reader(HTMLParser):
    """Collects elements and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return benchmark(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return bench_page(folder).decode()


@pytest.fixture(scope="module")
def reader(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_nothing_from_outside_becomes_markup(text: str, reader: Reader) -> None:
    assert EVIL not in text
    assert text.count("&lt;script&gt;") >= 8
    for attributes in reader.attributes("script"):
        assert attributes.keys() <= {"type", "id"}  # the page's two own ones, and data
    assert sum("type" not in attributes for attributes in reader.attributes("script")) == 2


def test_the_policy_allows_its_own_scripts_and_inline_pictures_only(
    text: str, reader: Reader
) -> None:
    policy = next(
        attributes["content"]
        for attributes in reader.attributes("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
    assert policy is not None
    hashes = " ".join(f"'sha256-{digest}'" for digest in digests)
    assert policy.startswith(f"default-src 'none'; script-src {hashes}; style-src")
    assert "img-src data: blob:;" in policy


def test_nothing_is_loaded_from_anywhere(reader: Reader) -> None:
    assert all(image["src"].startswith("data:") for image in reader.attributes("img"))  # type: ignore[union-attr]
    assert not reader.attributes("link") + reader.attributes("iframe")
    assert not any("src" in attributes for attributes in reader.attributes("script"))
    ids = {attributes.get("id") for _, attributes in reader.elements}
    for link in reader.attributes("a"):
        assert (link["href"] or "")[:1] == "#"
        assert (link["href"] or "")[1:] in ids


def test_every_picture_has_words(reader: Reader) -> None:
    (image,) = reader.attributes("img")  # of a file that is gone, or elsewhere, there is none
    assert image["alt"] == f'curves "{EVIL}"'
    charts = [one for _, one in reader.elements if one.get("role") == "img"]
    assert charts
    assert all(len(one["aria-label"] or "") > 20 for one in charts)


def test_the_verdict_comes_before_everything_else(text: str) -> None:
    assert (
        "Of 2 tests of the paper’s claims on its tasks: 1 ✓ holds, 1 ? undecided at 32 % of the "
        "published episodes (1 of 1 tests of our own hold)"
    ) in text
    assert text.index("1 ✓ holds") < text.index('<section id="claims">') < text.index("<img")
    assert "SS outperforms VS &lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; (ours)" in text


def test_numbers_have_true_minus_signs_and_do_not_break(text: str) -> None:
    assert "over VS −0.50\N{NO-BREAK SPACE}[−0.60,\N{NO-BREAK SPACE}0.40]" in text
    returns = text[text.index('id="returns-tuned"') :]
    assert "−0.45\N{NO-BREAK SPACE}[−0.50,\N{NO-BREAK SPACE}−0.40]" in returns


def test_it_says_how_it_was_made_and_what_is_missing(text: str, tmp_path: Path) -> None:
    made = text[text.index('<section id="made">') :]
    for words in ("quick&lt;script", "100, 101", "Python 3.11", "absent-package absent"):
        assert words in made
    assert "ss bench paper --env &lt;script" in made
    assert "The last of the commands that filled this folder" in made
    assert "fewer than five seeds" in made
    assert "tables/final.parquet" in made
    assert "run without a result" in made
    complete = bench_page(benchmark(tmp_path, missing=[])).decode()
    assert "Every run that was asked for has a result." in complete


class Tables(HTMLParser):
    """The text of every table."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._inside = True
            self.tables.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "table"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.tables[-1] += f"{data} "


def test_small_variants_share_no_table_with_tasks_of_the_paper(tmp_path: Path) -> None:
    results = [
        run
        for task in ("cleanup", "cleanup-small")
        for name in ("ss", "vs")
        for run in runs_of(cell_of(task, name), [0.2, 0.3], start=0.0)
    ]
    found = write_outputs(results, tmp_path, profile="quick", command="ss bench paper", missing=[])
    tables = Tables()
    tables.feed((tmp_path / "index.html").read_text("utf-8"))
    kinds = [
        {re.search(r"\bcleanup(?!-small)", text) and "full", "cleanup-small" in text and "small"}
        for text in tables.tables
    ]
    assert not [kind for kind in kinds if {"full", "small"} <= kind]
    assert sum("small" in kind for kind in kinds) >= 4  # returns, progress, exchange, runs
    for rows in found["tables"].values():
        words = json.dumps(rows)
        assert not ("cleanup-small" in words and re.search(r"cleanup(?!-small)", words))


def test_returns_are_drawn_against_processor_time_too(tmp_path: Path) -> None:
    results = [run for name in ("ss", "vs") for run in runs_of(cell_of("navigation", name), [-1.0])]
    for run in results:
        timing = Timing(wall_s=9.0, cpu_s=240.0, cpu_s_at={4: 60.0, 200: 240.0})
        folder = tmp_path / "runs" / run.cell.slug / "seed100"
        folder.mkdir(parents=True)
        write_timing(timing, folder / "timing.json")
    write_outputs(results, tmp_path, profile="quick", command="ss bench paper", missing=[])
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "the last point is SS (suggestions only) 4 min" in page
    assert page.count('id="time-tuned-navigation-3"') == 1
    without = tmp_path / "without"
    write_outputs(results, without, profile="quick", command="ss bench paper", missing=[])
    assert "time-tuned-navigation-3" not in (without / "index.html").read_text("utf-8")


def test_what_is_not_finished_is_called_so_wherever_it_counts(tmp_path: Path) -> None:
    whole = runs_of(cell_of("navigation", "ss"), [-1.0, -1.1])
    halted = [
        replace(run, planned_updates=2 * run.num_updates)
        for run in runs_of(cell_of("navigation", "vs"), [-1.2, -1.3])
    ]
    write_outputs([*whole, *halted], tmp_path, profile="quick", command="ss bench", missing=[])
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "Every run that was asked for has a result, 2 of them before its end." in page
    returns = page[page.index('<section id="returns-tuned"') : page.index('<section id="progress"')]
    assert returns.count("VS, learned (2 unfinished)") >= 1
    assert "SS (suggestions only) (" not in returns
    figures = json.loads((tmp_path / ABOUT).read_text())["figures"]
    caption = "2 of the 4 runs of this preset are not finished"
    assert figures
    assert all(caption in figure["caption"] for figure in figures)
    scaled = next(each for each in figures if each["name"].startswith("fig2-normalised"))
    assert "Finished runs set 0 and 1" in scaled["caption"]
    write_outputs(whole, tmp_path, profile="quick", command="ss bench", missing=[])
    ended = (tmp_path / "index.html").read_text("utf-8")
    assert "not finished" not in json.loads((tmp_path / ABOUT).read_text())["figures"][0]["caption"]
    assert "Every run that was asked for has a result." in ended


def test_a_curve_of_one_point_is_not_drawn_as_a_line(tmp_path: Path) -> None:
    results = [
        replace(run, curve={name: values[:1] for name, values in run.curve.items()})
        for run in runs_of(cell_of("navigation", "ss"), [-1.0])
    ]
    write_outputs(results, tmp_path, profile="quick", command="ss bench paper", missing=[])
    page = (tmp_path / "index.html").read_text("utf-8")
    assert 'id="final-tuned-navigation-3"' in page
    assert 'id="curve-tuned-navigation-3"' not in page


def test_tests_of_our_own_stand_alone_where_the_paper_claims_nothing(tmp_path: Path) -> None:
    results = [
        run
        for name in ("ss", "independent")
        for run in runs_of(cell_of("cleanup-small", name), [0.2, 0.3], start=0.0)
    ]
    write_outputs(results, tmp_path, profile="smoke", command="ss bench paper", missing=[])
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "; 0 of 1 tests of our own hold on small variants of its tasks. Each" in page


def test_no_two_algorithms_of_the_paper_look_alike() -> None:
    compared = [name for name, facts in ALGORITHM_FACTS.items() if facts.in_paper]
    assert len({(COLOURS[role(name)], DASHES[role(name)]) for name in compared}) == len(compared)


def test_how_far_every_condition_came_is_told(text: str) -> None:
    progress = text[text.index('<section id="progress">') : text.index('<section id="figures-')]
    rows = re.sub(r"<[^>]+>", " ", progress).split("navigation")
    assert re.findall(r"[0-9,]+ of [0-9]+|[0-9,]{5,}|[0-9]+ %", rows[2]) == [
        "2 of 2",
        "3,200",
        "3,200",
        "20,000",
        "16 %",
    ]
    assert "0 of 1" in rows[1]


def test_pictures_that_would_make_it_too_large_become_points(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert b"data:image/svg+xml;base64," in bench_page(folder)
    monkeypatch.setattr(report, "MAX_BYTES", 1000)
    assert b"data:image/png;base64," in bench_page(folder)


def test_a_benchmark_without_results_has_a_page(tmp_path: Path) -> None:
    write_outputs([], tmp_path, profile="quick", command="ss bench paper", missing=[])
    assert "No run has a result yet." in (tmp_path / "index.html").read_text("utf-8")


def test_tables_of_an_earlier_version_are_told_from_missing_ones(tmp_path: Path) -> None:
    filled = "ss bench paper --profile full"
    (benchmark(tmp_path, command=filled) / "tables" / "progress.parquet").unlink()
    again = re.escape(f"`{filled} --out {tmp_path}")
    with pytest.raises(InputError, match=rf"of an earlier version.*{again} --fresh`"):
        bench_page(tmp_path)
    (tmp_path / "tables" / "claim.parquet").unlink()
    with pytest.raises(InputError, match=rf"claim\.parquet: missing; {again}` writes it"):
        bench_page(tmp_path)
    (tmp_path / ABOUT).write_text(json.dumps({"command": "rm -r \x1b[2J"}))
    with pytest.raises(InputError, match=r"missing; `ss bench paper --out"):
        bench_page(tmp_path)


def test_a_folder_that_says_nothing_of_itself_has_a_page(tmp_path: Path) -> None:
    (benchmark(tmp_path) / ABOUT).write_text("[]")
    assert b"No figure was drawn." in bench_page(tmp_path)
