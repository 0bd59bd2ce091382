"""The training loop: stopped anywhere it goes on as if nothing had been, and leaves equal files."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from ss_core.algorithms import ALGORITHMS
from ss_core.algorithms.build import build_learner
from ss_core.env import EnvSpec, Step
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.learning.learner import LearnerConfig, learner_tensors
from ss_core.record.checkpoint import load_latest
from ss_core.record.trace_writer import TraceWriter
from ss_core.training import loop as train_module
from ss_core.training.loop import Training, train
from tests.support.probe_envs import mutual_help

UPDATES, COMMIT_EVERY, EVALUATE_EVERY = 7, 2, 3


class CountingEnv:
    """Mutual help that remembers how many episodes it has seen, as public history."""

    def __init__(self) -> None:
        self.game = mutual_help(num_envs=2)
        self.episodes = 0

    @property
    def spec(self) -> EnvSpec:
        return self.game.spec

    def reset(self, seed: int) -> Step:
        self.episodes += 1
        return self.game.reset(seed)

    def step(self, actions: Tensor) -> Step:
        return self.game.step(actions)

    def state(self) -> dict[str, Tensor]:
        return {"episodes": torch.tensor([self.episodes])}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        self.episodes = int(state["episodes"][0])


def new_training(algorithm: str = "ss") -> Training:
    env = CountingEnv()
    config = LearnerConfig(
        algorithm=algorithm, hidden=(4,), critic_hidden=(4,), num_updates=UPDATES, actor_lr=0.1
    )
    channel = Channel(ExchangeConfig(), env.spec.num_agents, seed=3)
    return Training(build_learner(config, env.spec, 3), env, channel, seed=3)


def never() -> bool:
    return False


def carry_on(
    training: Training,
    folder: Path,
    stop: Callable[[], bool] = never,
    seen: list[int] | None = None,
) -> bool:
    constants = {"run_id": "test", "algorithm": "ss", "seed": 3}
    return train(
        training,
        folder,
        TraceWriter(folder, constants=constants),
        evaluate=lambda now: {"held_out": float(now.update)},
        evaluate_every=EVALUATE_EVERY,
        commit_every=COMMIT_EVERY,
        progress=lambda done, _total, _note: None if seen is None else seen.append(done),
        stop_requested=stop,
    )


def files_of(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("algorithm", list(ALGORITHMS))
@pytest.mark.parametrize("asked_at", [0, 1, 2, 3, 6])
def test_a_training_that_was_stopped_leaves_the_files_of_one_that_was_not(
    tmp_path: Path, algorithm: str, asked_at: int
) -> None:
    straight, broken = new_training(algorithm), new_training(algorithm)
    assert carry_on(straight, tmp_path / "straight")
    assert not carry_on(broken, tmp_path / "broken", lambda: broken.update >= asked_at)
    resumed = new_training(algorithm)
    assert carry_on(resumed, tmp_path / "broken")
    assert files_of(tmp_path / "broken") == files_of(tmp_path / "straight")
    for name, tensor in learner_tensors(straight.learner).items():
        assert torch.equal(tensor, learner_tensors(resumed.learner)[name]), name


def test_asked_to_stop_it_goes_on_to_the_next_checkpoint(tmp_path: Path) -> None:
    training = new_training()
    assert not carry_on(training, tmp_path, lambda: training.update >= 3)
    assert training.update == 4  # a multiple of COMMIT_EVERY
    checkpoint = load_latest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.update == 4


def test_where_the_next_checkpoint_is_far_it_stops_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "STOP_WITHIN_S", 0.0)
    training = new_training()
    assert not carry_on(training, tmp_path, lambda: training.update >= 3)
    assert training.update == 3
    checkpoint = load_latest(tmp_path)
    assert checkpoint is not None
    assert checkpoint.update == 2
    assert carry_on(new_training(), tmp_path)


def test_the_first_report_says_where_it_goes_on(tmp_path: Path) -> None:
    first: list[int] = []
    training = new_training()
    carry_on(training, tmp_path, lambda: training.update >= 4, first)
    second: list[int] = []
    carry_on(new_training(), tmp_path, seen=second)
    assert first == [0, 1, 2, 3, 4]
    assert second == [4, 5, 6, 7]


def test_what_the_environment_remembers_is_restored(tmp_path: Path) -> None:
    training = new_training()
    carry_on(training, tmp_path, lambda: training.update >= 4)
    resumed = new_training()
    carry_on(resumed, tmp_path)
    assert isinstance(resumed.env, CountingEnv)
    assert resumed.env.episodes == UPDATES


def test_the_message_table_holds_what_the_ledger_counts(tmp_path: Path) -> None:
    training = new_training()
    carry_on(training, tmp_path, lambda: training.update >= 4)
    resumed = new_training()
    carry_on(resumed, tmp_path)
    tables = [pq.read_table(path) for path in sorted(tmp_path.glob("traces/message/*"))]
    assert len(tables) == 4  # after updates 2, 4, 6 and 7
    total = sum(sum(table["n_bytes"].to_pylist()) for table in tables)
    assert total == resumed.channel.ledger.num_bytes() > 0
    updates = [update for table in tables for update in table["update"].to_pylist()]
    assert sorted(set(updates)) == list(range(UPDATES))


def test_evaluations_may_look_at_the_last_rollout(tmp_path: Path) -> None:
    training = new_training()
    assert training.rollout is None
    carry_on(training, tmp_path)
    assert training.rollout is not None
    assert float(training.rollout.rewards.sum(dim=0).mean()) == training.metrics["episode_reward"]


def test_evaluations_come_at_their_updates_and_at_the_end(tmp_path: Path) -> None:
    carry_on(new_training(), tmp_path)
    rows = [
        row
        for path in sorted(tmp_path.glob("metrics/*"))
        for row in pq.read_table(path).to_pylist()
        if row["name"] == "held_out"
    ]
    assert [(row["update"], row["value"]) for row in rows] == [(2, 3.0), (5, 6.0), (6, 7.0)]


def test_a_finished_training_returns_at_once(tmp_path: Path) -> None:
    carry_on(new_training(), tmp_path)
    before = files_of(tmp_path)
    again = new_training()
    assert carry_on(again, tmp_path, stop=lambda: True)
    assert again.update == UPDATES
    assert files_of(tmp_path) == before
