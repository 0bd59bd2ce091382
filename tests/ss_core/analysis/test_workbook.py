"""A workbook has a cover, notes and marked-up tables, as the Analysis Function asks for."""

import io
import re
import zipfile
from datetime import datetime
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from ss_core.analysis.about import About, Source
from ss_core.analysis.workbook import Sheet, cover_lines, workbook_bytes
from ss_core.errors import InputError

ABOUT = About(
    title="Tables of a run",
    run_id="grid-h2-s0-01234567",
    view="public",
    notes=("View public.", "A long note: " + "word " * 40),
    sources=(Source("a feeder", "BSD-3-Clause", "https://example.org"), Source("a net")),
    created="2026-11-27T19:23:04+00:00",
    program="Suggestion Sharing 0.2.0",
    licence="CC-BY-4.0",
)
STEPS = pa.table(
    {
        "name": ["=1+1", "Straße", None],
        "power_kw": pa.array([0.1, None, 2.5], pa.float32()),
        "time": pa.array([0, 60_000, 120_000], pa.timestamp("ms")),
        "ok": [True, False, None],
    }
)
SHEETS = [
    Sheet("steps", "steps: one row is a step", STEPS, {"power_kw": "kW"}),
    Sheet("full", "full: nothing is empty", pa.table({"a": [1]})),
]


def parts(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.fixture(scope="module")
def book() -> dict[str, str]:
    return parts(workbook_bytes(ABOUT, SHEETS))


def cells(book: dict[str, str], sheet: int) -> dict[str, str]:
    """Texts of a sheet by cell."""
    space = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    strings = [
        "".join(each.itertext())
        for each in ElementTree.fromstring(book["xl/sharedStrings.xml"]).findall("x:si", space)
    ]
    root = ElementTree.fromstring(book[f"xl/worksheets/sheet{sheet}.xml"])
    return {
        cell.attrib["r"]: strings[int(cell.findtext("x:v", "", space))]
        for cell in root.iterfind(".//x:c", space)
        if cell.attrib.get("t") == "s"
    }


def test_every_sheet_has_its_title_in_a1_and_one_marked_up_table(book: dict[str, str]) -> None:
    names = re.findall(r'<sheet name="([^"]+)"', book["xl/workbook.xml"])
    assert names == ["cover", "notes", "steps", "full"]
    titles = [cells(book, number)["A1"] for number in range(1, 5)]
    assert titles == ["Tables of a run", "Notes", "steps: one row is a step", SHEETS[1].title]
    tables = [text for name, text in sorted(book.items()) if name.startswith("xl/tables/")]
    marked = [re.search(r'displayName="([^"]+)"', text) for text in tables]
    assert [found and found[1] for found in marked] == ["contents", "notes", "steps", "full"]
    for number in range(1, 5):
        sheet = book[f"xl/worksheets/sheet{number}.xml"]
        assert sheet.count("<tablePart ") == 1
        assert "mergeCell" not in sheet
        assert 'state="frozen"' not in sheet
    assert not any("autoFilter" in text for text in tables)


def test_the_cover_tells_source_licence_date_and_leads_to_every_sheet(book: dict[str, str]) -> None:
    said = "\n".join(cells(book, 1).values())
    for line in (
        "Run: grid-h2-s0-01234567",
        "Date of the run: 2026-11-27",
        "Licence of these tables: CC-BY-4.0",
        "Source: a feeder; licence: BSD-3-Clause; https://example.org",
        "Source: a net; licence: not known to the run",
    ):
        assert line in said
    links = re.findall(r'location="([^"]+)"', book["xl/worksheets/sheet1.xml"])
    assert links == ["'notes'!A1", "'steps'!A1", "'full'!A1"]
    back = re.findall(r'location="([^"]+)"', book["xl/worksheets/sheet3.xml"])
    assert back == ["'cover'!A1"]


def test_properties_are_set(book: dict[str, str]) -> None:
    core = book["docProps/core.xml"]
    assert "<dc:title>Tables of a run</dc:title>" in core
    assert "<dc:creator>Suggestion Sharing 0.2.0</dc:creator>" in core
    assert "2026-11-27T19:23:04Z" in core


def test_empty_cells_are_explained_where_there_are_any(book: dict[str, str]) -> None:
    assert cells(book, 3)["A3"] == "Empty cells: the value does not apply to the row."
    assert not any("Empty cells" in text for text in cells(book, 4).values())


def test_values_are_what_they_are_in_the_table() -> None:
    book = parts(workbook_bytes(ABOUT, SHEETS))
    assert "<f>" not in "".join(book.values())  # text that looks like a formula is text
    sheet = book["xl/worksheets/sheet3.xml"]
    assert "<v>0.1</v>" in sheet  # of single precision, and not 0.10000000149011612
    assert cells(book, 3)["A6"] == "=1+1"
    assert {"name", "power_kw [kW]", "time", "ok"} <= {*cells(book, 3).values()}
    minute = (datetime(1970, 1, 1, 0, 1) - datetime(1899, 12, 30)).total_seconds() / 86_400
    times = [float(found) for found in re.findall(r"<v>(25569\.[0-9]+)</v>", sheet)]
    assert times[0] == pytest.approx(minute, abs=1e-9)


def test_equal_sheets_give_equal_bytes() -> None:
    assert workbook_bytes(ABOUT, SHEETS) == workbook_bytes(ABOUT, SHEETS)


def test_what_is_not_known_is_not_said() -> None:
    bare = About(title="t", run_id="r", view="public", notes=("n",))
    assert cover_lines(bare) == [
        "Run: r",
        "View: public",
        "Licence of these tables: not stated (--licence names one)",
    ]


def test_a_table_longer_than_a_sheet_is_refused_in_words() -> None:
    table = pa.table({"a": pa.nulls(1_048_576, pa.int8())})
    with pytest.raises(InputError, match="--format parquet or csv"):
        workbook_bytes(ABOUT, [Sheet("long", "long", table)])
