"""Settings of a training run, and how episodes are played and counted."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from paper_envs.presets import learner_config
from paper_envs.training.config import TrainingConfig, build_env, resolve
from paper_envs.training.episodes import Episodes, play_episodes
from paper_envs.training.scenario import SCENARIO, about, check
from ss_core.algorithms.build import build_learner
from ss_core.config import to_dict
from ss_core.env import EnvSpec, Step
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.processes import child_tasks
from ss_core.record.checkpoint import Checkpoint, load_latest, save_checkpoint
from ss_core.record.run_directory import RunDirectory
from ss_core.scenario.protocol import Prepared
from ss_core.scenario.result import conclude
from ss_core.scenario.run import run_scenario
from tests.support.grid_runs import run_here

SPREAD = "mpe2.simple_spread_v3:parallel_env"


class UnequalEpisodes:
    """Copy e ends after e + 1 steps and starts anew; every step pays 1 and 3 to the two agents."""

    def __init__(self, num_envs: int) -> None:
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=2,
            num_actions=2,
            observation_size=1,
            horizon=6,
            agent_names=("a", "b"),
        )
        self._t = torch.zeros(num_envs, dtype=torch.long)

    def reset(self, seed: int) -> Step:
        self._t = torch.zeros_like(self._t)
        return self._step(torch.zeros_like(self._t, dtype=torch.bool))

    def step(self, actions: Tensor) -> Step:
        self._t = self._t + 1
        over = self._t == torch.arange(len(self._t)) + 1
        self._t = torch.where(over, 0, self._t)
        return self._step(over)

    def _step(self, over: Tensor) -> Step:
        seen = torch.zeros(len(over), 2, 1)
        return Step(
            observations=seen,
            rewards=torch.tensor([1.0, 3.0]).expand(len(over), 2),
            terminated=over,
            truncated=torch.zeros_like(over),
            next_observations=seen,
        )


def test_the_first_episode_of_each_copy_counts_to_its_end() -> None:
    env = UnequalEpisodes(3)
    learner = build_learner(LearnerConfig(hidden=(4,), critic_hidden=(4,)), env.spec, 0)
    played = play_episodes(env, learner.actors, episodes=5, seed=0)
    assert played.steps.tolist() == [1, 2, 3, 1, 2]  # two rounds of three copies, the last cut
    assert played.returns.tolist() == [[1, 3], [2, 6], [3, 9], [1, 3], [2, 6]]
    assert played.averaged.tolist() == [2.0] * 5  # (1 + 3) / 2 agents, per step


def test_the_averaged_return_is_per_agent_and_step() -> None:
    episodes = Episodes(returns=np.array([[-30.0, -10.0], [0.0, 5.0]]), steps=np.array([10, 5]))
    assert episodes.averaged.tolist() == [-2.0, 0.5]


def test_the_same_seed_plays_the_same_episodes_and_another_does_not() -> None:
    config = resolve("tuned", {"env": "navigation"})
    env = build_env(config, 4)
    learner = build_learner(config.learner, env.spec, 0)
    first, again, other = (
        play_episodes(env, learner.actors, episodes=4, seed=seed).returns for seed in (1, 1, 2)
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_a_task_is_learnt_with_the_settings_of_the_benchmark() -> None:
    config = resolve("paper", {"env": "predation", "algorithm": "vs", "updates": 9})
    expected = learner_config("predation", 8, "paper", "vs", num_updates=9)
    assert config.learner == expected
    assert (config.num_agents, config.horizon, config.options) == (8, 30, {"encoding": "state"})
    assert about(config, check(config)) == "Cooperative Predation: 8 agents, 30 steps"


@pytest.mark.parametrize(("agents", "updates"), [(2, 200), (4, 200), (8, 400), (12, 600)])
def test_more_predators_train_for_longer(agents: int, updates: int) -> None:
    assert resolve("tuned", {"env": "predation", "agents": agents}).learner.num_updates == updates
    by_hand = {"env": "predation", "agents": agents, "updates": 9}
    assert resolve("tuned", by_hand).learner.num_updates == 9
    assert resolve("tuned", {"env": "harvest", "agents": agents}).learner.num_updates == 200


def test_an_environment_of_ones_own_has_its_size_and_general_settings() -> None:
    config = resolve("tuned", {"env": SPREAD, "env_args": {"N": 4}, "episodes_per_update": 3})
    assert (config.num_agents, config.horizon, config.options) == (4, 25, {"N": 4})
    assert (config.learner.num_envs, config.learner.num_updates) == (3, 200)
    assert len(config.env_sha256) == 64
    sentence = about(config, check(config))
    seen = "observations of 24 numbers (24 unbounded entries standardised by running moments)"
    assert f"4 agents, 5 actions, {seen}, 25 steps" in sentence
    assert "the length of every random episode" in sentence
    assert config.learner.architecture == "tilted"
    assert config.learner.suggestion_lr == config.learner.actor_lr  # they keep pace with policies
    copies = resolve("tuned", {"env": SPREAD, "algorithm": "ps"})
    assert copies.learner.architecture == "multihead"
    literal = resolve("paper", {"env": SPREAD, "horizon": 5})
    assert (literal.learner.num_envs, literal.learner.architecture) == (1, "independent")
    assert literal.horizon == 5


@pytest.mark.parametrize(
    ("preset", "values", "named"),
    [
        ("best", {}, "preset"),
        ("tuned", {"algorithm": 3}, "algorithm"),
        ("tuned", {"agents": True}, "agents"),
        ("tuned", {"env_args": 3}, "env_args"),
        ("tuned", {"updates": 3, "budget": {"updates": 3}}, "--updates and --budget"),
        ("tuned", {"regime": "best"}, "regime"),
    ],
)
def test_values_of_the_wrong_kind_are_named(preset: str, values: dict, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        resolve(preset, {"env": "navigation", **values})


def test_a_budget_of_seconds_and_a_selfish_rival_are_settings_as_in_every_world() -> None:
    asked = {"env": "predation", "budget": {"seconds": 9.0}, "compare_selfish": True}
    config = resolve("tuned", asked)
    assert (config.budget_seconds, [*config.learners]) == (9.0, ["ss", "independent"])
    assert [*resolve("tuned", {"env": "predation"}).learners] == ["ss"]


def saved(folder: Path, before: list[float], after: list[float]) -> Checkpoint:
    tensors = {
        f"{when}/{what}": torch.tensor(values)
        for when, returns in (("before", before), ("after", after))
        for what, values in (
            ("returns", [[value, value] for value in returns]),
            ("steps", [10] * len(returns)),
        )
    }
    state = {"num_updates": 5, "bytes_by_kind": {"suggestion": 4000, "own_policy": 0}}
    save_checkpoint(folder, 5, tensors, state)
    result = load_latest(folder)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("after", "improved", "verdict"),
    [
        ([5.0, 5.5, 6.0], True, "better after training"),
        ([-3.0, -3.5, -4.0], False, "WORSE after training"),
        ([1.5, 0.5, 2.5], False, "or --set evaluation_episodes=512"),
    ],
)
def test_the_verdict_follows_from_the_intervals(
    after: list[float], improved: bool, verdict: str, tmp_path: Path
) -> None:
    results = {"ss": saved(tmp_path / "ss", [1.0, 1.5, 2.0], after)}
    config = TrainingConfig(env="navigation", num_agents=2, horizon=10)
    place = {"task": "navigation", "size": "n2", "seed": 0, "config": to_dict(config)}
    with RunDirectory.create(tmp_path / "run", **place) as run:
        result = conclude(SCENARIO, run, config, Prepared(sentence=""), results)
    assert result["improved"] is improved
    assert verdict in result["notes"][0]
    figures = result["evaluation"]["before"]
    assert figures["averaged_return"] == pytest.approx(0.15)  # 4.5 / 3 episodes / 10 steps
    assert figures["averaged_return_low"] == pytest.approx(0.1)
    assert figures["episode_return_per_agent"] == pytest.approx(1.5)
    rows = result["tables"]["3 held-out episodes (means; 95 % bootstrap intervals)"]
    assert rows[0]["low"] == figures["averaged_return_low"]
    assert (rows[0]["steps"], rows[1]["kB exchanged/agent"]) == (10.0, 2.0)
    (row,) = result["tables"]["sent to other agents while training"]
    assert row == {"kind": "suggestion", "MB": 0.004, "kB_per_agent_and_update": 0.4}


def notes_beside(folder: Path, *, selfish: float, centralised: float) -> list[str]:
    """Notes of a run that ends at 1 an agent, beside others."""
    ends = {"ss": 10.0, "independent": 10.0 * selfish, "centralised": 10.0 * centralised}
    results = {name: saved(folder / name, [1.0, 2.0], [end, end]) for name, end in ends.items()}
    config = TrainingConfig(
        env="navigation", num_agents=2, horizon=10, compare=("independent", "centralised")
    )
    place = {"task": "navigation", "size": "n2", "seed": 0, "config": to_dict(config)}
    with RunDirectory.create(folder / "run", **place) as run:
        return conclude(SCENARIO, run, config, Prepared(sentence=""), results)["notes"]


@pytest.mark.parametrize(
    ("selfish", "centralised", "said"),
    [
        (0.5, 0.9, ""),
        (1.5, 0.9, "coordination does not help here; use --algorithm independent"),
        (0.5, 1.5, "there is more to gain together; try more --updates"),
    ],
)
def test_notes_say_where_a_run_stands_between_both_ends(
    selfish: float, centralised: float, said: str, tmp_path: Path
) -> None:
    notes = notes_beside(tmp_path, selfish=selfish, centralised=centralised)
    found = [note for note in notes if "learners end at" in note]
    assert len(found) == bool(said)
    assert all(said in note for note in found)
    assert not any("zero-sum" in note for note in notes)


@pytest.mark.parametrize("compare", [("centralized",), ("mine:ALGORITHM",)])
def test_what_cannot_be_compared_with_is_refused(compare: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="compare: "):
        resolve("tuned", {"env": "navigation", "compare": compare})


def ran(game: str, out: Path) -> dict:
    """The result of a small run with every table."""
    small = {"learner.hidden": [8], "learner.critic_hidden": [8], "updates": 2, "trace": "full"}
    request = {
        "preset": "tuned",
        "arguments": {"env": game},
        "overrides": small | {"evaluation_episodes": 8, "compare": ("independent",)},
        "origins": {},
        "out": str(out),
        "resume": "auto",
        "dry_run": False,
    }
    return run_scenario(SCENARIO.target, request, lambda *_: None)


@pytest.mark.parametrize(
    ("game", "table", "entries"),
    [("Contributions", "suggestion_normal", 1), ("Pledges", "suggestion", 9)],
)
def test_suggestions_are_traced_in_the_numbers_of_their_family(
    game: str, table: str, entries: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_tasks, "run_tasks", run_here)
    result = ran(f"tests.support.own_games:{game}", tmp_path)
    assert {"ss", "independent", "untrained"} == set(result["kpis"])
    traces = Path(result["run_dir"]) / "tasks" / "ss" / "traces"
    rows = pq.read_table(traces / table).to_pandas()
    assert sorted(set(rows["action"])) == list(range(entries))
    assert len(rows) == 4 * 6 * entries  # steps and pairs, of the update before a commit
    if table == "suggestion":
        per = rows.groupby(["update", "step", "src_agent_id", "dst_agent_id"])
        assert per["prob"].sum().to_numpy() == pytest.approx(3.0)  # three choices
    else:
        assert (rows[["std", "own_std"]] > 0).all(axis=None)
    other = {"suggestion": "suggestion_normal", "suggestion_normal": "suggestion"}[table]
    assert not (traces / other).exists()


def test_a_zero_sum_game_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_tasks, "run_tasks", run_here)
    notes = ran("tests.support.own_games:Pennies", tmp_path)["notes"]
    assert any("a zero-sum game: there is nothing to gain together" in note for note in notes)
