"""The front door: a run of the smallest world by keyword arguments, and what is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import pandas as pd
import pytest

import gridsim
import ss_core
import trafficsim
from cli.worlds import WORLDS
from ss_core.analysis.run import Run
from ss_core.analysis.run_data import RunData
from ss_core.errors import ConfigError, InputError
from ss_core.processes import child_tasks
from ss_core.report.assemble import RunSummary
from ss_core.scenario import front_door
from ss_core.scenario.front_door import flat, run_world, target_of
from ss_core.scenario.page import plain_summary
from tests.ss_core.scenario.test_world import SETTINGS
from tests.ss_core.scenario.toy import SCENARIO
from tests.support.grid_runs import run_here

ROOT = Path(__file__).parents[3]
SHORT = {"learner.num_updates": 2}


def page_summary(data: RunData) -> RunSummary:
    return plain_summary(SCENARIO, data)


def giving(out: Path, **options: Any) -> Run:
    """A run of the toy world."""
    return run_world(SCENARIO.target, f"{__name__}:page_summary", out=out, **SETTINGS | options)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_tasks, "run_tasks", run_here)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child_tasks, "run_tasks", run_here)
        return giving(tmp_path_factory.mktemp("runs"))


def test_a_run_ends_with_its_table_and_its_figures(run: Run) -> None:
    assert list(run.table.index) == [
        "selfish, learned",
        "never give",
        "SS (suggestions only)",
        "give",
    ]
    assert run.table.loc["give", "forgone"] == 0.0
    gap = run.gap_closed
    assert gap is not None
    assert 0.1 < gap.low <= gap.estimate <= gap.high <= 1.0
    forgone = run.figure("forgone", "nash")
    assert forgone is not None
    assert forgone.estimate == pytest.approx(0.8)
    assert run.figure("gap_closed", "optimum") is not None


def test_key_figures_are_a_data_frame(run: Run) -> None:
    kpis = run.kpis
    assert isinstance(kpis, pd.DataFrame)
    wide = kpis.pivot_table(index="algorithm", columns="kpi", values="value")
    assert wide.loc["optimum", "gap_closed"] == 1.0
    assert {"ci_low", "ci_high", "unit", "n"} <= set(kpis.columns)


def test_traces_are_arrow_tables_of_the_rows_asked_for(run: Run) -> None:
    figures = run.traces("kpi", ["algorithm", "value"], kpi="forgone", algorithm=["ss", "nash"])
    assert figures.column_names == ["algorithm", "value"]
    assert sorted(figures["algorithm"].to_pylist()) == ["nash", "ss"]


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda run: run.traces("kpis"), "did you mean 'kpi'"),
        (lambda run: run.traces("kpi", algoritm="ss"), "did you mean 'algorithm'"),
        (lambda run: run.traces("kpi", ["valu"]), "did you mean 'value'"),
        (lambda run: run.figure("forgon"), "did you mean 'forgone'"),
        (lambda run: run.figure("forgone", "nashh"), "did you mean 'nash'"),
        (lambda run: run.figure("zzz"), "known: forgone"),
    ],
)
def test_a_name_that_is_not_there_is_answered_with_near_ones(
    run: Run, ask: Any, answer: str
) -> None:
    with pytest.raises(InputError, match=answer):
        ask(run)


def test_a_run_is_opened_again_from_its_folder(run: Run) -> None:
    again = ss_core.open_run(str(run.path))
    assert again.gap_closed == run.gap_closed
    assert again.settings == run.settings
    assert again.settings["learner"]["num_updates"] == 60
    assert again.report.read_bytes().startswith(b"<!doctype html>")
    assert (again.task, again.status, again.algorithm) == ("giving", "complete", "ss")
    assert "never give" in again._repr_html_()
    assert again.recommended is None  # this world has no trial days


def test_no_folder_and_no_page_are_said_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ss runs ls"):
        ss_core.open_run(tmp_path / "none")
    run = giving(tmp_path, report=False, **SHORT)
    with pytest.raises(InputError, match=f"ss report {run.path}"):
        _ = run.report


def test_a_page_that_cannot_be_written_is_a_warning_and_the_run_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise InputError("no plotly")

    monkeypatch.setattr(front_door, "run_page", refuse)
    with pytest.warns(UserWarning, match="no report: .*no plotly"):
        run = giving(tmp_path, **SHORT)
    assert run.status == "complete"


def test_progress_is_told_to_who_asks(tmp_path: Path) -> None:
    stages = set[str]()
    giving(tmp_path, progress=lambda stage, *_: stages.add(stage), report=False, **SHORT)
    assert {"prepare", "ss", "independent", "score"} <= stages


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"learner": {"gamma": 0.5, "exchange": {"liars": 0.1}}},
         {"learner.gamma": 0.5, "learner.exchange.liars": 0.1}),
        ({"learner__gamma": 0.5}, {"learner.gamma": 0.5}),
        ({"feeder": Path("my.json")}, {"feeder": "my.json"}),
        ({"env_args": {"max_cycles": 5}}, {"env_args": {"max_cycles": 5}}),
    ],
)  # fmt: skip
def test_sections_are_mappings_or_two_underscores(
    settings: dict[str, Any], names: dict[str, Any]
) -> None:
    assert flat(settings) == names


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ({"hoseholds": 5}, "did you mean 'households'"),
        ({"neighbors": 5}, "did you mean 'neighbours'"),
        ({"learner__gama": 0.9}, "did you mean 'gamma'"),
        ({"households": "five"}, "valid integer"),
        ({"budget": "soon"}, "give 90s"),
        ({"preset": "none"}, "preset"),
    ],
)
def test_unknown_settings_and_bad_values_are_refused_before_anything_is_written(
    settings: dict[str, Any], answer: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=answer):
        gridsim.run(out=tmp_path / "runs", **settings)
    assert not (tmp_path / "runs").exists()


def test_functions_are_named_as_child_processes_import_them() -> None:
    assert target_of("predation") == "predation"
    assert target_of(gymnasium.make) == f"{gymnasium.make.__module__}:make"
    with pytest.raises(ConfigError, match=r"my_game\.py"):
        target_of(lambda: None)


def test_each_world_is_named_as_the_command_line_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(front_door, "run_world", lambda *names, **_: asked.append(names))
    gridsim.run()
    trafficsim.run()
    ss_core.train("predation")
    known = [WORLDS[name] for name in ("grid", "traffic", "train")]
    assert asked == [(world.scenario, world.summary) for world in known]


@pytest.mark.slow
def test_a_script_needs_no_guard_and_its_processes_do_not_run_it_again(tmp_path: Path) -> None:
    script = tmp_path / "analysis.py"
    script.write_text(
        "print('begun')\nimport ss_core\n"
        "run = ss_core.train('predation', agents=4, updates=2, episodes_per_update=2,\n"
        "    evaluation_episodes=4, learner={'hidden': [8], 'critic_hidden': [8]}, report=False)\n"
        "print(run.status)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.stdout.split() == ["begun", "complete"], done.stderr


def test_importing_the_worlds_imports_nothing_heavy() -> None:
    heavy = {"torch", "pandas", "pandapower", "pyarrow", "libsumo", "numpy"}
    code = (
        "import sys, gridsim, ss_core, trafficsim\n"
        f"print(sorted(set(sys.modules) & set({sorted(heavy)!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
