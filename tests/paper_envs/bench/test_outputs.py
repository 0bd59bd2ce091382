"""Everything a benchmark writes, from a few made-up runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from paper_envs.bench.outputs import write_outputs
from paper_envs.bench.results.results import RunResult
from paper_envs.bench.results.tables import TABLES
from tests.support.bench_results import cell_of, runs_of

RESULTS = [
    *runs_of(cell_of("navigation", "ss"), [-0.3, -0.4, -0.5], start=-3.0),
    *runs_of(cell_of("navigation", "vs"), [-0.6, -0.7, -0.5], start=-3.0),
    *runs_of(cell_of("cleanup-small", "ss"), [0.2, 0.3, 0.2], start=0.0),
]


def written(results: list[RunResult], out: Path) -> dict[str, Any]:
    return write_outputs(
        results, out, profile="quick", command="ss bench paper", missing=["a/seed1"]
    )


def contents(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    written(RESULTS, folder)
    return folder


def test_every_table_both_kinds_of_figures_and_the_page_are_there(out: Path) -> None:
    names = set(contents(out))
    assert {f"tables/{name}.parquet" for name in TABLES} <= names
    assert {"figures/fig1-training-curves-tuned.png", "index.html"} <= names
    figures = {name for name in names if name.startswith("figures/")}
    assert {name.removesuffix(".png") for name in figures if name.endswith(".png")} == {
        name.removesuffix(".svg") for name in figures if name.endswith(".svg")
    }
    assert any(name.endswith("tuned-small.svg") for name in figures)


def test_claims_are_in_a_table_with_their_tests(out: Path) -> None:
    rows = pq.read_table(out / "tables" / "claim.parquet").to_pylist()
    (row,) = [
        row for row in rows if (row["claim"], row["task"]) == ("matches-sharing", "navigation")
    ]
    assert row["note"] == "not run: over VPS, over PS; fewer than 5 seeds decide nothing"
    assert row["test"].startswith("95 % interval of each difference above −5 %")


@pytest.mark.slow
def test_equal_results_give_equal_bytes_and_figures_without_runs_go(
    out: Path, tmp_path: Path
) -> None:
    before = contents(out)
    again = tmp_path / "again"
    written(RESULTS[::-1], again)
    assert contents(again) == before
    written(RESULTS[:6], again)
    assert not list((again / "figures").glob("*-small.*"))
    assert list((again / "figures").glob("*-tuned.*"))


def test_the_terminal_is_told_returns_and_verdicts(tmp_path: Path) -> None:
    outputs = written(RESULTS[:6], tmp_path)
    returns, claims = outputs["tables"].values()
    assert next(iter(outputs["tables"])).endswith(": interquartile mean [95 % interval]")
    assert returns == [
        {"algorithm": "SS", "navigation (3)": "-0.40 [-0.50, -0.30]"},
        {"algorithm": "VS", "navigation (3)": "-0.60 [-0.70, -0.50]"},
    ]
    assert {"claim", "task", "preset", "verdict", "figures"} == set(claims[0])
    assert claims[2]["verdict"] == "undecided at 6 % of the published episodes"  # navigation
    assert outputs["notes"][0] == "claims of the paper, holds: 0, does not hold: 0, undecided: 18"
    assert "index.html" in outputs["notes"][1]
    assert "3 seeds" in outputs["notes"][2]


def test_the_terminal_tells_our_own_claims_from_the_papers(tmp_path: Path) -> None:
    alone = runs_of(cell_of("navigation", "independent"), [-0.6, -0.7, -0.5], start=-3.0)
    outputs = written([*RESULTS[:3], *alone], tmp_path)
    names = [row["claim"] for row in outputs["tables"]["claims"]]
    assert "above-independent (ours)" in names
    assert sum(name.endswith("(ours)") for name in names) == 1


def test_no_results_leave_an_empty_but_whole_output(tmp_path: Path) -> None:
    outputs = written([], tmp_path)
    assert outputs["tables"] == {}
    assert pq.read_table(tmp_path / "tables" / "final.parquet").num_rows == 0
    assert b"No run has a result yet." in (tmp_path / "index.html").read_bytes()


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, paper_envs.bench.outputs, paper_envs.bench.results.reference; "
        "print(sorted({'matplotlib', 'pyarrow', 'torch', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
