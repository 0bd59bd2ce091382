"""Every program of `benchmarks/` runs at its smallest size."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.grid_runs import only_run, run_here, ssgrid_run
from tests.support.small_nets import TWO_ROUTE, write_net

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(path.name for path in (ROOT / "benchmarks").glob("*.py"))
SMALLEST = {  # RUN is a run of households, TOWN a folder with a town, OUT an empty one
    "credit_noise.py": "data/nets/two_route.net.xml --movers 3 --days 2 --neighbours 2",
    "device.py": "--device cpu --seeds 1 --updates 1",
    "envs.py": "--agents 2 --repeats 1 --seconds 0.01",
    "instruments.py": "--seeds 1 --households 4 --days 1 --updates 1 --workers 1",
    "link_model.py": "--nets two_route,random --drivers 6 --changes 2 --days 2 --out OUT",
    "learner.py": "--repeats 1 --parts loop scaling algorithms full benchmarl",
    "own_games.py": "--games contributions,pledges,rounds --seeds 1 --updates 1 --out OUT",
    "powerflow.py": "--batch 2 --repeats 1 --largest 1",
    "references.py": "--households 4 --days 1",
    "report.py": "RUN --repeats 1",
    "signals.py": "--seeds 1 --out OUT --set scene.seconds=60 --set episodes=1 --set evaluations=1"
    " --set evaluation_episodes=1 --set learner.num_updates=1 --set learner.num_envs=1",
    "tasks.py": "--seeds 2 --updates 1 --out OUT",
    "traffic.py": "--nets two_route --repeats 1 --days 1",
    "traffic_gap.py": "--net data/nets/two_route.net.xml --seeds 1 --updates 1 --variants ss",
    "traffic_references.py": "--net data/nets/two_route.net.xml --set search.optimum_simulations=2"
    " --set search.model_days=100",
    "urb.py": "TOWN --seeds 1 --human-days 2 --out OUT --set days=2 --set trial_days=2"
    " --set learner.num_updates=2"
    " --set learner.num_envs=2 --set search.days=2 --set search.model_days=100"
    " --set search.deviations=2 --set search.draws=2 --set search.candidates=2",
}
ELSEWHERE = {  # or no program of its own
    "algorithms.py": "learner.py --parts algorithms",
    "clocked_server.py": "traffic.py",
    "feeders.py": "tests/benchmarks/test_feeders.py",
    "full_size.py": "learner.py --parts full",
    "gap.py": "tests/benchmarks/test_gap.py",
    "ippo.py": "learner.py --parts benchmarl, where BenchMARL is installed",
    "routerl_day.py": "traffic.py --routerl-python, where RouteRL is installed",
    "timing.py": "learner.py",
}
NEEDS_SUMO = {
    "link_model.py",
    "signals.py",
    "traffic.py",
    "traffic_gap.py",
    "traffic_references.py",
    "urb.py",
}
AFTERWARDS = {"report.py", "urb.py"}  # have tests of their own


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of some households."""
    monkeypatch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)
    size = ("--households", "4", "--days", "1", "--budget", "1", "--quiet", "--no-report")
    assert ssgrid_run(*size, "--out", str(tmp_path / "runs")) == 0
    return only_run(tmp_path / "runs")


def outcome(program: str, arguments: str) -> str:
    """What a program prints."""
    command = [sys.executable, str(ROOT / "benchmarks" / program), *arguments.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_every_program_has_its_smallest_size() -> None:
    assert sorted([*SMALLEST, *ELSEWHERE]) == PROGRAMS


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [
        pytest.param(name, marks=pytest.mark.sumo) if name in NEEDS_SUMO else name
        for name in SMALLEST
        if name not in AFTERWARDS
    ],
)
def test_a_program_runs(program: str, tmp_path: Path) -> None:
    assert outcome(program, SMALLEST[program].replace("OUT", str(tmp_path)))


@pytest.mark.slow
def test_a_report_is_timed_and_opened_where_there_is_a_browser(run: Path) -> None:
    said = outcome("report.py", SMALLEST["report.py"].replace("RUN", str(run)))
    assert "made: " in said
    assert ("desktop: open" in said) == (shutil.which("chromium") is not None)


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """A short way with a neck and a way round it, for agents as URB writes them down."""
    write_net(tmp_path / "town", TWO_ROUTE, "small.net.xml")
    rows = [f"{number},{number % 2},0,{3 * number},Human" for number in range(20)]
    agents = ["id,origin,destination,start_time,kind", *rows, ""]
    (tmp_path / "town" / "small.agents.csv").write_text("\n".join(agents))
    od = "{\n'origins' : ['entry', 'queue'],\n'destinations': ['exit']\n}\n"
    (tmp_path / "town" / "small.od.txt").write_text(od)
    return tmp_path / "town"


@pytest.mark.slow
@pytest.mark.sumo
def test_a_fleet_among_settled_humans_is_measured_as_urb_does(town: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = SMALLEST["urb.py"].replace("TOWN", str(town)).replace("OUT", str(out))
    said = outcome("urb.py", arguments)
    assert "WR " in said
    names, values = (out / "small" / "urb.tsv").read_text().splitlines()
    row = dict(zip(names.split("\t"), values.split("\t"), strict=True))
    assert row["vehicles"] == "20"
    assert row["fleet"] == "4"  # 40 % of those from `entry`: from `queue` there is one way only
    assert row["days"] == "4"
    mixed = (4 * float(row["t_CAV"]) + 16 * float(row["t_HDV"])) / 20
    assert float(row["t_test"]) == pytest.approx(mixed)
    assert float(row["PoA"]) >= 1.0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("small.od.txt", "__import__('os').abort()", "not a mapping of 'origins'"),
        ("small.od.txt", "{'origins': 'entry', 'destinations': []}", "lists of edge ids"),
        ("small.agents.csv", "id,origin,destination,start_time\n0,7,0,3\n", "agents.csv:2: needs"),
        ("small.agents.csv", "id,origin,destination\n0,0,0\n", "agents.csv:2: needs"),
    ],
)
def test_urb_files_that_are_none_are_refused(
    town: Path, tmp_path: Path, name: str, text: str, said: str
) -> None:
    (town / name).write_text(text)
    command = [sys.executable, str(ROOT / "benchmarks/urb.py"), str(town), "--seeds", "1"]
    command += ["--out", str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
