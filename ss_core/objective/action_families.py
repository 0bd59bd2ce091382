"""What a policy is at one state, as numbers that can be sent: three families of distributions.

`Finite`: log π of every action, the paper's case. `Parts`: an action of several choices taken at
once and independently (MultiDiscrete, MultiBinary), log π of every option, part after part.
`Normal`: an action of several real numbers, independent normal distributions before the world
squashes them into its bounds (Box); means, then log standard deviations.

The objective asks for log π at the actions that its expectation runs over (all of a finite set,
else the one taken), for a distance between two policies, and for the entropy.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.env import EnvSpec

Discrepancy = Literal["l2", "tv"]

ILLEGAL_LOGIT = -1e9
SUM_TOLERANCE = 1e-3  # of a distribution that came over the channel
LOG_STD_RANGE = (-4.0, 2.0)  # before squashing, where ±1 is most of the bounds
LARGEST_MEAN = 1e3  # of a normal distribution that came over the channel


class ActionFamily(Protocol):
    """A family of distributions over one agent's actions; P numbers describe one of them.

    Tensors of actions have the axes of the policies they belong to, and one more, K, where an
    action is several numbers.
    """

    finite: ClassVar[bool]  # whether the P numbers are log π of every action

    def normalised(
        self, raw: Float[Tensor, "*batch P"], mask: Bool[Tensor, "*batch P"] | None
    ) -> Float[Tensor, "*batch P"]:
        """A policy from what networks give; what the mask leaves out is never done."""
        ...

    def sample(self, policies: Float[Tensor, "*batch P"], generator: torch.Generator) -> Tensor:
        """One action of each policy."""
        ...

    def looked_at(self, actions: Tensor) -> Float[Tensor, "B N A"]:
        """Weights of the actions that an expectation runs over, where `actions` were taken."""
        ...

    def at_actions(
        self, policies: Float[Tensor, "*batch P"], actions: Tensor | None
    ) -> Float[Tensor, "*batch A"]:
        """log π of the actions that an expectation runs over."""
        ...

    def at_taken(
        self, policies: Float[Tensor, "*batch P"], actions: Tensor
    ) -> Float[Tensor, "*batch"]:
        """log π of the action taken."""
        ...

    def as_inputs(self, actions: Tensor) -> Tensor:
        """Actions as networks look at them; as many numbers as `inputs`."""
        ...

    @property
    def inputs(self) -> int:
        """How many numbers an action is to networks."""
        ...

    def distance(
        self,
        policies: Float[Tensor, "*batch P"],
        references: Float[Tensor, "*batch P"],
        kind: Discrepancy,
    ) -> Float[Tensor, "*batch"]:
        """How far policies are from references; `l2` grows with the square, `tv` does not."""
        ...

    def entropy(self, policies: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch"]:
        """Entropy, in nats."""
        ...

    def well_formed(
        self, policies: Float[Tensor, "*batch P"], legal: Bool[Tensor, "*batch P"]
    ) -> Bool[Tensor, "*batch"]:
        """Whether these describe distributions over legal actions."""
        ...


def masked_log_softmax(
    logits: Float[Tensor, "*batch A"], mask: Bool[Tensor, "*batch A"] | None
) -> Float[Tensor, "*batch A"]:
    """Log probabilities; illegal actions get a huge negative logit and so probability 0."""
    if mask is not None:
        logits = logits.masked_fill(~mask, ILLEGAL_LOGIT)
    return torch.log_softmax(logits, dim=-1)


def sample_actions(
    log_probs: Float[Tensor, "*batch A"], generator: torch.Generator
) -> Int[Tensor, "*batch"]:
    """One action per row by inverting the cumulative distribution."""
    uniform = torch.rand((*log_probs.shape[:-1], 1), generator=generator, device=generator.device)
    cumulative = log_probs.exp().cumsum(dim=-1)
    chosen = (cumulative < uniform * cumulative[..., -1:]).sum(dim=-1)
    return chosen.clamp_max(log_probs.shape[-1] - 1)


def probabilities(log_probs: Float[Tensor, "*batch A"]) -> Float[Tensor, "*batch A"]:
    """π = exp(log π), by exp2: ten times faster than exp where π underflows to 0."""
    return torch.exp2(log_probs * math.log2(math.e))


def discrepancy(
    log_p: Float[Tensor, "*batch A"], log_q: Float[Tensor, "*batch A"], kind: Discrepancy
) -> Float[Tensor, "*batch"]:
    """‖p - q‖₂² (Eq. 16) or the total variation ½‖p - q‖₁, over the neighbour's actions."""
    difference = probabilities(log_p) - probabilities(log_q)
    if kind == "l2":
        return difference.square().sum(dim=-1)
    return 0.5 * difference.abs().sum(dim=-1)


def well_formed(
    log_probs: Float[Tensor, "*batch A"], legal: Bool[Tensor, "*batch A"]
) -> Bool[Tensor, "*batch"]:
    """Whether these are distributions over legal actions, to a tolerance of 0.001."""
    probs = log_probs.exp()  # NaN and infinity fail both comparisons
    whole = (probs.sum(dim=-1) - 1.0).abs() <= SUM_TOLERANCE
    return whole & (torch.where(legal, 0.0, probs).sum(dim=-1) <= SUM_TOLERANCE)


@dataclass(frozen=True, slots=True)
class Finite:
    """One choice among A actions: P = A, and expectations run over all of them."""

    num_actions: int
    finite: ClassVar[bool] = True

    def normalised(
        self, raw: Float[Tensor, "*batch A"], mask: Bool[Tensor, "*batch A"] | None
    ) -> Float[Tensor, "*batch A"]:
        """Log probabilities."""
        return masked_log_softmax(raw, mask)

    def sample(
        self, policies: Float[Tensor, "*batch A"], generator: torch.Generator
    ) -> Int[Tensor, "*batch"]:
        """The number of an action."""
        return sample_actions(policies, generator)

    def looked_at(self, actions: Int[Tensor, "B N"]) -> Float[Tensor, "B N A"]:
        """One-hot."""
        return self.as_inputs(actions).to(torch.get_default_dtype())

    def at_actions(
        self, policies: Float[Tensor, "*batch A"], actions: Int[Tensor, "*batch"] | None
    ) -> Float[Tensor, "*batch A"]:
        """All of them."""
        del actions
        return policies

    def at_taken(
        self, policies: Float[Tensor, "*batch A"], actions: Int[Tensor, "*batch"]
    ) -> Float[Tensor, "*batch"]:
        """One of them."""
        return policies.gather(-1, actions.unsqueeze(-1)).squeeze(-1)

    def as_inputs(self, actions: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch A"]:
        """One-hot."""
        return torch.nn.functional.one_hot(actions, self.num_actions)

    @property
    def inputs(self) -> int:
        """A."""
        return self.num_actions

    def distance(
        self,
        policies: Float[Tensor, "*batch A"],
        references: Float[Tensor, "*batch A"],
        kind: Discrepancy,
    ) -> Float[Tensor, "*batch"]:
        """Squared distance, or total variation."""
        return discrepancy(policies, references, kind)

    def entropy(self, policies: Float[Tensor, "*batch A"]) -> Float[Tensor, "*batch"]:
        """-Σ π log π."""
        return -(probabilities(policies) * policies).sum(dim=-1)

    def well_formed(
        self, policies: Float[Tensor, "*batch A"], legal: Bool[Tensor, "*batch A"]
    ) -> Bool[Tensor, "*batch"]:
        """They sum to 1, to a tolerance, and give illegal actions nothing."""
        return well_formed(policies, legal)


@dataclass(frozen=True, slots=True)
class Parts:
    """K choices at once, independent of each other given the state: P = Σ options of each part.

    Distances and entropies are sums over parts: the squared distances, and the total variations,
    whose sum bounds that of the joint distribution.
    """

    options: tuple[int, ...]
    finite: ClassVar[bool] = False

    def normalised(
        self, raw: Float[Tensor, "*batch P"], mask: Bool[Tensor, "*batch P"] | None
    ) -> Float[Tensor, "*batch P"]:
        """Log probabilities, part by part."""
        if mask is not None:
            raw = raw.masked_fill(~mask, ILLEGAL_LOGIT)
        return torch.cat([torch.log_softmax(part, dim=-1) for part in self._split(raw)], dim=-1)

    def sample(
        self, policies: Float[Tensor, "*batch P"], generator: torch.Generator
    ) -> Int[Tensor, "*batch K"]:
        """The number of an option in each part."""
        chosen = [sample_actions(part, generator) for part in self._split(policies)]
        return torch.stack(chosen, dim=-1)

    def looked_at(self, actions: Int[Tensor, "B N K"]) -> Float[Tensor, "B N 1"]:
        """The action taken alone."""
        return torch.ones((*actions.shape[:-1], 1), device=actions.device)

    def at_actions(
        self, policies: Float[Tensor, "*batch P"], actions: Int[Tensor, "*batch K"] | None
    ) -> Float[Tensor, "*batch 1"]:
        """The action taken alone."""
        assert actions is not None
        return self.at_taken(policies, actions).unsqueeze(-1)

    def at_taken(
        self, policies: Float[Tensor, "*batch P"], actions: Int[Tensor, "*batch K"]
    ) -> Float[Tensor, "*batch"]:
        """Σ over parts."""
        first = torch.tensor([0, *self.options[:-1]], device=actions.device).cumsum(dim=0)
        return policies.gather(-1, actions + first).sum(dim=-1)

    def as_inputs(self, actions: Int[Tensor, "*batch K"]) -> Int[Tensor, "*batch P"]:
        """One-hots side by side."""
        choices = zip(actions.unbind(dim=-1), self.options, strict=True)
        return torch.cat([torch.nn.functional.one_hot(a, count) for a, count in choices], dim=-1)

    @property
    def inputs(self) -> int:
        """P."""
        return sum(self.options)

    def distance(
        self,
        policies: Float[Tensor, "*batch P"],
        references: Float[Tensor, "*batch P"],
        kind: Discrepancy,
    ) -> Float[Tensor, "*batch"]:
        """Σ over parts; of both kinds that is the distance of the vectors side by side."""
        return discrepancy(policies, references, kind)

    def entropy(self, policies: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch"]:
        """Σ over parts."""
        return -(probabilities(policies) * policies).sum(dim=-1)

    def well_formed(
        self, policies: Float[Tensor, "*batch P"], legal: Bool[Tensor, "*batch P"]
    ) -> Bool[Tensor, "*batch"]:
        """Each part sums to 1 and gives illegal options nothing."""
        parts = zip(self._split(policies), self._split(legal), strict=True)
        return torch.stack([well_formed(part, of) for part, of in parts]).all(dim=0)

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        return x.split(self.options, dim=-1)


@dataclass(frozen=True, slots=True)
class Normal:
    """K real numbers, independent and normally distributed: P = 2K, means and log deviations.

    Ratios, relative entropy and Hellinger distance do not change under the bijection by which the
    world squashes actions into its bounds, so none of them needs its density. `l2` is the relative
    entropy KL(π ‖ π_ref), which like a squared distance is quadratic near 0 and bounds the squared
    total variation (2 TV² ≤ KL, Pinsker); `tv` is √2 times the Hellinger distance, the least bound
    of the total variation in terms of it (Le Cam), at most √2. Both have a closed form.
    """

    dimensions: int
    finite: ClassVar[bool] = False

    def normalised(
        self, raw: Float[Tensor, "*batch P"], mask: Bool[Tensor, "*batch P"] | None
    ) -> Float[Tensor, "*batch P"]:
        """Deviations kept within `LOG_STD_RANGE`."""
        del mask
        mean, log_std = raw.chunk(2, dim=-1)
        return torch.cat([mean, log_std.clamp(*LOG_STD_RANGE)], dim=-1)

    def sample(
        self, policies: Float[Tensor, "*batch P"], generator: torch.Generator
    ) -> Float[Tensor, "*batch K"]:
        """Before squashing."""
        mean, log_std = policies.chunk(2, dim=-1)
        return mean + log_std.exp() * torch.randn(
            mean.shape, generator=generator, device=generator.device
        )

    def looked_at(self, actions: Float[Tensor, "B N K"]) -> Float[Tensor, "B N 1"]:
        """The action taken alone."""
        return torch.ones((*actions.shape[:-1], 1), device=actions.device)

    def at_actions(
        self, policies: Float[Tensor, "*batch P"], actions: Float[Tensor, "*batch K"] | None
    ) -> Float[Tensor, "*batch 1"]:
        """The action taken alone."""
        assert actions is not None
        return self.at_taken(policies, actions).unsqueeze(-1)

    def at_taken(
        self, policies: Float[Tensor, "*batch P"], actions: Float[Tensor, "*batch K"]
    ) -> Float[Tensor, "*batch"]:
        """Log density before squashing."""
        mean, log_std = policies.chunk(2, dim=-1)
        standard = (actions - mean) * (-log_std).exp()
        density = -0.5 * standard.square() - log_std - 0.5 * math.log(2.0 * math.pi)
        return density.sum(dim=-1)

    def as_inputs(self, actions: Float[Tensor, "*batch K"]) -> Float[Tensor, "*batch K"]:
        """Squashed into (-1, 1)."""
        return actions.tanh()

    @property
    def inputs(self) -> int:
        """K."""
        return self.dimensions

    def distance(
        self,
        policies: Float[Tensor, "*batch P"],
        references: Float[Tensor, "*batch P"],
        kind: Discrepancy,
    ) -> Float[Tensor, "*batch"]:
        """Relative entropy, or √2 times the Hellinger distance."""
        (mean_p, log_p), (mean_q, log_q) = policies.chunk(2, dim=-1), references.chunk(2, dim=-1)
        apart, ratio = (mean_p - mean_q).square(), 2.0 * (log_p - log_q)  # log of variances' ratio
        if kind == "l2":
            divergence = ratio.exp() + apart * (-2.0 * log_q).exp() - 1.0 - ratio
            return 0.5 * divergence.sum(dim=-1)
        both = (2.0 * log_p).exp() + (2.0 * log_q).exp()
        log_overlap = 0.5 * (math.log(2.0) + log_p + log_q - both.log()) - 0.25 * apart / both
        squared = 2.0 * -torch.expm1(log_overlap.sum(dim=-1))
        return squared.clamp_min(1e-12).sqrt()

    def entropy(self, policies: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch"]:
        """Before squashing."""
        _, log_std = policies.chunk(2, dim=-1)
        return (log_std + 0.5 * math.log(2.0 * math.pi * math.e)).sum(dim=-1)

    def well_formed(
        self, policies: Float[Tensor, "*batch P"], legal: Bool[Tensor, "*batch P"]
    ) -> Bool[Tensor, "*batch"]:
        """Means that are no absurd numbers, and deviations within their range."""
        del legal
        mean, log_std = policies.chunk(2, dim=-1)
        least, most = LOG_STD_RANGE
        return ((mean.abs() <= LARGEST_MEAN) & (log_std >= least) & (log_std <= most)).all(dim=-1)


FINITE = Finite(0)  # where the number of actions does not matter


def family_of(spec: EnvSpec) -> ActionFamily:
    """The family that policies in this world are of."""
    if spec.action_dimensions:
        return Normal(spec.action_dimensions)
    if spec.action_parts:
        return Parts(spec.action_parts)
    return Finite(spec.num_actions)
