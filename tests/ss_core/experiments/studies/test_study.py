"""A whole study of the smallest world: runs, data set, page, and what a kill leaves of it."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from ss_core.errors import ConfigError, ResourceError
from ss_core.experiments.studies import runs
from ss_core.experiments.studies.runs import StudyProgress, carry_out_runs
from ss_core.experiments.studies.study import run_study
from ss_core.record.manifest import verify_run
from tests.support.small_studies import BASE, STUDY, contents, giving, pool_here, study_text

ROOT = Path(__file__).parents[4]


def nobody(_: StudyProgress) -> None: ...


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, carried out without interruption."""
    study = giving(tmp_path_factory.mktemp("whole"))
    summary = run_study(study, 1, nobody, pool_here)
    assert summary["complete"] == 8
    return study.out


def test_every_run_is_a_sealed_run_directory(whole: Path) -> None:
    folders = sorted((whole / "runs").iterdir())
    assert len(folders) == 8
    assert [verify_run(folder) for folder in folders] == [[]] * 8


def test_duckdb_reads_the_data_set_in_one_line_with_typed_axes(whole: Path) -> None:
    data = f"read_parquet('{whole}/results/**/*.parquet', hive_partitioning = true)"
    rows = (
        duckdb.connect()
        .execute(
            f"SELECT actor_lr, budget, algorithm, count(*), avg(forgone) FROM {data} GROUP BY ALL"
        )
        .fetchall()
    )
    assert len(rows) == 2 * 2 * 4
    assert {row[0] for row in rows} == {0.001, 0.05}
    assert {row[3] for row in rows} == {2}
    assert {round(row[4], 6) for row in rows if row[2] == "nash"} == {0.8}
    schema = pq.read_schema(whole / "results/by_actor_lr=0.05/by_budget=4/part-000000.parquet")
    assert str(schema.field("actor_lr").type) == "double"
    assert str(schema.field("budget").type) == "string"


def test_the_package_describes_every_column(whole: Path) -> None:
    package = json.loads((whole / "datapackage.json").read_bytes())
    results, listed = package["resources"]
    assert all((whole / path).is_file() for path in results["path"])
    names = {field["name"] for field in results["schema"]["fields"]}
    assert {"actor_lr", "budget", "run", "seed", "algorithm", "forgone", "gap_closed"} <= names
    assert listed["rows"] == 8
    assert set(pq.read_table(whole / "runs.parquet")["status"].to_pylist()) == {"complete"}


def test_the_answer_is_in_the_summary_and_its_sql_gives_it_again(whole: Path) -> None:
    summary = json.loads((whole / "study.json").read_bytes())
    assert "never give from actor_lr 0.001 on" in summary["verdict"]
    assert "; give at no actor_lr up to 0.05" in summary["verdict"]
    statement = run_study(giving(whole.parent), 1, nobody, pool_here)["statement"]
    found = {row[0]: row[1:] for row in duckdb.connect().execute(statement).fetchall()}
    assert found["nash"] == (0.001, pytest.approx(0.8))
    assert found["optimum"] == (None, pytest.approx(0.0, abs=1e-6))


def test_the_page_says_what_was_asked_and_where_it_is_from(whole: Path) -> None:
    page = (whole / "report.html").read_text()
    for words in ("Who gains and who loses", "Which policy leads", "no dilemma", "actor_lr = "):
        assert words in page
    assert str(whole) not in page


def test_what_is_complete_is_not_touched_again(whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*.json")}
    run_study(giving(whole.parent), 1, nobody, pool_here)
    assert {path: path.stat().st_mtime_ns for path in (whole / "runs").rglob("*.json")} == before


def test_a_study_grows_by_a_value_and_keeps_its_runs(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "study")
    kept = {path.name for path in (tmp_path / "study" / "runs").iterdir()}
    axes = {"learner.actor_lr": "[0.001, 0.05, 0.1]", "budget": '["4"]'}
    run_study(giving(tmp_path, study_text(axes=axes)), 1, nobody, pool_here)
    now = {path.name for path in (tmp_path / "study" / "runs").iterdir()}
    assert len(now - kept) == 2
    data = sorted(path.name for path in (tmp_path / "study" / "results").iterdir())
    assert data == ["by_actor_lr=0.001", "by_actor_lr=0.05", "by_actor_lr=0.1"]


def test_a_failed_run_is_marked_with_its_log_while_the_rest_goes_on(tmp_path: Path) -> None:
    text = study_text(
        {"command": '"giving"', "seeds": "1"},
        {**BASE, "budget": '"2"'},
        {"device": '["cuda:99", "cpu"]'},
    )
    study = giving(tmp_path, text)
    summary = run_study(study, 1, nobody, pool_here)
    assert summary["complete"] == 1
    (failed,) = summary["failed"]
    assert "CUDA" in failed["reason"]
    assert "CUDA" in (study.out / failed["log"]).read_text()
    rows = pq.read_table(study.out / "runs.parquet").to_pylist()
    assert [(row["device"], row["status"]) for row in rows] == [
        ("cuda:99", "failed"),
        ("cpu", "complete"),
    ]
    assert "1 of 2 runs failed" in (study.out / "report.html").read_text()


def test_a_key_figure_that_no_run_has_is_named_and_the_runs_are_kept(tmp_path: Path) -> None:
    axes = {"budget": '["2"]'}
    asked = {**STUDY, "seeds": "1", "figure": '"beauty"'}
    study = giving(tmp_path, study_text(asked, axes=axes))
    with pytest.raises(ConfigError, match=r"figure = 'beauty'.*known: forgone, gap_closed"):
        run_study(study, 1, nobody, pool_here)
    assert run_study(giving(tmp_path, study_text(axes=axes)), 1, nobody, pool_here)["complete"]


def test_less_room_than_the_rest_needs_stops_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = giving(tmp_path, study_text({**STUDY, "seeds": "1"}))
    monkeypatch.setattr(runs, "MIN_FREE_BYTES", 10**18)
    with pytest.raises(ResourceError, match="4 runs that are left need about"):
        carry_out_runs(study.plan, study.scenario, study.out, 1, nobody, pool_here)


WORKER = """
from pathlib import Path
import sys
from tests.support.small_studies import giving
from ss_core.experiments.studies.study import run_study
if __name__ == "__main__":
    run_study(giving(Path(sys.argv[1])), 2, lambda _: None)
"""


@pytest.mark.slow
def test_killed_at_any_time_it_ends_with_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    command = [sys.executable, str(script), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    kills = 0
    for wanted in (0, 1, 3, 5):
        child = subprocess.Popen(command, env=environment, start_new_session=True)
        while child.poll() is None and done_in(tmp_path / "study") < wanted:
            time.sleep(0.02)
        time.sleep(0.3)
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            kills += 1
        child.wait()
    subprocess.run(command, env=environment, check=True)
    assert kills >= 2
    assert contents(tmp_path / "study") == contents(whole)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_ray_cluster_that_loses_a_node_leaves_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    quiet = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.ray_studies", str(tmp_path)],
        cwd=ROOT,
        env=environment | quiet,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    complete, before_the_loss = map(int, done.stdout.splitlines()[-1].split())
    assert complete == 8
    assert before_the_loss < 8
    assert contents(tmp_path / "study") == contents(whole)


def done_in(study: Path) -> int:
    return len(list(study.glob("runs/*/result.json")))


def test_progress_counts_shares_and_failures(tmp_path: Path) -> None:
    so_far = StudyProgress(("a", "b", "c", "d"), {"a"}, at_start=1)
    assert so_far.left_s() is None
    so_far.seen("b", "working", 250, 1000, "learning")
    so_far.seen("c", "failed", 0, 1, "broke")
    assert so_far.behind == 2.25
    so_far.seen("b", "done", 1, 1, "")
    assert (so_far.done, so_far.failed, so_far.share) == ({"a", "b"}, {"c": "broke"}, {})
    left_s = so_far.left_s()
    assert left_s is not None
    assert left_s >= 0.0
