"""One short training of drivers, for the benchmark of trust."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ss_core.processes.child_tasks import Report, Stop
from ss_core.resources import data_path
from ss_core.scenario.short_runs import is_done, run_updates, write_trial
from trafficsim.routing.config import resolve
from trafficsim.routing.inputs import checked_net, game_of, given_demand, keep_inputs
from trafficsim.routing.policies_on_the_road import (
    drive,
    held_out_seeds,
    open_training,
    scaled_to_game,
)
from trafficsim.sumo.simulation import Simulator


def trial(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train with the given settings, drive the held-out days; welfare is - travel time in s."""
    torch.set_num_threads(1)
    folder = Path(arguments["folder"])
    if is_done(folder):
        return True
    net_file = (
        data_path("nets") / arguments["net"]
    )  # not in the settings: where it is tells nothing
    config = resolve("tuned", {**arguments["settings"], "net": str(net_file)})
    net = checked_net(config)
    demand = keep_inputs(config, net, given_demand(config, net), folder / "inputs", lambda _: None)
    game = game_of(config, net, demand)
    learner = scaled_to_game(config.learner, config, game)
    with (
        Simulator(game.scene, arguments.get("simulators", 1)) as simulator,
        open_training(config, learner, game, simulator) as training,
    ):
        if not run_updates(training, report, stop):
            return False
        _, times_s, _ = drive(training, config, simulator, held_out_seeds(config), 0)
        write_trial(folder, training, -times_s[:, game.drivers].mean(axis=0))
    return True
