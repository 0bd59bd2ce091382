"""`ss bench paper` as its users meet it: exit codes, streams, what is kept, how far it is."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cli.app import run
from cli.ss import cli as ss
from paper_envs.bench import launch
from paper_envs.bench.launch import Request, run_from_cli
from paper_envs.bench.results.results import Cell, RunResult, read_result
from paper_envs.bench.runs import preflight, run_specs
from paper_envs.bench.runs.plan import Plan
from paper_envs.bench.runs.progress import RunsProgress
from ss_core.config import config_hash
from ss_core.errors import Interrupted
from ss_core.learning.learner import LearnerConfig
from ss_core.processes import pool
from ss_core.processes.child_tasks import Task, perform
from tests.support.small_bench import small_spec

ROOT = Path(__file__).resolve().parents[4]
SELECTION = ("--profile", "smoke", "--env", "predation", "--preset", "tuned", "--workers", "1")
ONE = (*SELECTION, "--algorithm", "ss", "--seeds", "1")
RUN = "predation-2-tuned-ss/seed100"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Runs of a second, and tables of one row a run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_specs, "learner_of", small_learner)
    monkeypatch.setattr(launch, "_write_outputs", plain_outputs)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process: starting another takes longer than the run."""

    def run_here(
        tasks: Sequence[Task], _workers: int, observe: pool.Observe, **_: object
    ) -> list[pool.Failure]:
        for task in tasks:
            assert perform(task, lambda *_: None, lambda: False) == ("done",)
            observe(task.name, "done", 1, 1, "")
        return []

    monkeypatch.setattr(pool, "run_pool", run_here)


def small_learner(cell: Cell, _plan: Plan) -> LearnerConfig:
    return small_spec(Path(), cell, updates=3).learner


def plain_outputs(
    results: Sequence[RunResult], missing: Sequence[str], request: Request, out: Path
) -> Mapping[str, Any]:
    rows = [{"cell": each.cell.slug, "seed": each.seed} for each in results]
    (out / "report.json").write_text(json.dumps({"rows": rows, "missing": list(missing)}))
    return {"tables": {"runs": rows}, "notes": [request.command]}


write_outputs = launch._write_outputs


def bench(*arguments: str) -> int:
    return run(ss, "ss", ["bench", "paper", *arguments])


def results_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("result.json")}


# from command to tables


def test_a_benchmark_runs_prints_and_is_not_run_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(*SELECTION, "--seeds", "1") == 0
    shown = capsys.readouterr()
    assert "predation-2-tuned-independent   100" in shown.out
    assert "run directory: bench/paper-smoke" in shown.out
    first, *_, last = shown.err.splitlines()
    assert re.fullmatch(r"runs: 0 %, 0 of 2  expected: [0-9.e-]+ core-hours", first)
    assert "2 of 2" in last
    before = results_below(tmp_path)
    assert len(before) == 2
    assert bench(*SELECTION, "--seeds", "1", "--resume", "--json", "--quiet") == 0
    again = capsys.readouterr()
    assert again.err == ""
    document = json.loads(again.out)
    assert document["failures"] == []
    assert document["run_dir"] == "bench/paper-smoke"
    assert results_below(tmp_path) == before


@pytest.mark.usefixtures("here")
def test_more_seeds_and_conditions_join_what_is_there(tmp_path: Path) -> None:
    assert bench(*ONE, "--quiet") == 0
    assert bench(*SELECTION, "--algorithm", "independent", "--seeds", "2", "--quiet") == 0
    report = json.loads((tmp_path / "bench/paper-smoke/report.json").read_text())
    assert [(row["cell"].rpartition("-")[2], row["seed"]) for row in report["rows"]] == [
        ("independent", 100),
        ("independent", 101),
        ("ss", 100),
    ]
    assert report["missing"] == []


@pytest.mark.usefixtures("here")
def test_fresh_starts_beside_what_is_there(tmp_path: Path) -> None:
    assert bench(*ONE, "--quiet", "--out", "mine") == 0
    assert bench(*ONE, "--quiet", "--out", "mine", "--fresh") == 0
    assert results_below(tmp_path / "mine") == results_below(tmp_path / "mine-2") != {}


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(*ONE, "--dry-run") == 0
    printed = capsys.readouterr().out
    assert "1 runs, 0 of them finished" in printed
    assert re.search(
        r"very roughly [0-9.e-]+ core-hours, [0-9.e-]+ hours with 1 at a time", printed
    )
    overview = printed[printed.index("profiles, all of each") :]
    assert re.findall(r"^(smoke|quick|full|literal) .* ([0-9]+) ", overview, re.MULTILINE) == [
        ("smoke", "24"),
        ("quick", "165"),
        ("full", "272"),
        ("literal", "195"),
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("here")
def test_a_dry_run_refuses_the_folder_that_the_run_would_refuse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert bench(*ONE, "--quiet", "--out", "mine") == 0
    assert bench(*ONE, "--out", "mine", "--dry-run") == 0
    assert "1 runs, 1 of them finished" in capsys.readouterr().out
    for last in ("--dry-run", "--quiet"):
        assert bench("--profile", "quick", "--out", "mine", last) == 3
        assert "was begun with profile 'smoke', not 'quick'" in capsys.readouterr().err


# what goes wrong


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("--env", "predashun"), 3, "did you mean 'predation'"),
        (("--algorithm", "s"), 3, "did you mean 'ss'"),
        (("--device", "tpu"), 3, "cpu, cuda or cuda:N"),
        (("--profile", "huge"), 2, "'huge' is not one of"),
        (("--resume", "--fresh"), 2, "exclude each other"),
        (("--algorithm", "ps"), 3, "`--profile quick` has it"),
        (("--profile", "quick", "--preset", "paper"), 3, "`--profile literal` has it"),
        (("--max-hours", "-1"), 2, "-1.0 is not in the range"),
        (("--reference", "absent.json"), 3, "absent.json: no such reference"),
        (("--reference", "absent.json", "--dry-run"), 3, "absent.json: no such reference"),
        (("--seeds", "1", "--write-reference", "new.json"), 3, "needs 2 seeds of each condition"),
        (("--seeds", "1", "--write-reference", "new.json", "--dry-run"), 3, "needs 2 seeds"),
    ],
)
def test_bad_requests_end_before_anything_is_written(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    exit_code: int,
    words: str,
) -> None:
    assert bench("--profile", "smoke", *arguments) == exit_code
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_run_that_fails_is_told_at_the_end_and_repeated_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = run_specs.task_of

    def wrong(spec: run_specs.RunSpec) -> run_specs.Task:
        task = right(spec)
        return replace(task, target="paper_envs.bench.runs.run:oops") if spec.seed == 101 else task

    monkeypatch.setattr(run_specs, "task_of", wrong)
    both = (*SELECTION, "--algorithm", "ss", "--seeds", "2")
    assert bench(*both, "--json") == 4
    shown = capsys.readouterr()
    assert "1 of 2 runs failed" in shown.err
    (failure,) = json.loads(shown.out)["failures"]
    assert failure["run"] == "predation-2-tuned-ss/seed101"
    assert "AttributeError" in Path(failure["log"]).read_text()
    report = json.loads((tmp_path / "bench/paper-smoke/report.json").read_text())
    assert ([row["seed"] for row in report["rows"]], report["missing"]) == (
        [100],
        ["predation-2-tuned-ss/seed101"],
    )
    monkeypatch.setattr(run_specs, "task_of", right)
    assert bench(*both, "--quiet") == 0
    assert not Path(failure["log"]).exists()
    assert len(results_below(tmp_path)) == 2


@pytest.mark.usefixtures("here")
def test_a_damaged_result_is_told_before_hours_of_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(*ONE, "--quiet") == 0
    (tmp_path / "bench/paper-smoke/runs" / RUN / "result.json").write_text("{")
    assert bench(*SELECTION, "--quiet") == 5
    assert "result.json: not the result of a run" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_check_compares_what_was_asked_for_with_a_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reference = tmp_path / "reference.json"
    check = ("--quiet", "--check", "--reference", str(reference))
    assert bench(*SELECTION, *check) == 3
    assert "no such reference" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    both = (*SELECTION, "--seeds", "2")
    monkeypatch.setattr(launch, "_write_outputs", write_outputs)
    assert bench(*both, "--quiet", "--write-reference", str(reference)) == 0
    assert bench(*both, *check) == 0
    document = json.loads(reference.read_bytes())
    for entry in document["cells"]:
        if entry["cell"]["algorithm"] == "ss":
            entry["iqm"] -= 10.0
    reference.write_text(json.dumps(document))
    capsys.readouterr()
    assert bench(*both, *check) == 7
    shown = capsys.readouterr()
    assert "SS-E700: results differ from the reference:\n  predation-2-tuned-ss: -" in shown.err
    assert bench(*both, "--algorithm", "independent", *check) == 0  # nothing is said of the rest


@pytest.mark.usefixtures("here")
def test_a_reference_to_compare_with_is_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    both = (*SELECTION, "--algorithm", "ss", "--seeds", "2", "--quiet")
    new = tmp_path / "deep" / "below" / "new.json"
    assert bench(*both, "--write-reference", str(new)) == 0
    document = json.loads(new.read_bytes())
    document["cells"][0]["iqm"] -= 10.0
    new.write_text(json.dumps(document))
    assert bench(*both, "--reference", str(new)) == 7
    assert "SS-E700" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_reference_without_what_is_asked_for_is_refused_before_hours_of_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only = (*SELECTION, "--seeds", "2", "--quiet", "--algorithm")
    assert bench(*only, "ss", "--write-reference", "new.json") == 0
    capsys.readouterr()
    for last in ("--quiet", "--dry-run"):
        assert bench(*only, "independent", "--reference", "new.json", last) == 3
        printed = capsys.readouterr().err
        assert "new.json: has no predation-2-tuned-independent of 3 updates with 2 epis" in printed
    assert len(results_below(tmp_path)) == 2
    assert bench(*only, "independent", "--out", "mine", "--write-reference", "new.json") == 0
    assert bench(*only, "independent", "--reference", "new.json") == 0


@pytest.mark.usefixtures("here")
def test_a_reference_that_cannot_be_made_is_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    both = (*SELECTION, "--seeds", "2", "--quiet")
    assert bench(*both, "--write-reference", "file/new.json") == 6
    assert "file/new.json: cannot write" in capsys.readouterr().err
    assert results_below(tmp_path) == {}
    only = (*both, "--algorithm", "ss", "--write-reference", "new.json")
    assert bench(*only) == 3  # the other algorithm is known of in there since the try above
    assert "2 runs that bench/paper-smoke holds besides these" in capsys.readouterr().err
    assert results_below(tmp_path) == {}


def test_no_reference_is_written_when_runs_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail_last(
        tasks: Sequence[Task], _workers: int, _observe: object, **_: object
    ) -> list[pool.Failure]:
        for task in tasks[:-1]:
            assert perform(task, lambda *_: None, lambda: False) == ("done",)
        return [pool.Failure(tasks[-1].name, "broken", "stderr.log")]

    monkeypatch.setattr(pool, "run_pool", fail_last)
    only = (*SELECTION, "--algorithm", "ss", "--seeds", "2", "--quiet")
    assert bench(*only, "--write-reference", "new.json") == 4
    shown = capsys.readouterr()
    assert "new.json: not written, for it needs every run; not finished: 1" in shown.out
    assert "1 of 2 runs failed" in shown.err
    assert not (tmp_path / "new.json").exists()


def test_a_check_without_a_shipped_reference_says_how_to_make_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(relative: str) -> Path:
        raise FileNotFoundError(relative)

    monkeypatch.setattr(preflight, "data_path", nothing)
    assert bench(*ONE, "--quiet", "--check") == 3
    assert "--write-reference" in capsys.readouterr().err


@pytest.mark.slow
def test_a_signal_stops_and_the_same_command_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    request = Request(
        profile="smoke", envs=("predation",), preset="tuned", workers=1, out=tmp_path / "a"
    )
    asked: list[float] = []

    def stop_when_under_way(so_far: RunsProgress) -> None:
        if so_far.share > 0 and not asked:
            asked.append(so_far.share)
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted) as caught:
        run_from_cli(request, stop_when_under_way)
    assert caught.value.exit_code == 143
    assert len(results_below(tmp_path / "a")) < 4
    assert not (tmp_path / "a" / "report.json").exists()
    run_from_cli(request, lambda _progress: None)
    run_from_cli(replace(request, out=tmp_path / "b"), lambda _progress: None)
    assert results_below(tmp_path / "a") == results_below(tmp_path / "b")
    assert len(results_below(tmp_path / "a")) == 4


@pytest.mark.usefixtures("here")
def test_a_folder_of_another_plan_is_refused_and_fresh_begins_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = "harvest-small-3-tuned-ss"
    before = tmp_path / "bench/paper-smoke"
    assert bench(*ONE, "--quiet") == 0
    document = json.loads((before / "bench.json").read_bytes())
    document["cells"][small] = {"sha256": "0" * 64, "seeds": [100]}
    document["plan_sha256"] = config_hash(document["cells"])
    (before / "bench.json").write_text(json.dumps(document))
    for last in ("--quiet", "--dry-run"):
        assert bench(*ONE, last) == 3
        printed = capsys.readouterr().err
        assert f"bench/paper-smoke: holds runs of {small}, which the profile 'smoke'" in printed
    assert "--fresh" in printed
    assert bench(*ONE, "--quiet", "--fresh") == 0
    assert len(results_below(tmp_path / "bench/paper-smoke-2")) == 1
    del document["cells"][small]
    document["cells"]["navigation-3-tuned-ss"] = {"sha256": "0" * 64, "seeds": [100]}
    document["plan_sha256"] = config_hash(document["cells"])
    (before / "bench.json").write_text(json.dumps(document))
    assert bench(*ONE, "--quiet") == 3  # also of conditions that are not asked for now
    assert "navigation-3-tuned-ss in there have other settings" in capsys.readouterr().err


# an early end

LITERAL = ("--profile", "literal", "--env", "navigation", "--algorithm", "independent")
SLOW_RUN = "navigation-3-paper-independent/seed100"


@pytest.fixture
def stopped_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever trains stops after two of its three updates, which are committed."""

    def run_here(
        tasks: Sequence[Task], _workers: int, observe: pool.Observe, *, time_is_up: Any
    ) -> list[pool.Failure]:
        for task in tasks:
            if time_is_up():
                return []
            evaluates = task.target.endswith(":evaluate_run")
            done = [0]

            def count(now: int, _total: int, _note: str, done: list[int] = done) -> None:
                done[0] = now

            def enough(done: list[int] = done, evaluates: bool = evaluates) -> bool:
                return not evaluates and done[0] == 2

            answer = perform(task, count, enough)
            if answer is None:
                if os.environ.get("SIGNALLED"):
                    raise Interrupted("stopped", signal.SIGINT)
                return []
            observe(task.name, "done", 1, 1, "")
        return []

    monkeypatch.setattr(pool, "run_pool", run_here)


@pytest.mark.usefixtures("stopped_on_the_way")
def test_a_budget_of_time_ends_with_a_page_that_tells_how_far_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(launch, "_write_outputs", write_outputs)
    asked = (*LITERAL, "--seeds", "2", "--quiet", "--max-hours")
    assert bench(*asked, "1") == 0
    printed = capsys.readouterr().out
    assert "1 runs are not finished and were evaluated as far as they came" in printed
    assert "1 runs of this folder have no result: navigation-3-paper-independent/seed101" in printed
    out = tmp_path / "bench/paper-literal"
    partial = read_result(out / "runs" / SLOW_RUN / "partial.json")
    assert (partial.num_updates, partial.planned_updates, partial.finished) == (2, 3, False)
    (row,) = pq.read_table(out / "tables/progress.parquet").to_pylist()
    assert (row["num_seeds"], row["num_finished"], row["num_unfinished"]) == (2, 0, 1)
    assert (row["episodes"], row["planned_episodes"]) == (partial.episodes / 2, 6)
    assert row["published_episodes"] == 20_000
    verdicts = pq.read_table(out / "tables/claim.parquet")["verdict"].to_pylist()
    assert set(verdicts) == {"undecided"}
    page = (out / "index.html").read_text("utf-8")
    assert "unfinished: 2 of 3" in page
    assert "of the published episodes" in page
    before = (out / "runs" / SLOW_RUN / "partial.json").stat().st_mtime_ns
    assert bench(*asked, "0") == 0  # only the page: nothing is measured twice
    assert (out / "runs" / SLOW_RUN / "partial.json").stat().st_mtime_ns == before


def test_a_run_that_failed_keeps_its_log_when_others_are_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluated: list[str] = []

    def break_first(tasks: Sequence[Task], *_: object, time_is_up: object) -> list[pool.Failure]:
        if tasks[0].target.endswith(":evaluate_run"):
            evaluated.extend(task.name for task in tasks)
            return run_to_the_end(tasks)
        for task in tasks:
            assert perform(task, lambda *_: None, two_updates()) is None
        return [pool.write_failure(tasks[0], "broken", "")]

    monkeypatch.setattr(pool, "run_pool", break_first)
    assert bench(*LITERAL, "--seeds", "2", "--quiet", "--max-hours", "1") == 4
    printed = capsys.readouterr().err
    log = re.search(r"\(see (.*)\)", printed)
    assert log is not None
    assert "broken" in (tmp_path / log[1]).read_text()
    assert evaluated == ["navigation-3-paper-independent/seed101"]


def two_updates() -> Callable[[], bool]:
    """Asks a training to stop after two updates: it asks before each of them."""
    asked = iter((False, False, True))
    return lambda: next(asked)


@pytest.mark.usefixtures("stopped_on_the_way")
@pytest.mark.parametrize(("profile", "has_page"), [("literal", True), ("full", False)])
def test_a_signal_after_fresh_says_where_to_continue(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    profile: str,
    has_page: bool,
) -> None:
    monkeypatch.setenv("SIGNALLED", "1")
    (tmp_path / "mine").mkdir()
    one = ("--env", "navigation", "--algorithm", "vs", "--seeds", "1", "--quiet")
    asked = ("--profile", profile, *one, "--out")
    assert bench(*asked, "mine", "--fresh") == 130
    printed = " ".join(capsys.readouterr().err.split())
    assert printed.endswith("run the same command with --out mine-2 instead of --fresh to continue")
    assert ("mine-2/index.html tells how far" in printed) is has_page
    monkeypatch.setattr(pool, "run_pool", run_to_the_end)
    assert bench(*asked, "mine-2") == 0
    assert len(results_below(tmp_path / "mine-2")) == 1


@pytest.mark.parametrize(("hours", "sign"), [((), -1), (("--max-hours", "1"), 1)])
def test_long_runs_are_first_unless_the_time_may_not_suffice(
    monkeypatch: pytest.MonkeyPatch, hours: tuple[str, ...], sign: int
) -> None:
    order: list[str] = []

    def note_order(tasks: Sequence[Task], *_: object, **__: object) -> list[pool.Failure]:
        order.extend(task.name.partition("-")[0] for task in tasks)
        return []

    monkeypatch.setattr(pool, "run_pool", note_order)
    long_and_short = {"cleanup": 2.0, "navigation": 1.0}
    monkeypatch.setattr(
        run_specs, "weight_of", lambda spec: long_and_short.get(spec.cell.task, 1.0)
    )
    envs = ("--env", "navigation", "--env", "cleanup", "--algorithm", "vs", "--seeds", "1")
    assert bench("--profile", "quick", *envs, "--quiet", *hours) == 0
    assert order == ["cleanup", "navigation"][::-sign]


def test_no_hours_start_no_process_and_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "run_pool", lambda *_, **__: pytest.fail("a pool is started"))
    for engine in ("local", "ray"):
        assert bench(*ONE, "--quiet", "--max-hours", "0", "--engine", engine) == 0


@pytest.mark.usefixtures("stopped_on_the_way")
def test_a_signal_ends_the_literal_profile_with_its_page_and_the_command_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGNALLED", "1")
    asked = (*LITERAL, "--seeds", "1", "--quiet")
    assert bench(*asked) == 130
    assert "bench/paper-literal/index.html tells how far" in capsys.readouterr().err
    folder = tmp_path / "bench/paper-literal/runs" / SLOW_RUN
    assert read_result(folder / "partial.json").num_updates == 2
    assert (tmp_path / "bench/paper-literal/report.json").exists()
    monkeypatch.setattr(pool, "run_pool", run_to_the_end)
    assert bench(*asked) == 0
    assert read_result(folder / "result.json").finished
    assert not (folder / "partial.json").exists()
    assert bench(*asked, "--out", "whole") == 0
    assert results_below(tmp_path / "whole") == results_below(tmp_path / "bench/paper-literal")


def run_to_the_end(tasks: Sequence[Task], *_: object, **__: object) -> list[pool.Failure]:
    assert {perform(task, lambda *_: None, lambda: False) for task in tasks} <= {("done",)}
    return []


def test_the_command_in_the_report_gives_the_same_results() -> None:
    assert Request().command == "ss bench paper --profile quick"
    request = Request(
        profile="full", envs=("predation",), algorithms=("ss", "vps"), preset="tuned", seeds=3
    )
    assert request.command == (
        "ss bench paper --profile full --env predation --algorithm ss --algorithm vps "
        "--preset tuned --seeds 3"
    )


# what --help loads


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['ss', 'bench', 'paper', '--help']\n"
        "from cli.ss import main\n"
        "try:\n    main()\n"
        "finally:\n    print(sorted({'torch', 'numpy', 'pyarrow', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--profile" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


# all of it


@pytest.mark.slow
def test_the_smoke_profile_leaves_results_tables_figures_and_a_page(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "ss", "bench", "paper", "--profile", "smoke", "--json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out = tmp_path / "bench" / "paper-smoke"
    document = json.loads(done.stdout)
    assert document["num_runs"] == len(results_below(out)) == 3 * 2 * 2 * 2
    assert document["tables"]
    tables = {path.stem for path in (out / "tables").glob("*.parquet")}
    assert tables >= {"run", "curve", "final", "improvement", "exchange", "claim"}
    pictures = {path.stem: path.suffix for path in (out / "figures").iterdir()}
    assert any(name.startswith("fig1") for name in pictures)
    assert (out / "index.html").stat().st_size > 10_000
    results = [read_result(path) for path in out.rglob("result.json")]
    assert {(r.cell.task, r.cell.algorithm) for r in results} == {
        (task, algorithm)
        for task in ("predation", "navigation", "cleanup-small")
        for algorithm in ("ss", "independent")
    }
