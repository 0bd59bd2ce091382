"""The sub-tasks of a run of traffic lights, each in a folder and a process of its own.

Called by `ss_core.processes.child_tasks` with plain arguments. Each commits its own work and, run
again, goes on where it was; a finished one returns at once.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ss_core.algorithms.build import build_learner
from ss_core.config import from_dict
from ss_core.errors import InputError, SimulatorError
from ss_core.exchange.channel import Channel, exchange_facts
from ss_core.learning.learner import LearnerConfig
from ss_core.processes.child_tasks import Report, Stop
from ss_core.record.atomic import atomic_write
from ss_core.record.checkpoint import load_latest, save_checkpoint
from ss_core.record.trace_writer import TraceWriter
from ss_core.training.loop import Training, affordable_updates, train
from ss_core.training.saved_learner import SavedLearner, write_learner_file
from trafficsim.signals.client import SignalClient
from trafficsim.signals.config import SignalsConfig
from trafficsim.signals.demand import drawn_demand
from trafficsim.signals.episode import (
    Episode,
    as_tensors,
    from_tensors,
    play_policies,
    play_program,
    table_of,
)
from trafficsim.signals.request import located_scene
from trafficsim.signals.scene import SignalScene
from trafficsim.signals.vector_env import SignalVectorEnv

HELD_OUT, CURVE, EXPLORE = 2**31, 2**31 + 1, 2**31 + 2  # streams below a seed; updates count from 0
CALIBRATION_UPDATES = 2
DEMAND_FILE = "demand.rou.xml"
PROGRAMS = ("fixed", "actuated")


def sumo_seeds(config: SignalsConfig, count: int, stream: int) -> list[int]:
    """SUMO's seeds of held-out episodes, the same for every row."""
    drawn = np.random.SeedSequence([config.seed, stream]).generate_state(count)
    return [int(seed % 2**31) for seed in drawn]


def scene_of(config: SignalsConfig, inputs: Path) -> SignalScene:
    """The scene of a run on this machine; demand that is drawn is put in the folder `inputs`."""
    scene = located_scene(config.scenario, config.scene)
    if scene.routes:
        return scene
    drawn = inputs / DEMAND_FILE
    if not drawn.exists():
        atomic_write(drawn, drawn_demand(scene, config.headway_s, config.seed).encode())
    return replace(scene, routes=str(drawn))


def probe(config: SignalsConfig) -> tuple[str, ...]:
    """The lights of the scene, once SUMO has begun an episode of it.

    Raises:
        InputError: SUMO refuses net or demand.
    """
    with TemporaryDirectory(prefix="ss-signals-") as folder:
        scene = scene_of(config, Path(folder))
        try:
            with closing(SignalClient(scene)) as client:
                client.reset(0)
                return client.layout.agents
        except SimulatorError as error:
            raise InputError(f"{scene.routes}: {error}") from error


def learn(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train the lights, then play the held-out episodes with them; result in `result/`."""
    torch.set_num_threads(1)
    config = from_dict(SignalsConfig, arguments["config"], where="run")
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is not None:
        return True
    learner = replace(config.learner, algorithm=arguments["algorithm"])
    scene = scene_of(config, Path(arguments["inputs"]))
    with closing(SignalVectorEnv(scene, learner.num_envs, device=config.device)) as env:
        learner = replace(learner, num_updates=_num_updates(config, learner, env, folder))
        training = _training(config, learner, env)
        write_learner_file(folder, _described(config, learner, env.spec.num_agents))
        constants = {"run_id": arguments["run_id"], "algorithm": learner.algorithm}
        writer = TraceWriter(
            folder, level=config.trace, constants=constants | {"seed": config.seed}
        )
        with closing(SignalClient(scene)) as client:
            return _train(training, config, client, (folder, writer), report, stop)


def _described(config: SignalsConfig, learner: LearnerConfig, num_agents: int) -> SavedLearner:
    """So that the policies can be played by whoever can make the environment."""
    scene = config.scene
    named = {"scenario": config.scenario, "net": scene.net, "routes": scene.routes}
    return SavedLearner(
        task="trafficsim.signals.env:parallel_env",
        num_agents=num_agents,
        config=learner,
        seed=config.seed,
        options=named
        | {"begin_s": scene.begin_s, "seconds": scene.seconds, "step_s": scene.step_s}
        | {"reward": scene.reward},
    )


def _training(config: SignalsConfig, learner: LearnerConfig, env: SignalVectorEnv) -> Training:
    built = build_learner(learner, env.spec, config.seed, config.device)
    channel = Channel(learner.exchange, env.spec.num_agents, config.seed)
    return Training(built, env, channel, config.seed)


def _num_updates(
    config: SignalsConfig, learner: LearnerConfig, env: SignalVectorEnv, folder: Path
) -> int:
    """The configured number, or what a budget of seconds affords."""
    if config.budget_seconds is None:
        return learner.num_updates
    trial = nullcontext(_training(config, learner, env))
    return affordable_updates(folder, config.budget_seconds, trial, CALIBRATION_UPDATES)


def _train(
    training: Training,
    config: SignalsConfig,
    client: SignalClient,
    place: tuple[Path, TraceWriter],
    report: Report,
    stop: Stop,
) -> bool:
    folder, writer = place

    def evaluate(now: Training) -> dict[str, float]:
        seeds = sumo_seeds(config, config.evaluation_episodes, CURVE)
        figures = table_of(_play(now, client, config, seeds))
        return {f"held_out_{name}": float(row.mean()) for name, row in figures.items()}

    finished = train(
        training,
        folder,
        writer,
        evaluate=evaluate,
        evaluate_every=max(1, training.learner.config.num_updates // config.evaluations),
        commit_every=config.commit_every,
        progress=_with_reward(training, report),
        stop_requested=stop,
    )
    if finished:
        seeds = sumo_seeds(config, config.episodes, HELD_OUT)
        told = exchange_facts(training.channel, training.learner.spec.agent_names)
        state = {"num_updates": training.update} | told
        _save(folder, _play(training, client, config, seeds), state)
    return finished


def _with_reward(training: Training, report: Report) -> Report:
    def progress(done: int, total: int, note: str) -> None:
        earned = training.metrics.get("episode_reward")
        report(done, total, note if earned is None else f"reward per light {earned:.3g}, {note}")

    return progress


def _play(
    training: Training, client: SignalClient, config: SignalsConfig, seeds: Sequence[int]
) -> list[Episode]:
    seed = int(np.random.SeedSequence([config.seed, EXPLORE]).generate_state(1)[0])
    generator = torch.Generator(config.device).manual_seed(seed)
    return play_policies(client, training.learner.actors, seeds, generator)


def refer(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Play the held-out episodes under a program of the lights' own; result in `result/`."""
    config = from_dict(SignalsConfig, arguments["config"], where="run")
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is None:
        seeds = sumo_seeds(config, config.episodes, HELD_OUT)
        scene = scene_of(config, Path(arguments["inputs"]))
        with closing(SignalClient(scene, arguments["program"])) as client:
            episodes = play_program(client, seeds, lambda done: report(done, len(seeds), ""))
        _save(folder, episodes, {})
    return True


def _save(folder: Path, episodes: Sequence[Episode], state: Mapping[str, Any]) -> None:
    names = {"vehicle_ids": [list(episode.vehicle_ids) for episode in episodes]}
    updates = int(state.get("num_updates", 0))
    save_checkpoint(folder / "result", updates, as_tensors(episodes), {**state, **names})


@dataclass(frozen=True, slots=True)
class Played:
    """What a task left: its held-out episodes, and what was learnt on the way."""

    episodes: list[Episode]
    num_updates: int
    bytes_by_kind: Mapping[str, int]


def played_of(folder: Path) -> Played:
    """The result of the task in `folder`.

    Raises:
        FileNotFoundError: it has not finished.
    """
    result = load_latest(folder / "result")
    if result is None:
        raise FileNotFoundError(f"{folder / 'result'}: the task has not finished")
    episodes = from_tensors(result.tensors, result.state["vehicle_ids"])
    return Played(episodes, result.update, result.state.get("bytes_by_kind", {}))
