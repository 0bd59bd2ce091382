"""Traffic lights as a world: from a configuration to episodes, scores and tables."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ss_core.algorithms.build import build_learner
from ss_core.errors import ConfigError, InputError, SimulatorError
from ss_core.exchange.channel import Channel
from ss_core.learning.learner import LearnerConfig
from ss_core.processes.child_tasks import Report, Stop
from ss_core.random_streams import Stream, drawn_seed, torch_generator
from ss_core.record.atomic import atomic_write
from ss_core.scenario.protocol import Column, Place, Prepared, Reference, Saved, Scenario, Setting
from ss_core.training.loop import Training
from ss_core.training.saved_learner import SavedLearner
from trafficsim.signals.client import SignalClient
from trafficsim.signals.config import SHORTHANDS, SignalsConfig, resolve, with_checksums
from trafficsim.signals.demand import drawn_demand
from trafficsim.signals.episode import (
    Episode,
    as_tensors,
    play_policies,
    play_program,
    table_of,
)
from trafficsim.signals.request import located_scene
from trafficsim.signals.results.labels import LABELS, PROGRAMS, ROWS
from trafficsim.signals.results.notes import announce, facts, licence_notes, notes, title
from trafficsim.signals.results.scoring import UNITS, score
from trafficsim.signals.results.trace import record
from trafficsim.signals.scene import Program, SignalScene
from trafficsim.signals.vector_env import SignalVectorEnv

DEMAND_FILE = "demand.rou.xml"


def check(config: SignalsConfig) -> tuple[str, ...]:
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


def check_stored(config: SignalsConfig, request: Mapping[str, Any]) -> None:
    """Refuse to continue a run whose files are others now.

    Raises:
        ConfigError: they are.
    """
    if with_checksums(config) != config:
        raise ConfigError(
            f"--resume {request['resume']}: net or demand changed since that run began; put them "
            "back, or start anew with --resume never"
        )


def identity(config: SignalsConfig, lights: tuple[str, ...]) -> tuple[str, str]:
    """The run's task, and its net's name."""
    del lights
    name = config.scenario or Path(config.scene.net).name.split(".")[0]
    return "signals", re.sub(r"[^a-z0-9_-]+", "-", name.lower()) or "net"


def scene_of(config: SignalsConfig, inputs: Path) -> SignalScene:
    """The scene of a run on this machine; demand that is drawn is put in the folder `inputs`."""
    scene = located_scene(config.scenario, config.scene)
    if scene.routes:
        return scene
    drawn = inputs / DEMAND_FILE
    if not drawn.exists():
        atomic_write(drawn, drawn_demand(scene, config.headway_s, config.seed).encode())
    return replace(scene, routes=str(drawn))


def prepare(
    config: SignalsConfig, lights: tuple[str, ...], inputs: Path, tell: Callable[[str], None]
) -> Prepared:
    """Draw demand, if none is given, before the sub-tasks look for it."""
    del tell
    scene_of(config, inputs)
    return Prepared(sentence=announce(config, lights), world=lights)


@contextmanager
def open_setting(config: SignalsConfig, inputs: Path, processes: int) -> Iterator[Setting]:
    """One SUMO process for all held-out episodes; those of a training end with its block."""
    del processes
    scene = scene_of(config, inputs)
    held_out = sumo_seeds(config, config.episodes, Stream.HELD_OUT_EPISODES)
    with closing(SignalClient(scene)) as client:

        def played(training: Training, seeds: Sequence[int], actions: Stream) -> list[Episode]:
            generator = torch_generator(config.seed, actions, device=config.device)
            return play_policies(client, training.learner.actors, seeds, generator)

        def evaluate(training: Training) -> dict[str, float]:
            seeds = sumo_seeds(config, config.evaluation_episodes, Stream.CURVE_EPISODES)
            figures = table_of(played(training, seeds, Stream.CURVE_ACTIONS))
            return {f"held_out_{name}": float(row.mean()) for name, row in figures.items()}

        yield Setting(
            training=lambda learner: _training(config, scene, learner),
            evaluate=evaluate,
            play=lambda trained: saved(played(trained, held_out, Stream.PLAYED_ACTIONS)),
            saved_learner=lambda learner: _described(config, learner, len(client.layout.agents)),
        )


@contextmanager
def _training(
    config: SignalsConfig, scene: SignalScene, learner: LearnerConfig
) -> Iterator[Training]:
    with closing(SignalVectorEnv(scene, learner.num_envs, device=config.device)) as env:
        built = build_learner(learner, env.spec, config.seed, config.device)
        channel = Channel(learner.exchange, env.spec.num_agents, config.seed)
        yield Training(built, env, channel, config.seed)


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


def sumo_seeds(config: SignalsConfig, count: int, stream: Stream) -> list[int]:
    """SUMO's seeds of held-out episodes, the same for every row."""
    return [drawn_seed(config.seed, stream, episode) for episode in range(count)]


def refer(
    program: Program, config: SignalsConfig, place: Place, report: Report, stop: Stop
) -> Saved:
    """The held-out episodes under a program of the lights' own."""
    del stop
    seeds = sumo_seeds(config, config.episodes, Stream.HELD_OUT_EPISODES)
    with closing(SignalClient(scene_of(config, place.inputs), program)) as client:
        return saved(play_program(client, seeds, lambda done: report(done, len(seeds), "")))


def saved(episodes: Sequence[Episode]) -> Saved:
    """Episodes as a sub-task leaves them; `from_tensors` reads them."""
    names = [list(episode.vehicle_ids) for episode in episodes]
    return Saved(as_tensors(episodes), {"vehicle_ids": names})


SCENARIO = Scenario(
    name="signals",
    target="trafficsim.signals.scenario:SCENARIO",
    config=SignalsConfig,
    shorthands=SHORTHANDS,
    resolve=resolve,
    check=check,
    check_stored=check_stored,
    identity=identity,
    about=licence_notes,
    prepare=prepare,
    open=open_setting,
    references=lambda _: [Reference(name=p, compute=partial(refer, p)) for p in PROGRAMS],
    score=score,
    rows=ROWS,
    labels=LABELS,
    baseline="fixed",
    agent="light",
    scope="held-out episodes",
    title=title,
    columns=(
        Column(title="travel time s", figure="mean_travel_time_s", digits=2),
        Column(title="waiting s", figure="mean_waiting_time_s", digits=2),
        Column(title="queue", figure="mean_queue_veh", digits=2),
        Column(title="arrivals/h", figure="throughput_veh_per_h", digits=2),
        Column(title="teleports", figure="teleports", digits=2),
        Column(title="unfinished", figure="unfinished_trips", digits=2),
    ),
    units=UNITS,
    notes=notes,
    facts=facts,
    record=record,
    earned="reward per light",
    calibration_updates=2,
)
