"""What a learner is made of: its configuration, networks, optimiser states and running scales."""

from dataclasses import dataclass, field
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.algorithms.names import ALGORITHM_FACTS, AlgorithmFacts, name_problem
from ss_core.env import EnvSpec
from ss_core.exchange.channel import ExchangeConfig
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.exchange.trust import Trust
from ss_core.learning.credit import CreditModel
from ss_core.objective.action_families import ActionFamily, family_of
from ss_core.objective.advantages import KappaKind
from ss_core.objective.objective import ObjectiveWeights
from ss_core.policies.actors import ActorBank, Architecture
from ss_core.policies.critics import CriticBank
from ss_core.policies.mlp_stack import Params
from ss_core.policies.optimiser import AdamState, ascend

AdvantageScale = Literal["none", "centred", "unit", "common", "per_agent"]
MAX_WIDTH = 100_000  # units of a layer
RANGES = {
    **dict.fromkeys(("num_envs", "num_updates", "num_epochs", "num_minibatches"), (1, 10**9)),
    **dict.fromkeys(("gamma", "gae_lambda", "final_lr_fraction", "credit_forget"), (0, 1)),
    **dict.fromkeys(("actor_lr", "suggestion_lr", "critic_lr"), (0, 10)),
    "max_grad_norm": (0, 10**12),
    "advantage_unit": (1e-9, 10**9),
    "imr_bonus": (0, 10**6),
    "self_interest": (0, 1),
    "svo_angle": (-180, 180),
    "svo_weight": (0, 10**6),
    "credit_ridge": (1e-9, 10**9),
    "trust_tolerance": (1, 10**6),
    "trust_fade": (0, 1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerConfig:
    """Hyper-parameters of one learner; symbols of the paper in the comments.

    The defaults are the `paper` preset (Tables 1 and 2, Cooperative Predation); see `presets.py`.
    """

    algorithm: str = "ss"  # one of `ALGORITHM_FACTS`, or somebody's own as module:ALGORITHM
    architecture: Architecture = "independent"
    hidden: tuple[int, ...] = (128, 64)
    suggestion_hidden: tuple[int, ...] | None = (
        None  # layers of `shared`'s suggestion networks; None: as `hidden`
    )
    critic_hidden: tuple[int, ...] = (128, 64)
    critic_sees_time: bool = False  # V(s, t) = h(t) v(s, t), see critics.py
    zero_logits: bool = False  # start all policies uniform
    zero_values: bool = False  # start all critics at 0
    num_envs: int = 1  # episodes per update
    num_updates: int = 300
    num_epochs: int = 3  # K
    num_minibatches: int = 1  # steps of a pass, each on a random part of the decisions
    actor_lr: float = 1e-4
    suggestion_lr: float = 1e-4  # rate of suggestion networks that stand apart
    critic_lr: float = 1e-4
    final_lr_fraction: float = 1.0  # linear decay of all rates to this fraction
    gamma: float = 0.99
    gae_lambda: float = 0.98
    max_grad_norm: float = 0.0  # per agent; 0 = off
    advantage_scale: AdvantageScale = "none"  # see action_advantages.py
    advantage_unit: float = 1.0  # `unit`: what advantages are measured in, the same for all
    kappa: KappaKind = "mean"
    suggestion_baseline: bool = False  # suggestions: Â_i less what i's own action explains of it
    credit: Literal["samples", "model"] = "samples"  # whose advantages: see credit.py
    credit_forget: float = 0.03  # weight that older updates lose at each, in `model`
    credit_ridge: float = 1.0  # rows that say "no effect", in `model`
    suggestions: Literal["networks", "best"] = "networks"  # `best`: see closed_form.py
    counterfactuals: bool = False  # use the env's own-reward alternatives where both know how
    old_policy: Literal["behaviour", "literal"] = "behaviour"  # Algorithm 1 resets π_old every pass
    agent_order: Literal["simultaneous", "sequential"] = "simultaneous"
    scale_rho_follow: bool = False  # ρ' = ρ_follow · (N - 1) / m: m stand for N - 1
    trust: bool = False  # `ss`: senders that ask for far more than others weigh less (trust.py)
    trust_tolerance: float = 2.0  # τ: how many times more
    trust_fade: float = 0.05  # weight that older updates lose at each
    imr_bonus: float = 1.0  # `imr`: intrinsic reward of a cooperative action
    vps_reward_model: bool = False  # `vps`: learn the team's mean reward, too (its Algorithm 2)
    self_interest: float | None = None  # `reward_transfer`: s, what one keeps; None: see there
    svo_angle: float = 45.0  # `svo`, degrees: 0 cares for oneself, 45 for equality, 90 for others
    svo_weight: float = 0.5  # `svo`: w, in rewards per radian away from that angle
    objective: ObjectiveWeights = field(default_factory=ObjectiveWeights)
    exchange: ExchangeConfig = field(default_factory=ExchangeConfig)

    def __post_init__(self) -> None:
        for name in ("hidden", "critic_hidden", "suggestion_hidden"):
            if any(not 1 <= width <= MAX_WIDTH for width in getattr(self, name) or ()):
                raise ValueError(f"{name}={getattr(self, name)}: widths from 1 to {MAX_WIDTH}")
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name}={value}: between {low} and {high}")
        if self.architecture in ("multihead", "tilted") and not self.hidden:
            raise ValueError("hidden=(): this architecture needs at least one hidden layer")
        problem = name_problem(self.algorithm)
        if problem:
            raise ValueError(problem)
        if self.algorithm in ALGORITHM_FACTS:  # somebody's own is looked at when it is loaded
            self.check_algorithm(ALGORITHM_FACTS[self.algorithm])

    def check_algorithm(self, facts: AlgorithmFacts) -> None:
        """Whether the settings fit the algorithm.

        Raises:
            ValueError: they do not.
        """
        if self.objective.anchor == "kl":
            self._check_mirror(facts)
        elif facts.suggests:
            self._check_suggestions()
        if self.agent_order == "sequential" and facts.suggests and self.num_minibatches > 1:
            raise ValueError(
                f"num_minibatches={self.num_minibatches}: agents who step one after the other take "
                "all decisions at once; use agent_order='simultaneous'"
            )
        if self.exchange.liars and not facts.beside_liars:
            raise ValueError(
                f"exchange.liars={self.exchange.liars}: liars lie in suggestions, of which "
                f"algorithm={self.algorithm!r} sends none; use algorithm='ss'"
            )
        if "own_copies" in facts.needs and self.architecture in ("shared", "tilted", "table"):
            raise ValueError(
                f"architecture={self.architecture!r} has no copies of others' policies, which "
                f"algorithm={self.algorithm!r} shares; use 'independent' or 'multihead'"
            )

    def _check_suggestions(self) -> None:
        """How suggestions are found, with the squared distance or total variation as the anchor."""
        if self.architecture == "table":
            raise ValueError(
                "architecture='table' has no suggestion networks; use objective.anchor='kl', whose "
                "suggestions come in closed form, or another architecture"
            )
        if self.suggestions == "best":
            self._check_closed_form()
        if self.exchange.per_update == "once":
            self._check_one_exchange()

    def _check_mirror(self, facts: AlgorithmFacts) -> None:
        """Suggestions in closed form, one exchange, and a step towards what was received."""
        if not self.objective.rho > 0.0:
            raise ValueError("objective.anchor='kl' needs objective.rho above 0")
        if not facts.suggests:
            return
        once = self.exchange.per_update == "once" and self.agent_order == "simultaneous"
        if not once or self.suggestions != "best":
            raise ValueError(
                "objective.anchor='kl' needs suggestions='best', exchange.per_update='once' and "
                "agent_order='simultaneous'"
            )
        if self.architecture not in ("table", "shared"):
            raise ValueError(
                f"objective.anchor='kl' has no architecture={self.architecture!r}; use 'table' "
                "(every agent decides once an episode) or 'shared'"
            )

    def _check_one_exchange(self) -> None:
        """Suggestions learn apart from policies, so both need networks and gains of their own."""
        apart = self.architecture in ("shared", "tilted")
        if not apart or self.objective.surrogate != "additive":
            raise ValueError(
                "exchange.per_update='once' needs architecture 'shared' or 'tilted', and an "
                "objective with surrogate='additive'"
            )
        if self.agent_order == "sequential" or self.old_policy == "literal":
            raise ValueError(
                "exchange.per_update='once' needs agent_order='simultaneous' and "
                "old_policy='behaviour'"
            )

    def _check_closed_form(self) -> None:
        """The closed form is of one objective, and of advantages relative to the shared policy."""
        once = self.exchange.per_update == "once"  # what was shared is then the policy that acted
        known = self.counterfactuals or self.credit == "model" or once
        weights = self.objective
        form = (weights.surrogate, weights.anchor, weights.indicators) == ("additive", "l2", False)
        if not known or not form or not weights.rho > 0.0:
            raise ValueError(
                "suggestions='best' needs credit='model', counterfactuals=true or "
                "exchange.per_update='once', and an objective with surrogate='additive', "
                "anchor='l2', indicators=false and rho above 0"
            )
        if self.agent_order == "sequential" or self.architecture != "shared":
            raise ValueError(
                "suggestions='best' needs architecture='shared' and agent_order='simultaneous'"
            )


@dataclass(frozen=True, slots=True)
class LastRound:
    """What agents sent each other last in an update, for the trace."""

    rows: Int[Tensor, "B N"]  # time * environments + environment, of each agent's decisions
    links: Neighbourhood
    valid: Bool[Tensor, "B N M"]
    suggestions: Float[Tensor, "B N M A"]  # log π^ij
    policies: Float[Tensor, "B N M A"]  # log π^jj

    @property
    def receivers(self) -> Int[Tensor, "N M"]:
        """Whom each agent made suggestions for."""
        return self.links.receivers


@dataclass(frozen=True, slots=True)
class Trained:
    """Networks of an algorithm's own, one per agent, and the optimiser's state."""

    bank: CriticBank
    adam: AdamState


@dataclass(slots=True)
class Learner:
    """Everything that training changes; a checkpoint holds all of it."""

    config: LearnerConfig
    facts: AlgorithmFacts  # what is known of its algorithm
    spec: EnvSpec
    actors: ActorBank
    critics: CriticBank
    actor_adam: AdamState
    critic_adam: AdamState
    kappa: Float[Tensor, " N"]
    advantage_std: Float[Tensor, " N"]  # running maximum
    generator: torch.Generator  # samples actions
    seed: int
    suggestion_adam: AdamState | None = None  # where suggestions learn apart from policies
    models: dict[str, Trained] = field(default_factory=dict)  # further ones of the algorithm
    credit: CreditModel | None = None  # where `credit` asks for it
    trust: Trust | None = None  # where `trust` asks for it
    skipped: Tensor | None = None  # [N] steps not taken since last asked; not in checkpoints
    last_round: LastRound | None = None  # not in checkpoints

    @property
    def family(self) -> ActionFamily:
        """What policies are distributions of."""
        return family_of(self.spec)

    @property
    def no_neighbours(self) -> Int[Tensor, "N 0"]:
        """Nobody to think about."""
        return torch.zeros(
            (self.spec.num_agents, 0), dtype=torch.long, device=self.generator.device
        )

    def ascend(self, gain: Float[Tensor, " N"], update: int) -> None:
        """One step of every agent's policies on its own gain, and of suggestions that go along."""
        params = self.actors.params
        if self.suggestion_adam is not None:
            params = {k: w for k, w in params.items() if not is_of_suggestions(k)}
        self._step(params, self.actor_adam, gain, update)

    def ascend_suggestions(self, gain: Float[Tensor, " N"], update: int) -> None:
        """One step of every agent's suggestions alone, where they learn apart."""
        assert self.suggestion_adam is not None
        params = {k: w for k, w in self.actors.params.items() if is_of_suggestions(k)}
        self._step(params, self.suggestion_adam, gain, update)

    def _step(
        self, params: Params, adam: AdamState, gain: Float[Tensor, " N"], update: int
    ) -> None:
        rates, most = self.learning_rates(update), self.config.max_grad_norm
        self.note_skipped(ascend(params, gain, adam, lr=rates, max_grad_norm=most))

    def note_skipped(self, agents: Bool[Tensor, " N"] | None) -> None:
        """Remember for whom a step could not be taken."""
        if agents is not None:
            self.skipped = agents.long() if self.skipped is None else self.skipped + agents

    @property
    def one_view(self) -> bool:
        """Whether critics look at one common state."""
        return self.facts.common_view and self.spec.full_view

    def learning_rates(self, update: int) -> dict[str, float]:
        """Rate of every actor parameter at this update."""
        config = self.config
        decay = lr_decay(config, update)
        return {
            k: decay * (config.suggestion_lr if is_of_suggestions(k) else config.actor_lr)
            for k in self.actors.params
        }


def is_of_suggestions(name: str) -> bool:
    """Whether a parameter of actors belongs to suggestion networks that stand apart."""
    return name.startswith("suggest_")


def lr_decay(config: LearnerConfig, update: int) -> float:
    """Linear from 1 at the first update to `final_lr_fraction` at the last."""
    progress = update / max(1, config.num_updates - 1)
    return 1.0 + (config.final_lr_fraction - 1.0) * min(1.0, progress)


def learner_tensors(learner: Learner) -> dict[str, Tensor]:
    """All tensors of a learner by name, for a checkpoint; nothing is copied."""
    named: dict[str, Tensor] = {}
    banks = [
        ("actor", learner.actors.params, learner.actor_adam),
        ("critic", learner.critics.params, learner.critic_adam),
    ]
    banks += [(name, each.bank.params, each.adam) for name, each in learner.models.items()]
    for bank, params, adam in banks:
        named |= {f"{bank}/{k}": w.detach() for k, w in params.items()}
        named |= {f"{bank}_adam_m/{k}": w for k, w in adam.exp_avg.items()}
        named |= {f"{bank}_adam_v/{k}": w for k, w in adam.exp_avg_sq.items()}
        named[f"{bank}_adam_steps"] = adam.steps
    if learner.suggestion_adam is not None:
        adam = learner.suggestion_adam
        named |= {f"suggestion_adam_m/{k}": w for k, w in adam.exp_avg.items()}
        named |= {f"suggestion_adam_v/{k}": w for k, w in adam.exp_avg_sq.items()}
        named["suggestion_adam_steps"] = adam.steps
    if learner.credit is not None:
        named["credit_gram"], named["credit_moment"] = learner.credit.gram, learner.credit.moment
    if learner.trust is not None:
        named["trust_asked"], named["trust_heard"] = learner.trust.asked, learner.trust.received
    named["kappa"], named["advantage_std"] = learner.kappa, learner.advantage_std
    named["generator"] = learner.generator.get_state()
    return named


def restore_learner(learner: Learner, named: dict[str, Tensor]) -> None:
    """Put a checkpoint's tensors into a freshly built learner, random state last."""
    with torch.no_grad():
        for name, tensor in learner_tensors(learner).items():
            if name != "generator":
                tensor.copy_(named[name])
    learner.generator.set_state(named["generator"])
