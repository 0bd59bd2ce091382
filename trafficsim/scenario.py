"""Drivers as a world: routes through a SUMO net, from a configuration to scores and tables."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from numpy import ndarray

from ss_core.learning.learner import LearnerConfig
from ss_core.random_streams import Stream
from ss_core.report.labels import SELFISH
from ss_core.scenario.protocol import Column, Prepared, Reference, Saved, Scenario, Setting
from ss_core.training.loop import Training
from trafficsim.demand.trips import Demand
from trafficsim.link_model.model import LinkModel
from trafficsim.nets.sumocfg import named_files
from trafficsim.references.duaiterate import tool_home
from trafficsim.references.reference_tasks import optimise, refer
from trafficsim.results.labels import LABELS, ROWS, knows
from trafficsim.results.notes import facts, notes, title
from trafficsim.results.scoring import score, without_choice
from trafficsim.results.tables import UNITS
from trafficsim.results.trace import record
from trafficsim.routing.config import SHORTHANDS, RoutingConfig, resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import (
    Net,
    checked_net,
    game_of,
    given_demand,
    keep_inputs,
    load_game,
    net_path,
)
from trafficsim.routing.joint import JointEnv
from trafficsim.routing.modelled import days_in_sumo
from trafficsim.routing.policies_on_the_road import (
    curve_seeds,
    drive,
    drive_recorded,
    first_choices,
    held_out_seeds,
    incidents_of,
    open_training,
    scaled_to_game,
    trial_seeds,
)
from trafficsim.sumo.process import check_installed
from trafficsim.sumo.recording import as_arrays
from trafficsim.sumo.simulation import Simulator


def check(config: RoutingConfig) -> tuple[Net, Demand | None]:
    """The net, and the demand if a file gives one: bad input fails here, in seconds.

    Raises:
        InputError: it cannot be used; every problem is named.
        SimulatorError: SUMO is not installed.
    """
    check_installed()
    if config.cross_check:
        tool_home()
    net = checked_net(config)
    return net, given_demand(config, net)


def identity(config: RoutingConfig, _: object) -> tuple[str, str]:
    """Names of the run: its task, and the net in letters that a file name may hold."""
    name = net_path(config).name.split(".")[0].lower()
    safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)
    return "traffic", safe[:40] or "net"


def prepare(
    config: RoutingConfig,
    checked: tuple[Net, Demand | None],
    inputs: Path,
    tell: Callable[[str], None],
) -> Prepared:
    """Keep the demand in the run, drawn where none was given; the game on it."""
    net, given = checked
    demand = keep_inputs(config, net, given, inputs, tell)
    game = game_of(config, net, demand)
    said = (f"demand: {demand.source}", *_judged(config, game), *net.notes)
    trivial = game.num_drivers < 2
    if trivial and config.signals:
        said = ("lights did not learn: train them with `sstraffic signals`", *said)
    return Prepared(
        sentence=f"{_announcement(game)}; {demand.source}",
        world=game,
        notes=said,
        trivial=(lambda: without_choice(config, game)) if trivial else None,
    )


def _judged(config: RoutingConfig, game: RoutingGame) -> tuple[str, ...]:
    """How learners know what other routes would have brought."""
    if not config.link_model:
        return ("routes are judged from days driven, not on the link model (--preset sampled)",)
    unknown = LinkModel.of(game.scene).unknown
    days = days_in_sumo(config.modelled, len(game.od), first=False)
    driven = "a day" if days == 1 or game.scene.is_deterministic else f"{days} days"
    said = f"routes are judged on a public model of the links, {driven} in SUMO an update"
    if not unknown:
        return (said,)
    more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
    strange = f"{', '.join(unknown[:5])}{more}"
    return (said, f"the link model drives as if they were others: {strange}; or --preset sampled")


def _announcement(game: RoutingGame) -> str:
    with_choice = int((game.option_count > 1).sum())
    return (
        f"{len(game.od)} trips between {len(game.od_pairs)} zone pairs, {with_choice} with a "
        f"choice, {game.num_drivers} take part, {len(game.scene.routes)} routes"
    )


@contextmanager
def open_setting(config: RoutingConfig, inputs: Path, processes: int) -> Iterator[Setting]:
    """The run's game with SUMO processes to play it; they end with the block."""
    game = load_game(config, inputs)
    with Simulator(game.scene, processes) as simulator:

        def training(learner: LearnerConfig) -> AbstractContextManager[Training]:
            return open_training(config, scaled_to_game(learner, config, game), game, simulator)

        def evaluate(trained: Training) -> dict[str, float]:
            _, times_s, _ = drive(
                trained, config, simulator, curve_seeds(config), Stream.CURVE_ACTIONS
            )
            return {"mean_travel_time_s": float(times_s.mean())}

        def welfare(trained: Training) -> Float[ndarray, " N"]:
            _, times_s, _ = drive(
                trained, config, simulator, held_out_seeds(config), Stream.PLAYED_ACTIONS
            )
            return -times_s[:, game.drivers].mean(axis=0)

        def trial(trained: Training) -> Float[ndarray, "N day"]:
            _, times_s, _ = drive(
                trained, config, simulator, trial_seeds(config), Stream.TRIAL_ACTIONS
            )
            return times_s[:, game.drivers].T.copy()

        yield Setting(
            training=training,
            evaluate=evaluate,
            play=lambda trained: _drive_held_out(trained, simulator, config),
            trial=None if config.signals else trial,
            welfare=welfare,
        )


def _drive_held_out(training: Training, simulator: Simulator, config: RoutingConfig) -> Saved:
    days = drive_recorded(
        training, config, simulator, held_out_seeds(config), Stream.PLAYED_ACTIONS
    )
    own = first_choices(training, days.actions)
    tensors = {
        "actions": torch.from_numpy(days.actions),
        "times_s": torch.from_numpy(days.times_s),
        "probabilities": own.double(),
        "incidents": torch.from_numpy(incidents_of(days.outcomes, config.days)),
    }
    state: dict[str, Any] = {
        "first_orders": [[until_s, [*map(list, sent)]] for until_s, sent in days.first_orders]
    }
    if isinstance(training.env, JointEnv) and days.first_day is not None:
        known = as_arrays(days.first_day).items()
        tensors |= {f"first_day/{name}": torch.from_numpy(values) for name, values in known}
        state["lights"] = list(training.env.lights)
    return Saved(tensors, state)


def references(config: RoutingConfig) -> list[Reference]:
    """Equilibrium and the like; then the optimum, which starts from all that was found."""
    first = Reference(name="references", compute=refer)
    after = (first.name, *config.learners)
    return [first, Reference(name="optimum", compute=optimise, after=after)]


SCENARIO = Scenario(
    name="traffic",
    target="trafficsim.scenario:SCENARIO",
    config=RoutingConfig,
    shorthands=SHORTHANDS,
    resolve=resolve,
    check=check,
    identity=identity,
    prepare=prepare,
    open=open_setting,
    references=references,
    score=score,
    rows=ROWS,
    labels=LABELS,
    baseline="user_equilibrium",
    best="optimum",
    uncoordinated=(SELFISH,),
    cost_unit="s",
    agent="driver",
    title=title,
    knows=knows,
    implied={"sumocfg": lambda name: named_files(Path(name))},
    withdrawn=("search.random_plays",),
    columns=(
        Column(title="travel time s", figure="mean_travel_time_s"),
        Column(title="P95 s", figure="p95_travel_time_s", digits=0),
        Column(title="time loss s", figure="time_loss_s"),
        Column(title="CO2 kg", figure="co2_kg"),
        Column(title="losers %", figure="share_of_losers", digits=0, scale=100.0),
        Column(title="teleports/day", figure="teleports", digits=2),
        Column(title="unfinished/day", figure="unfinished_trips", digits=2),
    ),
    units=UNITS,
    notes=notes,
    facts=facts,
    record=record,
)
