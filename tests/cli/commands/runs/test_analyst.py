"""The analyst's commands on a real run: sql, export, report, runs, compare; their quickstart."""

import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest

from cli import ss
from cli.app import run
from cli.options import RUN_FOLDER
from tests.support.external_tools import tool
from tests.support.grid_runs import only_run, ssgrid_run, tasks_here

ROOT = Path(__file__).parents[4]
QUICKSTART = (ROOT / "docs" / "quickstart" / "analyst.md").read_text()
Streams = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def grid_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("analyst") / "runs"
    options = ("--households", "4", "--days", "2", "--budget", "2", "--quiet", "--no-report")
    options = (*options, "--seed", "1")  # these four have a dilemma, and thereby a gap
    with tasks_here():
        assert ssgrid_run(*options, "--out", str(out)) == 0
    return only_run(out)


def ss_run(*words: object) -> int:
    return run(ss.cli, "ss", [str(word) for word in words])


def test_sql_in_every_format(grid_run: Path, tmp_path: Path, capsys: Streams) -> None:
    asked = "select algorithm, value from kpi where kpi = 'peak_kw' order by 1"
    assert ss_run("sql", grid_run, asked, "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["algorithm"] for row in rows} >= {"ss", "nash", "optimum"}
    for form in ("csv", "parquet"):
        path = tmp_path / f"answer.{form}"
        assert ss_run("sql", grid_run, asked, "--format", form, "--out", path) == 0
        read = pd.read_csv(path) if form == "csv" else pd.read_parquet(path)
        assert read.value.tolist() == pytest.approx([row["value"] for row in rows])
    assert ss_run("sql", grid_run) == 0
    assert "household_step" in capsys.readouterr().out
    assert ss_run("sql", grid_run, "select nothing from kpi") == 3
    assert "Traceback" not in capsys.readouterr().err


def test_export_show_compare_and_remove(grid_run: Path, tmp_path: Path, capsys: Streams) -> None:
    assert ss_run("export", grid_run, "--view", "public", "--out", tmp_path / "public") == 0
    assert not (tmp_path / "public" / "agent_decision.parquet").exists()
    named = ("--title", "Peaks of Dorf", "--author", "A. Body", "--licence", "CC-BY-4.0")
    options = ("--format", "csv", "--view", "public", "--date", "2025-01-15", *named)
    assert ss_run("export", grid_run, *options, "--out", tmp_path / "csv") == 0
    package = json.loads((tmp_path / "csv" / "datapackage.json").read_text())
    assert (package["title"], package["licenses"]) == ("Peaks of Dorf", [{"name": "CC-BY-4.0"}])
    assert "kerber_dorfnetz" in package["sources"][0]["title"]
    steps = pd.read_csv(tmp_path / "csv" / "feeder_step.csv", parse_dates=["time"])
    assert steps.time.min() == pd.Timestamp("2025-01-15 12:00")  # days of the grid begin at noon
    assert ss_run("export", grid_run, "--licence", "my own", "--out", tmp_path / "none") == 3
    assert ss_run("export", grid_run, "--date", "tomorrow", "--out", tmp_path / "none") == 3
    assert not (tmp_path / "none").exists()
    assert ss_run("verify", grid_run) == 0
    assert ss_run("runs", "show", grid_run, "--json") == 0
    assert ss_run("runs", "verify", grid_run) == 0
    capsys.readouterr()
    assert ss_run("compare", grid_run, grid_run, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert any(one["figure"] == "peak_kw" for one in found["figures"])
    copy = tmp_path / "copy"
    shutil.copytree(grid_run, copy)
    (tmp_path / "link").symlink_to(copy)
    assert ss_run("runs", "rm", tmp_path / "link", "--yes") == 3
    assert ss_run("runs", "rm", tmp_path, "--yes") == 3
    assert ss_run("runs", "rm", copy, "--yes") == 0
    assert not copy.exists()


def test_completion_offers_runs(grid_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(grid_run.parents[1])
    context, parameter = click.Context(ss.cli), click.Argument(["run"])
    for typed in ("", "runs/", f"runs/{grid_run.name[:4]}"):
        offered = RUN_FOLDER.shell_complete(context, parameter, typed)
        assert [one.value for one in offered] == [f"runs/{grid_run.name}"]
    (plain,) = RUN_FOLDER.shell_complete(context, parameter, "elsewhere/")
    assert plain.type == "file"


def test_curves_for_tensorboard_leave_the_run_as_it_was(grid_run: Path, capsys: Streams) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert ss_run("export", grid_run, "--format", "tensorboard") == 0
    curves = EventAccumulator(str(grid_run / "tensorboard" / "ss"))
    curves.Reload()
    assert [event.step for event in curves.Scalars("entropy")] == [0, 1]
    assert ss_run("verify", grid_run) == 0


def test_the_lines_of_the_quickstart_run_as_printed(
    grid_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(grid_run.parents[1])
    sql = re.search(r'duckdb -c "(.*)"', QUICKSTART)
    assert sql is not None
    duckdb = Path(sys.executable).with_name("duckdb")
    words = [duckdb, "-csv", "-c", sql[1]]  # all rows, where a terminal shows forty
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "gap_closed" in done.stdout
    lines = re.findall(r"^ {4}((?:pandas|polars)\..*)$", QUICKSTART, re.MULTILINE)
    assert len(lines) == 2
    for line in lines:
        code = f"import pandas, polars\nanswer = {line.replace('<run>', grid_run.name)}"
        names: dict[str, object] = {}
        exec(code, names)
        answer: Any = names["answer"]
        frame = answer.collect() if hasattr(answer, "collect") else answer
        assert "sim_time_s" in frame.columns
        assert len(frame)


@pytest.mark.slow
def test_the_workbook_opens_in_libreoffice_with_typed_columns(
    grid_run: Path, tmp_path: Path
) -> None:
    office = tool("soffice")
    book = tmp_path / "public.xlsx"
    assert ss_run("export", grid_run, "--format", "xlsx", "--view", "public", "--out", book) == 0
    profile = f"-env:UserInstallation=file://{tmp_path / 'profile'}"
    convert = [office, profile, "--headless", "--convert-to", "ods", "--outdir", str(tmp_path)]
    subprocess.run([*convert, str(book)], check=True, capture_output=True, timeout=180)
    with zipfile.ZipFile(tmp_path / "public.ods") as archive:
        content = archive.read("content.xml").decode()
    sheets = content.split("<table:table ")[1:]
    kpi = next(one for one in sheets if one.startswith('table:name="kpi"'))
    assert 'office:value-type="float"' in kpi
    assert 'value-type="string"' in kpi
    formulas = set(re.findall(r'table:formula="([^"]*)"', content))
    assert formulas <= {"of:=TRUE()", "of:=FALSE()"}  # how LibreOffice keeps truth values
    assert 'table:name="data_dictionary"' in content
    names = [one.split('"', 1)[0] for one in content.split('<table:table table:name="')[1:]]
    assert names[:3] == ["cover", "notes", "data_dictionary"]
    marked = re.findall(r'<table:database-range table:name="([^"]+)"', content)
    assert {*marked} == {"contents", *names[1:]}
