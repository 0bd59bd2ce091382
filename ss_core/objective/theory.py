"""Lemma 1-3 and Theorem 1 on tabular games, by exact enumeration; proofs are in `docs/theory.md`.

For checking the theory on games small enough to list every joint action; learners never call it.
Axes: `N` agent · `S` state · `A` action · `J` joint action (Aᴺ, agent 0 most significant). Pairs
are *(sender, receiver)*. State visitation is unnormalised, Σ_s d(s) = 1/(1-γ), as in the paper.
All tensors should be float64.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ss_core.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class TabularGame:
    """A multi-agent Markov decision process with individual rewards, as tables."""

    transition: Float[Tensor, "S J S"]  # P(s' | s, a)
    rewards: Float[Tensor, "N S J"]  # Rⁱ(s, a)
    initial: Float[Tensor, " S"]  # distribution of s₀
    gamma: float
    num_agents: int
    num_actions: int  # of each agent

    def __post_init__(self) -> None:
        """Refuse sizes that disagree and rows that are not distributions."""
        state_count, joint_count = len(self.initial), self.num_actions**self.num_agents
        expected = {
            "transition": (state_count, joint_count, state_count),
            "rewards": (self.num_agents, state_count, joint_count),
            "initial": (state_count,),
        }
        for name, tensor in (
            ("transition", self.transition),
            ("rewards", self.rewards),
            ("initial", self.initial),
        ):
            if tuple(tensor.shape) != expected[name]:
                raise ConfigError(
                    f"TabularGame.{name} has shape {tuple(tensor.shape)}; {self.num_agents} agents "
                    f"with {self.num_actions} actions in {state_count} states need {expected[name]}"
                )
        for name, rows in (("transition", self.transition), ("initial", self.initial)):
            if bool((rows < 0).any()) or bool(((rows.sum(-1) - 1).abs() > 1e-9).any()):
                raise ConfigError(f"TabularGame.{name} must hold distributions that sum to 1")
        if not 0.0 <= self.gamma < 1.0:
            raise ConfigError(f"TabularGame.gamma is {self.gamma}; choose 0 <= gamma < 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lemma2Bound:
    """The right-hand side of Eq. 7 in its two parts."""

    f_term: Float[Tensor, ""]  # Eq. 8; stays when every suggestion is the true policy
    squared_term: Float[Tensor, ""]  # ½ Σᵢ κᵢ Σ_{s,a} (π̃ⁱ - π)²

    @property
    def total(self) -> Float[Tensor, ""]:
        """The bound itself."""
        return self.f_term + self.squared_term


# --- policies ---------------------------------------------------------------------------


def joint_actions(num_agents: int, num_actions: int) -> Int[Tensor, "J N"]:
    """Every joint action, in the order of the axis `J`."""
    axes = [torch.arange(num_actions)] * num_agents
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, num_agents)


def joint_policy(policies: Float[Tensor, "N S A"]) -> Float[Tensor, "S J"]:
    """π(a|s) = Πⱼ πʲ(aʲ|s): the product of independent policies."""
    joint = policies[0]
    for policy in policies[1:]:
        joint = (joint[:, :, None] * policy[:, None, :]).flatten(1)
    return joint


def suggesting_joint_policy(suggestions: Float[Tensor, "N N S A"]) -> Float[Tensor, "N S J"]:
    """π̃ⁱ(a|s) = Πⱼ πⁱʲ(aʲ|s) of each agent i (Denotation 1); πⁱⁱ is i's own policy."""
    return torch.stack([joint_policy(row) for row in suggestions])


def own_policies(suggestions: Float[Tensor, "N N S A"]) -> Float[Tensor, "N S A"]:
    """The policies the agents really play: πⁱⁱ, the diagonal."""
    index = torch.arange(len(suggestions))
    return suggestions[index, index]


# --- values -----------------------------------------------------------------------------


def state_visitation(game: TabularGame, joint: Float[Tensor, "S J"]) -> Float[Tensor, " S"]:
    """d^π(s) = Σₜ γᵗ P(sₜ = s | π), of mass 1/(1-γ) (Appendix A.1.1)."""
    return torch.linalg.solve(_resolvent(game, joint).T, game.initial)


def state_values(game: TabularGame, joint: Float[Tensor, "S J"]) -> Float[Tensor, "N S"]:
    """V_i^π(s), Eq. 3, by solving (I - γ P_π) V = r_π."""
    expected_rewards = torch.einsum("sj,nsj->sn", joint, game.rewards)
    return torch.linalg.solve(_resolvent(game, joint), expected_rewards).T


def action_values(game: TabularGame, joint: Float[Tensor, "S J"]) -> Float[Tensor, "N S J"]:
    """Q_i^π(s, a), Eq. 3."""
    successors = torch.einsum("sjt,nt->nsj", game.transition, state_values(game, joint))
    return game.rewards + game.gamma * successors


def advantages(game: TabularGame, joint: Float[Tensor, "S J"]) -> Float[Tensor, "N S J"]:
    """A_i^π(s, a) = Q_i^π(s, a) - V_i^π(s), Eq. 2."""
    return action_values(game, joint) - state_values(game, joint)[:, :, None]


def collective_return(game: TabularGame, joint: Float[Tensor, "S J"]) -> Float[Tensor, ""]:
    """η(π) = Σᵢ E[Σₜ γᵗ rₜⁱ], Eq. 1 in the form of Eq. 22."""
    return (state_values(game, joint) @ game.initial).sum()


def marginal_advantages(
    table: Float[Tensor, "N S J"], suggestions: Float[Tensor, "N N S A"]
) -> Float[Tensor, "N N S A"]:
    """∇ⱼAᵢ(s, aʲ): what i gains in expectation when j plays aʲ and the others follow π̃ⁱ."""
    pairs = [
        [_contract_all_but(j, table[i], suggestions[i]) for j in range(len(suggestions))]
        for i in range(len(suggestions))
    ]
    return torch.stack([torch.stack(row) for row in pairs])


# --- objectives -------------------------------------------------------------------------


def zeta(
    game: TabularGame, reference: Float[Tensor, "S J"], suggested: Float[Tensor, "N S J"]
) -> Float[Tensor, ""]:
    """ζ_π'(Π̃) = Σᵢ E_{s~d^π', a~π̃ⁱ}[A_i^π'(s, a)], Eq. 6 and 9; `reference` is π'."""
    visitation = state_visitation(game, reference)
    return torch.einsum("s,nsj,nsj->", visitation, suggested, advantages(game, reference))


def zeta_of_policy(
    game: TabularGame, reference: Float[Tensor, "S J"], joint: Float[Tensor, "S J"]
) -> Float[Tensor, ""]:
    """ζ_π'(π): every agent expects the same joint policy."""
    return zeta(game, reference, joint.expand(game.num_agents, *joint.shape))


def performance_difference(
    game: TabularGame, old: Float[Tensor, "S J"], new: Float[Tensor, "S J"]
) -> Float[Tensor, ""]:
    """η(π_new) - η(π_old) = E_{s~d^new, a~new}[Σᵢ A_i^old(s, a)] (Lemma 3, Eq. 21)."""
    return torch.einsum("s,sj,nsj->", state_visitation(game, new), new, advantages(game, old))


# --- bounds -----------------------------------------------------------------------------


def advantage_scales(table: Float[Tensor, "N S J"]) -> Float[Tensor, " N"]:
    """κᵢ = max_{s,a} |Aᵢ(s, a)|."""
    return table.abs().amax(dim=(1, 2))


def policy_distances(suggestions: Float[Tensor, "N N S A"]) -> Float[Tensor, "N N S"]:
    """‖πⁱʲ(·|s) - πʲʲ(·|s)‖₁ for sender i and receiver j; zero on the diagonal."""
    return (suggestions - own_policies(suggestions)).abs().sum(-1)


def lemma_2_bound(
    game: TabularGame, reference: Float[Tensor, "S J"], suggestions: Float[Tensor, "N N S A"]
) -> Lemma2Bound:
    """The paper's bound on ζ_π'(Π̃) - ζ_π'(π), Eq. 7 and 8; |𝒜| counts *joint* actions."""
    scales = advantage_scales(advantages(game, reference))
    visitation = state_visitation(game, reference)
    gaps = suggesting_joint_policy(suggestions) - joint_policy(own_policies(suggestions))
    return Lemma2Bound(
        f_term=0.5 * scales.sum() * game.transition.shape[1] * visitation.square().sum(),
        squared_term=0.5 * (scales * gaps.square().sum(dim=(1, 2))).sum(),
    )


def total_variation_bound(
    game: TabularGame, reference: Float[Tensor, "S J"], suggestions: Float[Tensor, "N N S A"]
) -> Float[Tensor, ""]:
    """Σᵢ κᵢ Σ_{j≠i} E_{s~d^π'} ‖πⁱʲ - πʲʲ‖₁ >= |ζ_π'(Π̃) - ζ_π'(π)|: pair by pair, no f-term."""
    distances = policy_distances(suggestions).sum(dim=1)
    return _expected_distance(game, reference, distances)


def coupled_total_variation_bound(
    game: TabularGame, reference: Float[Tensor, "S J"], suggestions: Float[Tensor, "N N S A"]
) -> Float[Tensor, ""]:
    """As `total_variation_bound` with 2(1 - Πⱼ(1 - ½‖πⁱʲ - πʲʲ‖₁)) in place of the sum over j."""
    agreement = (1 - 0.5 * policy_distances(suggestions)).prod(dim=1)
    return _expected_distance(game, reference, 2 * (1 - agreement))


def joint_total_variation_bound(
    game: TabularGame, reference: Float[Tensor, "S J"], suggestions: Float[Tensor, "N N S A"]
) -> Float[Tensor, ""]:
    """Σᵢ κᵢ E_{s~d^π'} ‖π̃ⁱ - π‖₁: the tightest of the three, never above Lemma 2's."""
    gaps = suggesting_joint_policy(suggestions) - joint_policy(own_policies(suggestions))
    return _expected_distance(game, reference, gaps.abs().sum(dim=2))


def trust_region_penalty(
    game: TabularGame, old: Float[Tensor, "N S A"], new: Float[Tensor, "N S A"]
) -> Float[Tensor, ""]:
    """C Σᵢ max_s KL(πⁱⁱ_old ‖ πⁱⁱ_new), third term of Eq. 10; infinite where support is lost."""
    joint_advantage = advantages(game, joint_policy(old)).sum(dim=0)
    scale = 4 * joint_advantage.abs().max() * game.gamma / (1 - game.gamma) ** 2
    divergences = (torch.xlogy(old, old) - torch.xlogy(old, new)).sum(dim=2).amax(dim=1).sum()
    return torch.where(scale > 0, scale * divergences, torch.zeros_like(scale))


def theorem_1_bound(
    game: TabularGame, old: Float[Tensor, "N S A"], suggestions: Float[Tensor, "N N S A"]
) -> Float[Tensor, ""]:
    """The paper's lower bound on η(π_new), Eq. 10; π_new is the diagonal of `suggestions`."""
    discrepancy = lemma_2_bound(game, joint_policy(old), suggestions).total
    return _return_bound(game, old, suggestions, discrepancy)


def theorem_1_total_variation_bound(
    game: TabularGame, old: Float[Tensor, "N S A"], suggestions: Float[Tensor, "N N S A"]
) -> Float[Tensor, ""]:
    """Eq. 10 with `total_variation_bound` in place of Lemma 2's two terms."""
    discrepancy = total_variation_bound(game, joint_policy(old), suggestions)
    return _return_bound(game, old, suggestions, discrepancy)


def _return_bound(
    game: TabularGame,
    old: Float[Tensor, "N S A"],
    suggestions: Float[Tensor, "N N S A"],
    discrepancy: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """η(π_old) + ζ_old(Π̃_new) - trust-region penalty - discrepancy."""
    reference = joint_policy(old)
    expected = zeta(game, reference, suggesting_joint_policy(suggestions))
    penalty = trust_region_penalty(game, old, own_policies(suggestions))
    return collective_return(game, reference) + expected - penalty - discrepancy


def _expected_distance(
    game: TabularGame, reference: Float[Tensor, "S J"], distances: Float[Tensor, "N S"]
) -> Float[Tensor, ""]:
    """Σᵢ κᵢ Σ_s d(s) distanceᵢ(s)."""
    scales = advantage_scales(advantages(game, reference))
    return scales @ distances @ state_visitation(game, reference)


def _resolvent(game: TabularGame, joint: Float[Tensor, "S J"]) -> Float[Tensor, "S S"]:
    """I - γ P_π."""
    induced = torch.einsum("sj,sjt->st", joint, game.transition)
    return torch.eye(len(induced), dtype=induced.dtype) - game.gamma * induced


def _contract_all_but(
    kept: int, table: Float[Tensor, "S J"], policies: Sequence[Tensor] | Tensor
) -> Float[Tensor, "S A"]:
    """Average a table over the actions of every agent but one."""
    num_agents, num_actions = len(policies), policies[0].shape[-1]
    remaining = table.reshape(len(table), *[num_actions] * num_agents)
    for agent in reversed(range(num_agents)):
        if agent != kept:
            lead = [1] * agent
            trail = [1] * (remaining.dim() - agent - 2)
            weights = policies[agent].reshape(len(table), *lead, num_actions, *trail)
            remaining = (remaining * weights).sum(dim=agent + 1)
    return remaining
