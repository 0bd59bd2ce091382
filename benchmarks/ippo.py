"""BenchMARL's IPPO training step beside ours, on the batches that it collects; see `learner.py`.

BenchMARL runs its own loop in VMAS's navigation. Its training step (advantages, buffer, epochs) is
timed by its callbacks; ours then learns from the very same batch, and collects in our navigation,
which is another game.
"""

import contextlib
import importlib.metadata
import io
import logging
import tempfile
import time
import warnings
from dataclasses import replace
from typing import Any

import torch
from benchmarl.algorithms import IppoConfig  # pyright: ignore[reportMissingImports]
from benchmarl.environments import VmasTask  # pyright: ignore[reportMissingImports]
from benchmarl.experiment import Callback, Experiment, ExperimentConfig  # pyright: ignore[reportMissingImports]
from benchmarl.models.mlp import MlpConfig  # pyright: ignore[reportMissingImports]

from benchmarks.algorithms import ALL, EPOCHS, HIDDEN, Contender, common_config
from benchmarks.timing import Spent, seconds_of, spent_in
from paper_envs.tasks import make_env
from ss_core.env import EnvSpec, VectorEnv
from ss_core.learning.rollout import Rollout

NUM_AGENTS, HORIZON, MAX_GRAD_NORM, GAE_LAMBDA = 3, 100, 5.0, 0.98
WARM_UPS = 2
EPISODES = (1, 10, 64)  # per update


class SameBatch(Callback):
    """Times BenchMARL's iterations, and our updates on their batches in between."""

    def __init__(self, num_envs: int) -> None:
        super().__init__()
        env = make_env("navigation", num_envs, num_agents=NUM_AGENTS)
        self.elsewhere = Contender(common_config("independent", "tilted"), env)
        self.field: list[Contender] = []
        self.rounds: list[list[tuple[float, float]]] = []
        self.clock = _now()

    def on_batch_collected(self, batch: Any) -> None:
        """The end of collecting; the training step begins right after."""
        self.collecting = _since(self.clock)
        self.rollout = rollout_of(batch)
        self.field = self.field or contenders(self.rollout, self.elsewhere.env)
        self.clock = _now()

    def on_train_end(self, training_td: Any, group: str) -> None:
        """The end of the training step; then ours."""
        del training_td, group
        spent = [self.collecting, _since(self.clock), seconds_of(self.elsewhere.collect)]
        for contender in self.field:
            contender.rollout = self.rollout
            spent.append(seconds_of(contender.learn))
        self.rounds.append(spent)
        self.clock = _now()


def _now() -> tuple[float, float]:
    return time.process_time(), time.perf_counter()


def _since(start: tuple[float, float]) -> tuple[float, float]:
    cpu_s, wall_s = _now()
    return cpu_s - start[0], wall_s - start[1]


def rollout_of(batch: Any) -> Rollout:
    """A batch of BenchMARL, `[E, T, …]`, as a rollout."""

    def time_major(*key: str) -> torch.Tensor:
        return batch[key].transpose(0, 1).contiguous()

    terminated = time_major("next", "terminated").squeeze(-1)
    return Rollout(
        observations=time_major("agents", "observation"),
        next_observations=time_major("next", "agents", "observation"),
        actions=time_major("agents", "action"),
        log_probs=torch.log_softmax(time_major("agents", "logits"), dim=-1),
        rewards=time_major("next", "agents", "reward").squeeze(-1),
        terminated=terminated,
        truncated=time_major("next", "done").squeeze(-1) & ~terminated,
        action_mask=None,
        neighbours=None,
    )


def contenders(rollout: Rollout, env: VectorEnv) -> list[Contender]:
    """Ours, of the sizes of a batch; they never step `env`."""
    num_envs, num_agents, size = rollout.observations.shape[1:]
    spec = EnvSpec(
        num_envs=num_envs,
        num_agents=num_agents,
        num_actions=rollout.log_probs.shape[-1],
        observation_size=size,
        horizon=len(rollout.observations),
        agent_names=tuple(map(str, range(num_agents))),
    )
    configs = [common_config("independent", "tilted"), common_config("independent", "independent")]
    configs += [common_config("ss", architecture) for architecture in ALL]
    return [Contender(replace(c, max_grad_norm=MAX_GRAD_NORM), env, spec) for c in configs]


def experiment(num_envs: int, rounds: int, folder: str, clock: SameBatch) -> Experiment:
    """BenchMARL with our sizes: networks of one's own, the whole batch at each of K passes."""
    frames = num_envs * HORIZON
    config = replace(
        ExperimentConfig.get_from_yaml(),
        save_folder=folder,
        loggers=[],
        create_json=False,
        evaluation=False,
        render=False,
        prefer_continuous_actions=False,
        share_policy_params=False,
        clip_grad_norm=True,
        clip_grad_val=MAX_GRAD_NORM,
        on_policy_collected_frames_per_batch=frames,
        on_policy_n_envs_per_worker=num_envs,
        on_policy_n_minibatch_iters=EPOCHS,
        on_policy_minibatch_size=frames,
        max_n_iters=rounds,
        max_n_frames=None,
    )
    networks = MlpConfig(
        num_cells=list(HIDDEN), layer_class=torch.nn.Linear, activation_class=torch.nn.ReLU
    )
    task = VmasTask.NAVIGATION.get_from_yaml()
    task.config |= {"n_agents": NUM_AGENTS, "max_steps": HORIZON}
    return Experiment(
        task=task,
        algorithm_config=replace(
            IppoConfig.get_from_yaml(), share_param_critic=False, lmbda=GAE_LAMBDA
        ),
        model_config=networks,
        critic_model_config=networks,
        seed=0,
        config=config,
        callbacks=[clock],
    )


def measure(num_envs: int, repeats: int) -> tuple[SameBatch, list[Spent]]:
    """Alternating iterations of BenchMARL and updates of ours."""
    clock, noise = SameBatch(num_envs), io.StringIO()
    logging.getLogger("torchrl").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.redirect_stdout(noise), contextlib.redirect_stderr(noise):
            experiment(num_envs, repeats + WARM_UPS, folder, clock).run()
    return clock, spent_in(clock.rounds, WARM_UPS)


def beside_benchmarl(repeats: int) -> None:
    """(e) BenchMARL's training step and ours, on the same batches."""
    version = importlib.metadata.version("benchmarl")
    for num_envs in EPISODES:
        clock, (collecting, training, our_collecting, *ours) = measure(num_envs, repeats)
        spec = clock.field[0].learner.spec
        print(
            f"same batch of VMAS navigation, N={NUM_AGENTS} O={spec.observation_size}"
            f" A={spec.num_actions}, {num_envs} x {HORIZON} steps, {HIDDEN}, {EPOCHS} passes;"
            f" ms, least / median\n"
            f"{'':25} {'learning, CPU':>17} {'wall':>17} {'BenchMARL / it':>14}"
        )
        rows = [(f"BenchMARL {version} IPPO", training)]
        rows += [(each.name, spent) for each, spent in zip(clock.field, ours, strict=True)]
        for name, spent in rows:
            print(f"{name:25} {spent.cpu_ms:>17} {spent.wall_ms:>17} {training.over(spent):>14}")
        print(
            f"collecting: BenchMARL in VMAS {collecting.cpu_ms} CPU, {collecting.wall_ms} wall;"
            f" ours, in another game, {our_collecting.cpu_ms} CPU, {our_collecting.wall_ms} wall"
        )
