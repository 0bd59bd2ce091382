"""One episode of trained agents as a GIF, or as a PNG contact sheet of eight of its steps."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from paper_envs.pictures.canvas import contact_sheet, gif_bytes, png_bytes
from paper_envs.pictures.frame import GridScene, Moment, acted, action_names, scene_of
from paper_envs.pictures.render import render
from paper_envs.tasks import make_env, task_named
from ss_core.env import Step, VectorEnv
from ss_core.errors import ConfigError
from ss_core.exchange.neighbourhood import all_to_all
from ss_core.learning.learner import Learner
from ss_core.objective.action_families import sample_actions
from ss_core.policies.feature_actor import PeerRows
from ss_core.policies.mlp_stack import at_neighbours
from ss_core.random_streams import Stream, drawn_seed, torch_generator
from ss_core.record.atomic import atomic_write
from ss_core.training.saved_learner import load_learner, read_learner_file, training_folder

FORMATS = (".gif", ".png")
SHEET_FRAMES, SHEET_COLUMNS = 8, 2

Progress = Callable[[str, float, float, str], None]


def watch_run(
    task: str, run: Path, out: Path, *, seed: int = 0, fps: float = 5.0, progress: Progress
) -> list[Moment]:
    """Play one episode with the policies of a training folder, and write it to `out`.

    Raises:
        ConfigError: no such task, the run is of another one, or `out` is neither .gif nor .png.
        InputError, CorruptError: the run holds no trained learner, or a damaged one.
    """
    if out.suffix.lower() not in FORMATS:
        raise ConfigError(f"--out {out}: end it in .gif or .png")
    if ":" in task:
        raise ConfigError(f"{task}: only the tasks that `ss envs` lists can be drawn")
    name = task_named(task).name
    folder = training_folder(run)
    saved = read_learner_file(folder)
    if saved.task != name:
        remedy = (
            "own games cannot be drawn" if ":" in saved.task else f"use `ss watch {saved.task}`"
        )
        raise ConfigError(f"--run {run}: these agents learned {saved.task}, not {name}; {remedy}")
    env = make_env(name, 1, num_agents=saved.num_agents, options=dict(saved.options))
    moments = play(env, name, load_learner(folder, saved, env.spec), seed=seed)
    picked = moments if out.suffix.lower() == ".gif" else _spread(moments, SHEET_FRAMES)
    frames = []
    for count, moment in enumerate(picked):
        progress("draw", count, len(picked), "")
        frames.append(render(moment))
    if out.suffix.lower() == ".gif":
        atomic_write(out, gif_bytes(frames, fps=fps))
    else:
        atomic_write(out, png_bytes(contact_sheet(frames, columns=SHEET_COLUMNS)))
    progress("draw", len(picked), len(picked), str(out))
    return moments


def _spread(moments: list[Moment], count: int) -> list[Moment]:
    """So many of them, evenly from the first to the last."""
    picked = np.linspace(0, len(moments) - 1, min(count, len(moments))).round().astype(int)
    return [moments[index] for index in picked]


def play(env: VectorEnv, task: str, learner: Learner, *, seed: int) -> list[Moment]:
    """One episode with the stochastic policies; a `Moment` per step."""
    generator = torch_generator(seed, Stream.WATCHED_ACTIONS)
    names, moments = action_names(env), list[Moment]()
    returns, totals = np.zeros(env.spec.num_agents), None
    step = env.reset(drawn_seed(seed, Stream.WATCHED_EPISODE))
    for number in range(env.spec.horizon):
        with torch.no_grad():
            own = learner.actors.own(step.observations, step.action_mask)
            suggestions = _suggestions(learner, step, own)
        actions, before = sample_actions(own, generator), scene_of(env)
        step = env.step(actions)
        returns = returns + step.rewards[0].double().numpy()
        scene = acted(before, env, step, totals)
        totals = scene.totals if isinstance(scene, GridScene) else None
        moments.append(
            Moment(
                task=task,
                step=number,
                horizon=env.spec.horizon,
                scene=scene,
                action_names=names,
                actions=actions[0].numpy().copy(),
                own=own[0].exp().double().numpy(),
                suggestions=suggestions,
                returns=returns,
            )
        )
        if bool((step.terminated | step.truncated).any()):
            break
    return moments


def _suggestions(
    learner: Learner, step: Step, own: Float[Tensor, "1 N A"]
) -> Float[np.ndarray, "N N A"] | None:
    """What each suggests to each, NaN where it sends nothing; None if no one ever suggests."""
    count = learner.spec.num_agents
    if learner.config.algorithm != "ss" or count < 2:
        return None
    receivers = all_to_all(count).receivers
    shared = at_neighbours(own, receivers)
    suggested = learner.actors.suggest(
        step.observations, shared, step.action_mask, PeerRows(receivers)
    )[0].exp()
    table = torch.full((count, count, own.shape[-1]), torch.nan, dtype=torch.double)
    table[torch.arange(count)[:, None], receivers] = suggested.double()
    if learner.config.exchange.protocol == "graph" and step.neighbours is not None:
        table[~step.neighbours[0]] = torch.nan
    return table.numpy()
