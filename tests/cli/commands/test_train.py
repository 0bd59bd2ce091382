"""`ss train`, `ss envs` and `ss algorithms` as their users meet them."""

import json
import os
import signal
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cli.app import run
from cli.ss import cli as ss
from paper_envs.tasks import TASKS, make_env
from ss_core.algorithms import ALGORITHMS
from ss_core.record.manifest import VOLATILE, verify_run
from ss_core.training.saved_learner import read_learner_file

ROOT = Path(__file__).parents[3]
SPREAD = "mpe2.simple_spread_v3:parallel_env"
SMALL = (
    *("--updates", "3", "--episodes-per-update", "2", "--quiet"),
    *("--set", "evaluation_episodes=4", "--set", "learner.hidden=[8]"),
    *("--set", "learner.critic_hidden=[8]"),
)
GAME = '''
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

print("a banner on stdout")

class Game(ParallelEnv):
    """Two agents; action 1 pays 1, `fault` says what goes wrong at step 3."""
    metadata = {"name": "game_v0"}

    def __init__(self, fault=""):
        self.possible_agents, self.agents, self._fault = ["a", "b"], [], fault
        self._space, self._actions = spaces.Box(-9, 9, (1,), np.float32), spaces.Discrete(2)

    def observation_space(self, agent):
        return self._space

    def action_space(self, agent):
        return spaces.Text(3) if self._fault == "text" else self._actions

    def _all(self, value):
        return {agent: value for agent in self.possible_agents}

    def reset(self, seed=None, options=None):
        self.agents, self._t = list(self.possible_agents), 0
        return self._all(np.zeros(1, np.float32)), self._all({})

    def step(self, actions):
        self._t += 1
        over = self._t == 4
        seen, pays = self._all(np.zeros(1, np.float32)), {a: float(actions[a]) for a in self.agents}
        if self._t == 3:
            if self._fault == "reward":
                pays["b"] = float("nan")
            elif self._fault == "observation":
                seen["a"] = np.full(1, np.nan, np.float32)
            elif self._fault == "absent":
                del seen["b"]
            elif self._fault == "stranger":
                self.agents = ["a", "b", "c"]
        self.agents = [] if over else self.agents
        print("stepping")
        return seen, pays, self._all(False), self._all(over), self._all({})

def make(fault=""):
    return "no game" if fault == "type" else Game(fault)

class Tiring(Game):
    """Pays NaN in every episode after the fourth: those that are looked at first go well."""

    episodes = 0

    def reset(self, seed=None, options=None):
        Tiring.episodes += 1
        self._fault = "reward" if Tiring.episodes > 4 else ""
        return super().reset(seed, options)
'''


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in os.environ if name.startswith("SS_")]:
        monkeypatch.delenv(name)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cli", "ss", "train", *arguments]


def environment() -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SS_")}
    return clean | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def train(*arguments: str, folder: Path, expected: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == expected, done.stderr
    assert "Traceback" not in done.stderr
    return done


def files_of(run_dir: Path) -> dict[str, bytes]:
    return {
        path.relative_to(run_dir).as_posix(): path.read_bytes()
        for path in sorted(run_dir.rglob("*"))
        if path.is_file() and not any(fnmatch(path.name, pattern) for pattern in VOLATILE)
    }


EPISODES = 400  # looked at, before and after


@pytest.fixture(scope="module")
def own_game(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """A game of one's own trained in its folder: the folder, the result and what else was said."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "game.py").write_text(GAME)
    more = ("--json", "--set", f"evaluation_episodes={EPISODES}")
    done = train("game:make", *SMALL, *more, folder=folder)
    return folder, json.loads(done.stdout), done.stderr  # what the game prints goes to stderr


@pytest.mark.slow
def test_a_game_of_ones_own_is_trained_from_the_folder_it_lies_in(
    own_game: tuple[Path, dict[str, Any], str],
) -> None:
    folder, result, said = own_game
    assert "a banner on stdout" in said
    assert (result["num_agents"], result["horizon"], result["num_updates"]) == (2, 4, 3)
    assert result["bytes_by_kind"]["suggestion"] > 0
    after = result["evaluation"]["after"]
    assert len(after["averaged_returns"]) == EPISODES
    assert after["averaged_return_low"] <= after["averaged_return"] <= after["averaged_return_high"]
    run_dir = folder / result["run_dir"]
    assert verify_run(run_dir) == []
    kpis = pq.read_table(run_dir / "traces" / "kpi").to_pylist()
    assert [row["algorithm"] for row in kpis] == ["untrained", "ss"]
    assert kpis[1]["value"] == after["averaged_return"]
    assert json.loads((run_dir / "result.json").read_text())["env"] == "game:make"
    assert read_learner_file(run_dir / "tasks" / "ss").task == "game:make"


@pytest.mark.slow
def test_returns_are_what_the_episodes_paid(own_game: tuple[Path, dict[str, Any], str]) -> None:
    # four steps, 1 for action 1: of an untrained, uniform policy about half of it
    before = own_game[1]["evaluation"]["before"]
    assert before["steps_per_episode"] == 4.0
    assert before["episode_return_per_agent"] == pytest.approx(4 * before["averaged_return"])
    assert before["averaged_return"] == pytest.approx(0.5, abs=0.05)  # 3 σ = 0.027


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["game:make", "fault=reward"], "game_v0, step 3: reward of 'b' is nan"),
        (["game:make", "fault=observation"], "game_v0, step 3: observation of 'a' is nan"),
        (["game:make", "fault=absent"], "game_v0, step 3: no observation of agent 'b'"),
        (["game:make", "fault=stranger"], "game_v0, step 3: agent 'c' is in `agents`"),
        (["game:make", "fault=text"], "action space of 'a' is Text"),
        (["game:make", "fault=type"], "returned a str, not a pettingzoo ParallelEnv"),
        (["game:make", "colour=red"], "raised TypeError"),
        (["game:mkae", "fault="], "did you mean 'make'"),
        (["gmae:make", "fault="], "No module named 'gmae'"),
        (["game:make", "fault"], "--env-arg fault: expected KEY=VALUE"),
    ],
)
def test_a_game_that_does_not_hold_together_is_one_line_and_exit_3(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "game.py").write_text(GAME)
    sys.modules.pop("game", None)
    env, env_arg = arguments
    assert run(ss, "ss", ["train", env, "--env-arg", env_arg, "--quiet"]) == 3
    streams = capsys.readouterr()
    (line,) = [line for line in streams.err.splitlines() if line.startswith("SS-")]
    assert message in line
    assert streams.out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["navigatoin"], "no task 'navigatoin': did you mean 'navigation'"),
        (["navigation", "--algorithm", "sss"], "no algorithm 'sss': did you mean 'ss'"),
        (["navigation", "--algorithm", "imr"], "does not tell which action is cooperative"),
        (["navigation", "--agents", "9"], "it takes 1 to 8"),
        (["navigation", "--horizon", "9"], "navigation always takes 100 steps"),
        (["navigation", "--env-arg", "size=9"], "navigation does not take it"),
        (["navigation", "--env-arg", "num_agents=3"], "num_agents: use --agents"),
        (["predation", "--env-arg", "encoding=foo"], "'foo': choose 'sign' or 'state'"),
        (["navigation", "--env-arg", "encoding=", "--dry-run"], "choose 'places' or 'relative'"),
        (["navigation", "--set", "learner.gama=1"], "did you mean 'gamma'"),
        (["navigation", "--set", "num_agents=4"], "--set num_agents: use --agents"),
        (["navigation", "--set", "env=predation"], "--set env: it is an argument of the command"),
        (["navigation", "--updates", "3", "--budget", "3"], "--updates and --budget"),
        (["navigation", "--set", "learner.algorithm=vs"], "use --algorithm"),
        (["navigation", "--set", 'agents="two"'], "agents='two': an integer from 1"),
        (["navigation", "--set", "evaluations=0"], "evaluations=0: between 1 and"),
        (["navigation", "--device", "tpu"], "device='tpu': cpu, cuda or cuda:N"),
        (["navigation", "--resume", "nowhere"], "holds no run"),
        ([SPREAD, "--agents", "4"], "--env-arg N=5"),
    ],
)
def test_a_request_that_makes_no_sense_exits_3_and_writes_nothing(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(ss, "ss", ["train", *arguments, "--quiet"]) == 3
    assert message in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_shows_every_setting_and_who_gave_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SS_SEED", "7")
    arguments = ["predation", "--updates", "5", "--set", "learner.gamma=0.5", "--dry-run", "--json"]
    assert run(ss, "ss", ["train", *arguments]) == 0
    streams = capsys.readouterr()
    assert streams.err.startswith("prepare: 0 %  predation")
    rows = {row["setting"]: row for row in json.loads(streams.out)["tables"]["settings"]}
    assert (rows["learner.num_updates"]["value"], rows["learner.num_updates"]["from"]) == (
        5,
        "--updates",
    )
    assert (rows["learner.gamma"]["value"], rows["seed"]["from"]) == (0.5, "variable SS_SEED")
    assert rows["horizon"]["value"] == 30
    assert not (tmp_path / "runs").exists()


def test_a_missing_folder_of_runs_is_told_with_what_makes_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(ss, "ss", ["runs", "ls"]) == 3
    assert "`ss train` and `ssgrid run` make one" in capsys.readouterr().err


def test_every_task_and_algorithm_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(ss, "ss", ["envs", "--json"]) == 0
    records = {row["env"]: row for row in json.loads(capsys.readouterr().out)["envs"]}
    assert list(records) == list(TASKS)
    navigation: dict[str, Any] = records["navigation"]
    assert (navigation["agents"], navigation["actions"], navigation["horizon"]) == (3, 5, 100)
    assert navigation["observation"] == make_env("navigation", 1).spec.observation_size
    assert run(ss, "ss", ["algorithms", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["algorithms"]
    assert [row["algorithm"] for row in listed] == list(ALGORITHMS)
    assert all(row["between_agents"] and (ROOT / row["code"]).is_file() for row in listed)


@pytest.mark.parametrize("arguments", [["train"], ["watch"], ["envs"], ["algorithms"], []])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from cli.app import run; from cli.ss import cli\n"
        f"assert run(cli, 'ss', {[*arguments, '--help']!r}) == 0\n"
        "heavy = {'torch', 'numpy', 'pyarrow', 'pettingzoo', 'PIL', 'pygame'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"


@pytest.mark.slow
def test_an_interrupted_run_continues_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    arguments = (
        *("navigation", "--updates", "30", "--episodes-per-update", "2", "--set", "commit_every=3"),
        *("--set", "evaluation_episodes=4", "--set", "learner.hidden=[16]"),
    )
    train(*arguments, "--out", "whole", folder=tmp_path)
    process = subprocess.Popen(
        command(*arguments, "--out", "cut"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline_s = time.monotonic() + 120
    while not list(tmp_path.glob("cut/*/tasks/ss/LATEST")) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "run the same command to continue" in errors
    done = train(*arguments, "--out", "cut", folder=tmp_path)
    assert "untrained" in done.stdout
    (whole,), (cut,) = (list((tmp_path / name).iterdir()) for name in ("whole", "cut"))
    assert files_of(cut) == files_of(whole)
    again = train(*arguments, "--resume", str(cut), folder=tmp_path)
    assert "this run was complete already" in again.stdout
    other = train("predation", "--resume", str(cut), folder=tmp_path, expected=3)
    assert "that run is of navigation, not of predation" in other.stderr


@pytest.mark.slow
def test_selfish_learners_are_a_row_of_their_own_and_arguments_of_a_game_are_settings(
    tmp_path: Path,
) -> None:
    (tmp_path / "game.py").write_text(GAME)
    rival = ("--set", "compare_selfish=true", "--workers", "1", "--json")
    result = json.loads(train("game:make", *SMALL, *rival, folder=tmp_path).stdout)
    assert [*result["kpis"]] == ["untrained", "ss", "independent"]
    assert result["algorithm"] == "ss"
    kpis = pq.read_table(tmp_path / result["run_dir"] / "traces" / "kpi").to_pylist()
    assert [row["algorithm"] for row in kpis] == ["untrained", "ss", "independent"]
    other = ("--resume", result["run_dir"], "--env-arg", "fault=")
    refused = train("game:make", *other, folder=tmp_path, expected=3)
    assert "that run has other settings than the ones given (env_args)" in refused.stderr


@pytest.mark.slow
def test_changed_code_is_another_run(tmp_path: Path) -> None:
    (tmp_path / "game.py").write_text(GAME)
    first = json.loads(train("game:make", *SMALL, "--json", folder=tmp_path).stdout)["run_dir"]
    (tmp_path / "game.py").write_text(GAME + "# changed\n")
    refused = train("game:make", *SMALL, "--resume", first, folder=tmp_path, expected=3)
    assert "the code of game:make has changed since that run began" in refused.stderr


@pytest.mark.slow
def test_a_fault_that_shows_while_training_is_the_same_one_line(tmp_path: Path) -> None:
    (tmp_path / "game.py").write_text(GAME)
    arguments = ("game:Tiring", *SMALL, "--episodes-per-update", "1")
    failed = train(*arguments, "--updates", "9", folder=tmp_path, expected=3)
    (line,) = [line for line in failed.stderr.splitlines() if line.startswith("SS-")]
    assert line.startswith("SS-E310: game_v0, step 3: reward of 'b' is nan; it must be finite")
    (run_dir,) = (tmp_path / "runs").iterdir()
    assert json.loads((run_dir / "manifest.json").read_text())["ss"]["status"] == "failed"


@pytest.mark.slow
def test_simple_spread_improves(tmp_path: Path) -> None:
    arguments = (SPREAD, "--updates", "40", "--set", "evaluation_episodes=256", "--json", "--quiet")
    result = json.loads(train(*arguments, folder=tmp_path).stdout)
    before, after = (result["evaluation"][when] for when in ("before", "after"))
    assert after["averaged_return_low"] > before["averaged_return_high"]
    assert result["improved"]
