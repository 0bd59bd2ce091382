"""The smallest world, contract and tutorial: each of two agents may pay 0.2 to give the other 1."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch
from torch import Tensor

from ss_core.env import EnvSpec, Step
from ss_core.record.checkpoint import Checkpoint
from ss_core.report.labels import LEARNED, SELFISH, Label
from ss_core.scenario.config import COMMON_SHORTHANDS, RunConfig, override
from ss_core.scenario.key_figures import Scores
from ss_core.scenario.protocol import Column, Place, Prepared, Reference, Saved, Scenario, Setting
from ss_core.training.loop import Training

GAMES, DAYS = 8, 4  # copies of the game, held-out days
SEEN = torch.ones(GAMES, 2, 1)  # there is nothing to see


def welfare(actions: Tensor) -> Tensor:
    """The rule: what each agent has of who gives, [game, agent]."""
    return actions.flip(1) - 0.2 * actions


class GivingEnv:
    """The rule as an environment: an episode is one decision, action 1 gives."""

    spec = EnvSpec(num_envs=GAMES, num_agents=2, num_actions=2, observation_size=1, horizon=1,
                   agent_names=("a", "b"))  # fmt: skip

    def reset(self, seed: int) -> Step:
        return Step.first(SEEN.clone())

    def step(self, actions: Tensor) -> Step:
        return Step.last(SEEN.clone(), welfare(actions), next_observations=SEEN.clone())


def play(training: Training) -> Saved:
    """Held-out days: how likely each agent gives, [day, agent]."""
    given = training.learner.actors.own(SEEN[:DAYS], None)[..., 1].exp()
    return Saved({"given": given.detach()})


@contextmanager
def open_setting(config: RunConfig, inputs: Path, processes: int) -> Iterator[Setting]:
    """What one process trains and plays on."""
    yield Setting(
        training=lambda learner: nullcontext(Training.begin(learner, GivingEnv(), config.seed)),
        evaluate=lambda training: {"held_out_given": float(play(training).tensors["given"].mean())},
        play=play,
    )


def refer(config: RunConfig, place: Place, report: object, stop: object) -> Saved:
    """Selfish agents never give; at the optimum both always do."""
    return Saved({"nash": torch.zeros(DAYS, 2), "optimum": torch.ones(DAYS, 2)})


def score(config: RunConfig, prepared: Prepared, results: Mapping[str, Checkpoint]) -> Scores:
    """The cost of a day is what the two forgo of 0.8 each."""
    given = {name: results[name].tensors["given"] for name in config.learners}
    given = {**results["references"].tensors, **given}
    cost = {name: (0.8 - welfare(x).mean(dim=1)).double().numpy() for name, x in given.items()}
    return Scores(figures={name: {"forgone": days} for name, days in cost.items()},
                  cost={name: days[None] for name, days in cost.items()}, num_agents=2)  # fmt: skip


SCENARIO = Scenario(
    name="giving", target=f"{__name__}:SCENARIO", config=RunConfig, shorthands=COMMON_SHORTHANDS,
    resolve=lambda preset, overrides: override(RunConfig(), overrides, COMMON_SHORTHANDS),
    open=open_setting, references=lambda config: [Reference(name="references", compute=refer)],
    score=score, rows=(SELFISH, "nash", LEARNED, "optimum"), baseline="nash", best="optimum",
    labels={"nash": Label("never give", "equilibrium"), "optimum": Label("give", "best")},
    columns=(Column(title="forgone", figure="forgone", digits=3),),
)  # fmt: skip
