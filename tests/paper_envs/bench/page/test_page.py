"""The page: self-contained, escaped, and with every verdict on it."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from paper_envs.bench.claims.verdicts import Claim
from paper_envs.bench.figures.style import Figure
from paper_envs.bench.page import page
from paper_envs.bench.page.page import Facts, Section, html_page

EVIL = '<script>alert("1")</script>'
CLAIM = Claim(
    claim="above-vs",
    preset="tuned",
    suite="paper",
    task="all",
    source="paper",
    statement=f"SS outperforms VS {EVIL}",
    test="interval above 0",
    verdict="holds",
    figures=f"over VS -0.50 [-0.60, 0.40]; second {EVIL}",
    beside="",
    note=EVIL,
    num_runs=5,
)
FIGURE = Figure(
    name="fig1-tuned",
    suite="tuned",
    title=EVIL,
    caption="A caption & more.",
    alt=f'curves "{EVIL}"',
    png=b"\x89PNG picture",
    svg=b"<svg/>",
)
SECTION = Section(
    slug="tuned",
    title="tuned, tasks of the paper",
    claims=[CLAIM, replace(CLAIM, verdict="undecided"), replace(CLAIM, source="ours")],
    returns=[{"algorithm": "SS", f"predation {EVIL}": "-1.00 [-1.10, -1.00]"}],
    figures=[FIGURE],
)
FACTS = Facts(
    command=f"ss bench paper --env {EVIL}",
    profile="quick",
    seeds=[100, 101],
    num_runs=2,
    versions={"Python": "3.11", "absent-package": None},
    missing=[EVIL],
    tables=["tables/final.parquet"],
)
VOID = {"meta", "img", "br", "link"}


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
def text() -> str:
    return html_page([SECTION], FACTS).decode()


@pytest.fixture(scope="module")
def reader(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_nothing_from_outside_becomes_markup(text: str, reader: Reader) -> None:
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 8
    assert reader.attributes("script") == []


def test_the_policy_allows_its_own_style_and_inline_pictures_only(
    text: str, reader: Reader
) -> None:
    policy = next(
        attributes["content"]
        for attributes in reader.attributes("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy is not None
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:;")
    assert not any("style" in attributes for _, attributes in reader.elements)


def test_nothing_is_loaded_from_anywhere(text: str, reader: Reader) -> None:
    assert "http://" not in text
    assert "https://" not in text
    assert "url(" not in text
    assert all(image["src"].startswith("data:") for image in reader.attributes("img"))  # type: ignore[union-attr]
    ids = {attributes.get("id") for _, attributes in reader.elements}
    for link in reader.attributes("a"):
        target = link["href"] or ""
        assert target[1:] in ids if target.startswith("#") else target.startswith("tables/")


def test_every_picture_has_words(reader: Reader) -> None:
    (image,) = reader.attributes("img")
    assert image["alt"] == f'curves "{EVIL}"'


def test_the_verdict_comes_before_everything_else(text: str) -> None:
    assert "2 tests of the paper’s claims" in text.replace("<div>", "")
    assert "<strong>1</strong> ✓ holds" in text
    assert "<strong>1</strong> ? undecided" in text
    assert "Of 1 tests of our own, 1 hold." in text
    assert text.index("✓ holds") < text.index("<h3>Claims</h3>") < text.index("<img")


def test_numbers_have_true_minus_signs_and_do_not_break(text: str) -> None:
    assert "over VS −0.50\N{NO-BREAK SPACE}[−0.60,\N{NO-BREAK SPACE}0.40]" in text


def test_it_says_how_it_was_made_and_what_is_missing(text: str) -> None:
    means = text[text.index('id="means"') :]
    for words in ("Profile quick: 2 runs", "100, 101", "Python 3.11", "absent-package absent"):
        assert words in means
    assert "ss bench paper --env &lt;script" in means
    assert "The last of the commands that filled this folder" in means
    assert "fewer than five seeds" in means
    complete = html_page([SECTION], replace(FACTS, missing=[])).decode()
    assert "Every run that was planned has a result." in complete


def test_pictures_that_would_make_it_too_large_become_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert b"data:image/svg+xml;base64," in html_page([SECTION], FACTS)
    monkeypatch.setattr(page, "MAX_BYTES", 1000)
    assert b"data:image/png;base64," in html_page([SECTION], FACTS)


def test_a_benchmark_without_results_has_a_page() -> None:
    assert "No run has a result yet." in html_page([], FACTS).decode()
