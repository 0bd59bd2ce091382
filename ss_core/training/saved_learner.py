"""`learner.json`: what a training folder trained and where, so that its policies can be played.

Beside it lie the checkpoints of `checkpoint.py`; together they give the learner back.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from ss_core.algorithms.build import build_learner
from ss_core.config import from_dict, to_dict
from ss_core.env import EnvSpec
from ss_core.errors import CorruptError, InputError
from ss_core.learning.learner import Learner, LearnerConfig, restore_learner
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.checkpoint import load_latest

LEARNER_FILE = "learner.json"
LEARNER_SCHEMA = "ss.learner/1"
LIMIT_BYTES = 2**20
COMPARED = "independent"  # task of the selfish learners that are trained beside others
MOVED = {  # targets that version 0.1 wrote, and where they are; kept for one release
    "trafficsim.signal_env:parallel_env": "trafficsim.signals.env:parallel_env",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedLearner:
    """What was trained; the seed is the one its networks were drawn with."""

    task: str  # name of a task, or module:function of an environment
    num_agents: int
    config: LearnerConfig
    seed: int
    options: Mapping[str, Any] = field(default_factory=dict)  # further arguments of the environment


def write_learner_file(folder: Path, saved: SavedLearner) -> None:
    """Publish `learner.json` in a training folder."""
    atomic_write(
        folder / LEARNER_FILE, json_bytes({"schema": LEARNER_SCHEMA, "learner": to_dict(saved)})
    )


def read_learner_file(folder: Path) -> SavedLearner:
    """What `write_learner_file` wrote, with the environment's target where it is now.

    Raises:
        InputError: there is none.
        CorruptError: it is not one of this version.
    """
    path = folder / LEARNER_FILE
    if not path.is_file() or path.stat().st_size > LIMIT_BYTES:
        raise InputError(f"{folder}: no trained learner here ({LEARNER_FILE} is missing)")
    try:
        document = json.loads(path.read_bytes())
        if document["schema"] != LEARNER_SCHEMA:
            raise ValueError(f"not of schema {LEARNER_SCHEMA}")
        described = document["learner"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptError(
            f"{path}: not a description of a learner ({error}); train it again"
        ) from (error)
    saved = from_dict(SavedLearner, described, where=str(path))
    return replace(saved, task=MOVED.get(saved.task, saved.task))


def training_folder(run: Path) -> Path:
    """The folder of the learner that a run was asked for: `run` itself, or one of its tasks.

    Selfish learners that were trained beside it are taken only if their own folder is given.

    Raises:
        InputError: there is none.
    """
    tasks = sorted(run.glob("tasks/*"), key=lambda task: (task.name == COMPARED, task.name))
    for place in (run, *tasks):
        if (place / LEARNER_FILE).is_file():
            return place
    raise InputError(
        f"{run}: holds no trained learner (no {LEARNER_FILE}); give a run directory of "
        "`ss train`, or a run folder of `ss bench` whose policies were kept: the first seed's"
    )


def load_learner(
    folder: Path, saved: SavedLearner, spec: EnvSpec, device: torch.device | str = "cpu"
) -> Learner:
    """The learner as its newest checkpoint has it.

    Raises:
        InputError: there is no checkpoint.
        CorruptError: no checkpoint is whole, or it does not fit the environment.
    """
    checkpoint = load_latest(folder)
    if checkpoint is None:
        raise InputError(
            f"{folder}: holds no checkpoint: none was written yet, or the policies were not kept"
        )
    learner = build_learner(saved.config, spec, saved.seed, device)
    try:
        restore_learner(learner, dict(checkpoint.tensors))
    except (KeyError, RuntimeError) as error:
        raise CorruptError(
            f"{folder}: the checkpoint does not fit {saved.task} with {saved.num_agents} agents "
            f"({' '.join(str(error).split())}); train again with this version"
        ) from error
    return learner
