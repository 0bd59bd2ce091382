"""`ss watch` as its users meet it: from a trained run to a file."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image

from cli.app import run
from cli.ss import cli as ss
from paper_envs.pictures.episode import play
from paper_envs.tasks import make_env
from ss_core.algorithms.build import build_learner
from ss_core.env import Step
from ss_core.learning.learner import LearnerConfig, learner_tensors
from ss_core.random_streams import Stream, drawn_seed, torch_generator
from ss_core.record.checkpoint import save_checkpoint
from ss_core.training.saved_learner import (
    LEARNER_FILE,
    SavedLearner,
    load_learner,
    read_learner_file,
    training_folder,
    write_learner_file,
)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SS_")]:
        monkeypatch.delenv(name)


def saved_run(folder: Path, task: str = "predation", num_agents: int = 3) -> Path:
    """A training folder as `ss train` and `ss bench` leave it, of an untrained learner."""
    config = LearnerConfig(architecture="multihead", hidden=(8,), critic_hidden=(8,))
    saved = SavedLearner(
        task=task,
        num_agents=num_agents,
        config=config,
        seed=2,
        options={"encoding": "state"} if task == "predation" else {},
    )
    write_learner_file(folder, saved)
    env = make_env(task, 1, num_agents=num_agents, options=saved.options)  # type: ignore[arg-type]
    save_checkpoint(folder, 5, learner_tensors(build_learner(config, env.spec, 7)), {"update": 5})
    return folder


def test_a_run_becomes_an_animation_and_a_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = saved_run(tmp_path / "run")
    assert run(ss, "ss", ["watch", "predation", "--run", str(folder), "--quiet"]) == 0
    assert capsys.readouterr().out == "predation.gif: 30 steps\n"
    with Image.open("predation.gif") as animation:
        assert animation.n_frames == 30  # type: ignore[attr-defined]
        size = animation.size
    arguments = ["--run", str(folder), "--out", "sheet.png", "--json"]
    assert run(ss, "ss", ["watch", "predation", *arguments]) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out) == {
        "schema": "ss.watch/1",
        "file": "sheet.png",
        "steps": 30,
    }
    assert streams.err.startswith("draw: 0 %")
    with Image.open("sheet.png") as sheet:  # eight frames, two abreast
        assert sheet.size == (2 * size[0] + 12, 4 * size[1] + 3 * 12)


def test_the_same_command_writes_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    folder = saved_run(tmp_path / "run")
    for name, seed in (("a.png", "0"), ("b.png", "0"), ("c.png", "1")):
        arguments = ["--run", str(folder), "--out", name, "--seed", seed, "--quiet"]
        assert run(ss, "ss", ["watch", "predation", *arguments]) == 0
    a, b, c = (Path(name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b != c


def test_an_episode_and_its_actions_are_drawn_from_different_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, seeds = saved_run(tmp_path / "run"), list[int]()
    env = make_env("predation", 1, num_agents=3, options={"encoding": "state"})
    learner, reset = load_learner(folder, read_learner_file(folder), env.spec), env.reset

    def noted(seed: int) -> Step:
        seeds.append(seed)
        return reset(seed)

    monkeypatch.setattr(env, "reset", noted)
    for seed in range(20):
        play(env, "predation", learner, seed=seed)
    actions = [torch_generator(s, Stream.WATCHED_ACTIONS).initial_seed() for s in range(20)]
    assert seeds == [drawn_seed(seed, Stream.WATCHED_EPISODE) for seed in range(20)]
    assert len({*seeds, *actions}) == 40


def test_it_is_the_checkpoint_that_plays(tmp_path: Path) -> None:
    folder = saved_run(tmp_path / "run")
    saved = read_learner_file(folder)
    env = make_env("predation", 1, num_agents=3, options={"encoding": "state"})
    loaded, trained = (
        load_learner(folder, saved, env.spec),
        build_learner(saved.config, env.spec, 7),
    )
    for name, tensor in learner_tensors(trained).items():
        assert learner_tensors(loaded)[name].equal(tensor)


def test_a_run_directory_leads_to_the_folder_of_its_task(tmp_path: Path) -> None:
    folder = saved_run(tmp_path / "tasks" / "ss", "navigation")
    assert training_folder(tmp_path) == folder
    arguments = ["--run", str(tmp_path), "--out", "x.png", "--quiet"]
    assert run(ss, "ss", ["watch", "navigation", *arguments]) == 0


def test_of_a_run_with_selfish_learners_beside_the_ones_asked_for_are_drawn(tmp_path: Path) -> None:
    folder = saved_run(tmp_path / "tasks" / "ss")
    selfish = saved_run(tmp_path / "tasks" / "independent")
    assert training_folder(tmp_path) == folder
    assert training_folder(selfish) == selfish


def test_a_game_of_ones_own_is_not_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = SavedLearner(task="my_game:make", num_agents=2, config=LearnerConfig(), seed=0)
    write_learner_file(tmp_path, saved)
    for task, message in (
        ("my_game:make", "my_game:make: only the tasks that `ss envs` lists can be drawn"),
        ("cleanup", "these agents learned my_game:make, not cleanup; own games cannot be drawn"),
    ):
        assert run(ss, "ss", ["watch", task, "--run", str(tmp_path), "--quiet"]) == 3
        assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["navigation", "--run", "run"], "not navigation; use `ss watch predation`"),
        (["predation", "--run", "run", "--out", "x.jpg"], "end it in .gif or .png"),
        (["predator", "--run", "run"], "did you mean 'predation'"),
        (["predation", "--run", "nowhere"], "holds no trained learner"),
    ],
)
def test_what_cannot_be_drawn_exits_3(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved_run(tmp_path / "run")
    assert run(ss, "ss", ["watch", *arguments, "--quiet"]) == 3
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("*.gif"))


def test_a_description_that_is_none_or_does_not_fit_exits_5(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = saved_run(tmp_path / "run")
    whole = json.loads((folder / LEARNER_FILE).read_text())
    whole["learner"]["num_agents"] = 4
    (folder / LEARNER_FILE).write_text(json.dumps(whole))
    assert run(ss, "ss", ["watch", "predation", "--run", str(folder), "--quiet"]) == 5
    assert "the checkpoint does not fit predation with 4 agents" in capsys.readouterr().err
    (folder / LEARNER_FILE).write_text("{")
    assert run(ss, "ss", ["watch", "predation", "--run", str(folder), "--quiet"]) == 5
    assert "not a description of a learner" in capsys.readouterr().err


def test_a_run_without_a_checkpoint_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = SavedLearner(task="predation", num_agents=3, config=LearnerConfig(), seed=0)
    write_learner_file(tmp_path, saved)
    assert run(ss, "ss", ["watch", "predation", "--run", str(tmp_path), "--quiet"]) == 3
    assert "holds no checkpoint" in capsys.readouterr().err
