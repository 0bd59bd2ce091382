"""Diagrams of games by what two learners of a run do in them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from cli.commands.envs import envs
from paper_envs.dilemma import learned
from paper_envs.dilemma.learned import measure_run
from paper_envs.dilemma.words import conclusion
from paper_envs.training.scenario import SCENARIO
from ss_core.errors import InputError, SuggestionSharingError
from ss_core.processes import child_tasks
from ss_core.scenario.run import run_scenario
from tests.support.grid_runs import run_here

GAME = "tests.support.own_games:PublicGoods"


def silent(*_: Any) -> None:
    """No progress."""


def trained(out: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Path:
    overrides = {"updates": 40, "seed": 0, "evaluations": 1, "pilot": False}
    request = {"preset": "tuned", "overrides": overrides | settings, "origins": {}}
    request |= {"resume": "never", "out": str(out), "dry_run": False, "arguments": {"env": GAME}}
    monkeypatch.setattr(child_tasks, "run_tasks", run_here)
    return Path(run_scenario(SCENARIO.target, request, silent)["run_dir"])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        return trained(tmp_path_factory.mktemp("runs"), patch, compare=["independent"])


def test_selfish_and_cooperating_learners_make_a_dilemma_of_public_goods(run: Path) -> None:
    measured = measure_run(run, episodes=20, progress=silent)
    fear, greed, efficiency = measured.diagram.questions
    assert measured.num_agents == len(measured.diagram.points)
    assert fear.difference.low > 0.0
    assert greed.difference.low > 0.0
    assert efficiency.difference.low > 0.0
    assert conclusion(measured.diagram).startswith("a social dilemma")


def test_the_command_line_draws_a_run(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "goods.svg"
    asked = ["--diagram", str(run), "--episodes", "10", "--out", str(file), "--quiet", "--json"]
    found = CliRunner().invoke(envs, asked, catch_exceptions=False)
    (record,) = json.loads(found.output)["diagrams"]
    assert record["env"] == GAME
    assert record["cooperating"] == "plays what SS (suggestions only) learned"
    assert "PublicGoods" in file.read_text()


def test_the_number_of_agents_is_the_runs_own(run: Path, tmp_path: Path) -> None:
    asked = ["--diagram", str(run), "--agents", "3", "--out", str(tmp_path / "x.png")]
    with pytest.raises(SuggestionSharingError, match="has its own number of agents"):
        CliRunner().invoke(envs, asked, catch_exceptions=False)


def test_who_cooperates_is_drawn_anew_for_each_episode_and_comes_first(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def played(env: Any, _: Any, cooperates: torch.Tensor, *__: Any) -> torch.Tensor:
        seen.append(cooperates)
        return cooperates.double()

    monkeypatch.setattr(learned, "_played", played)
    measured = measure_run(run, episodes=12, progress=silent)
    assert [int(each.sum()) for each in seen] == [12 * k for k in range(measured.num_agents + 1)]
    assert len({tuple(row) for row in seen[1].tolist()}) > 1
    assert all(point.temptation.estimate == -1.0 for point in measured.diagram.points)


def test_a_run_without_selfish_learners_is_refused_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained(tmp_path, monkeypatch, updates=1)
    with pytest.raises(InputError, match="--compare independent"):
        measure_run(alone, episodes=10, progress=silent)


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        measure_run(tmp_path, episodes=10, progress=silent)
