"""One short training of households, for benchmarks of trust and privacy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gridsim.config import resolve
from gridsim.stage import build_training, play, set_stage
from ss_core.processes.child_tasks import Report, Stop
from ss_core.scenario.short_runs import is_done, run_updates, write_trial

PLAYS = 2  # of every held-out day


def trial(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train with the given settings, play the held-out days; welfare is -J_i of a day in EUR."""
    torch.set_num_threads(1)
    folder = Path(arguments["folder"])
    if is_done(folder):
        return True
    config = resolve(arguments.get("preset", "tuned"), arguments["settings"])
    stage = set_stage(config)
    training = build_training(config, config.learner, stage)
    if not run_updates(training, report, stop):
        return False
    played = [play(training, stage, config, sample=s) for s in range(PLAYS)]
    costs = [each.schedule.costs(stage.world.tariff).cost_eur.mean(axis=0) for each in played]
    write_trial(folder, training, -np.mean(costs, axis=0))
    return True
