"""Somebody's own game is tried under two regimes; the named tasks, and what is set by hand, not."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paper_envs.training.config import resolve, user_learner
from paper_envs.training.pilot import regimes_to_try
from paper_envs.training.scenario import SCENARIO
from ss_core.errors import ConfigError
from ss_core.learning.presets import REGIMES, in_regime
from ss_core.processes import child_tasks
from ss_core.scenario.run import run_scenario
from ss_core.training.saved_learner import read_learner_file
from tests.support.grid_runs import run_here

STAG_HUNT, TWO_ROADS, ALONE = (
    f"tests.support.own_games:{name}" for name in ("StagHunt", "TwoRoads", "Alone")
)
SMALL = {"learner.hidden": [16], "learner.critic_hidden": [16], "evaluation_episodes": 8}


BEST = {  # what closed-form suggestions ask for, the default objective apart
    "learner.suggestions": "best",
    "learner.architecture": "shared",
    "learner.credit": "model",
}


def run(env: str, out: Path, **overrides: Any) -> dict[str, Any]:
    request = {
        "preset": "tuned",
        "arguments": {"env": env},
        "overrides": SMALL | {"evaluations": 1} | overrides,
        "origins": {},
        "out": str(out),
        "resume": "auto",
        "dry_run": False,
    }
    return run_scenario(SCENARIO.target, request, lambda *_: None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("env", "updates", "kept"), [(STAG_HUNT, 80, "norm"), (TWO_ROADS, 80, "gradient")]
)
def test_the_regime_that_suits_the_game_is_kept(
    env: str, updates: int, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_tasks, "run_tasks", run_here)
    result = run(env, tmp_path, updates=updates)
    facts = result["pilot"]["ss"]
    assert facts["kept"] == kept
    assert facts["num_updates"] == updates // 4
    assert any(f"{kept} kept after a pilot of" in note for note in result["notes"])
    saved = read_learner_file(Path(result["run_dir"]) / "tasks" / "ss").config
    asked = resolve("tuned", SMALL | {"env": env, "updates": updates}).learner
    assert saved == regimes_to_try(asked)[kept]
    if env == STAG_HUNT:
        assert result["evaluation"]["after"]["averaged_return"] > 3.5  # else at most 1


def test_the_default_is_the_whole_gradient() -> None:
    learner = user_learner("tuned", "ss")
    expected = replace(REGIMES["gradient"], rho=8.0, rho_follow=8.0)
    assert (learner.objective, learner.scale_rho_follow) == (expected, True)
    assert learner.suggestion_baseline


def test_norm_is_tried_with_everything_else_as_it_is() -> None:
    learner = replace(user_learner("tuned", "ss"), num_envs=3)
    tried = regimes_to_try(learner)
    assert [*tried] == ["gradient", "norm"]
    assert tried["gradient"] == learner
    assert tried["norm"].objective == replace(REGIMES["norm"], rho_follow=4.0)
    assert in_regime(tried["norm"], "norm") == in_regime(learner, "norm")


def test_a_regime_given_by_hand_means_what_it_meant_before_there_was_a_pilot() -> None:
    for regime, weights in REGIMES.items():
        learner = resolve("tuned", {"env": STAG_HUNT, "regime": regime}).learner
        assert learner.objective == weights
        assert not learner.suggestion_baseline


@pytest.mark.parametrize(
    ("preset", "values", "why"),
    [
        ("tuned", {"env": "predation"}, "the regime of a named task is known"),
        ("paper", {}, "preset 'paper' has a regime of its own"),
        ("tuned", {"algorithm": "vs"}, "of suggestion sharing, not of vs"),
        ("tuned", {"regime": "norm"}, "regime set by hand decides the regime"),
        (
            "tuned",
            {"learner.objective.rho": 1.0},
            "learner.objective.rho set by hand decides the regime",
        ),
        ("tuned", {"learner.kappa": "one"}, "learner.kappa set by hand"),
        ("tuned", {"learner.scale_rho_follow": False}, "learner.scale_rho_follow set by hand"),
        ("tuned", {"learner.exchange.noise": 1.0}, "spend as much privacy"),
        ("tuned", BEST, "'best' allows one regime alone"),
        ("tuned", {"env": ALONE}, "an agent alone has nobody"),
    ],
)
def test_there_is_no_pilot_where_there_is_nothing_to_choose(
    preset: str, values: Mapping[str, Any], why: str
) -> None:
    asked = {"env": STAG_HUNT, **values}
    assert not resolve(preset, asked).pilot
    assert not resolve(preset, asked | {"pilot": False}).pilot
    with pytest.raises(ConfigError, match=f"pilot=true: .*{why}"):
        resolve(preset, asked | {"pilot": True})


def test_there_is_one_in_a_game_of_ones_own_unless_somebody_says_no() -> None:
    asked = {"env": STAG_HUNT, "learner.gamma": 0.9, "learner.suggestion_baseline": False}
    assert resolve("tuned", asked).pilot
    assert resolve("tuned", asked | {"pilot": True}) == resolve("tuned", asked)
    assert not resolve("tuned", asked | {"pilot": False}).pilot
    with pytest.raises(ConfigError, match="pilot"):
        resolve("tuned", asked | {"pilot": "yes"})


def test_asked_for_nothing_it_trains_as_asked_and_tells_of_no_pilot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_tasks, "run_tasks", run_here)
    monkeypatch.setattr("ss_core.scenario.pilot.FEWEST", 5)
    result = run(STAG_HUNT, tmp_path, updates=20, pilot=False, **{"learner.num_envs": 2})
    assert "pilot" not in result
    assert not any("pilot" in note for note in result["notes"])
    assert not (Path(result["run_dir"]) / "tasks" / "ss" / "pilot").exists()


def test_selfish_learners_beside_have_no_pilot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_tasks, "run_tasks", run_here)
    monkeypatch.setattr("ss_core.scenario.pilot.FEWEST", 5)
    few = {"learner.num_envs": 2, "compare_selfish": True}
    result = run(STAG_HUNT, tmp_path, updates=20, **few)
    assert [*result["pilot"]] == ["ss"]
    tasks = Path(result["run_dir"]) / "tasks"
    assert sorted(path.parent.name for path in tasks.glob("*/pilot")) == ["ss"]
