"""Learning apart from collecting, for every algorithm of `ss_core.algorithms`; see `learner.py`."""

from dataclasses import replace

from benchmarks.timing import Spent, in_turn
from paper_envs.tasks import make_env, task_named
from ss_core.algorithms import ALGORITHMS
from ss_core.algorithms.build import build_learner
from ss_core.env import EnvSpec, VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.rollout import Rollout, collect_rollout
from ss_core.policies.actors import Architecture

HIDDEN = (128, 64)
EPOCHS = 3
WORLDS = (("predation", 8, 16), ("navigation", 3, 10))  # task, agents, episodes per update
ALONE: tuple[Architecture, ...] = ("tilted", "independent")  # whose suggestions are never asked
ALL: tuple[Architecture, ...] = ("tilted", "multihead", "independent")
COPIES: tuple[Architecture, ...] = ("multihead", "independent")  # that hold others' policies


def common_config(algorithm: str, architecture: Architecture) -> LearnerConfig:
    """What all have in common: networks, passes, no clipping of gradients."""
    return LearnerConfig(
        algorithm=algorithm,
        architecture=architecture,
        hidden=HIDDEN,
        critic_hidden=HIDDEN,
        num_epochs=EPOCHS,
    )


class Contender:
    """A learner that collects and learns as in training, one apart from the other."""

    def __init__(self, config: LearnerConfig, env: VectorEnv, spec: EnvSpec | None = None) -> None:
        spec = spec or env.spec
        self.config, self.env = config, env
        self.learner = build_learner(config, spec, seed=0)
        self.channel = Channel(config.exchange, spec.num_agents, seed=0)
        self.rollout: Rollout | None = None
        self.updates = 0

    @property
    def name(self) -> str:
        """Algorithm and architecture in columns."""
        order = " literal" if self.config.agent_order == "sequential" else ""
        return f"{self.config.algorithm + order:15} {self.config.architecture:12}"

    def collect(self) -> None:
        """One episode of every copy."""
        generator = self.learner.generator
        self.rollout = collect_rollout(
            self.env, self.learner.actors, seed=self.updates, generator=generator
        )

    def learn(self) -> None:
        """One update on what was collected: everything but the collecting."""
        assert self.rollout is not None
        learn = ALGORITHMS[self.config.algorithm].learn
        learn(self.learner, self.rollout, self.env, self.channel, self.updates)
        self.channel.ledger.take_rows()
        self.updates += 1


def contenders(task: str, num_agents: int, num_envs: int) -> list[Contender]:
    """Every algorithm with the architectures that make a difference to it."""
    env = make_env(task, num_envs, num_agents=num_agents)
    literal = {"agent_order": "sequential", "old_policy": "literal"}
    configs = []
    for algorithm, record in ALGORITHMS.items():
        if "cooperative_actions" in record.needs and not task_named(task).has_cooperation:
            continue
        for architecture in {"ss": ALL, "ps": COPIES}.get(algorithm, ALONE):
            config = common_config(algorithm, architecture)
            configs.append(replace(config, num_envs=num_envs))
    configs += [replace(c, **literal) for c in configs if c.algorithm == "ss"]
    return [Contender(config, env) for config in configs]


def by_algorithm(repeats: int) -> None:
    """(d) Learning and collecting of every algorithm."""
    for task, num_agents, num_envs in WORLDS:
        field = contenders(task, num_agents, num_envs)
        spent = in_turn([work for c in field for work in (c.collect, c.learn)], repeats)
        spec = field[0].env.spec
        print(
            f"{task} N={num_agents} O={spec.observation_size} A={spec.num_actions}, {num_envs} x"
            f" {spec.horizon} steps, {HIDDEN}, {EPOCHS} passes; ms, least / median\n"
            f"{'':28} {'learning, CPU':>17} {'wall':>17} {'x independent':>13}"
            f" {'collecting, CPU':>17} {'wall':>17}"
        )
        alone = _learning_alone(field, spent[1::2])
        for contender, collecting, learning in zip(field, spent[::2], spent[1::2], strict=True):
            print(
                f"{contender.name} {learning.cpu_ms:>17} {learning.wall_ms:>17}"
                f" {learning.over(alone):>13} {collecting.cpu_ms:>17} {collecting.wall_ms:>17}"
            )


def _learning_alone(field: list[Contender], learning: list[Spent]) -> Spent:
    """What the others are compared with: independent PPO as the presets build it."""
    mine = (c.config.algorithm == "independent" for c in field)
    return next(spent for spent, found in zip(learning, mine, strict=True) if found)
