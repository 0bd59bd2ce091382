"""Tiny `VectorEnv`s with known optima: if a learner fails one, its name says what is broken.

`E` copies step together, tensors are fresh, the same seed gives the same episodes. Rewards follow
from the actions alone, so a learner needs seconds. Not collected by pytest.
"""

import torch
from torch import Tensor

from ss_core.env import Counterfactuals, EnvSpec, Step

HELP_COST = 0.2  # what helping costs the helper
HELP_GAIN = 1.0  # what it gives to each beneficiary


def _spec(
    num_envs: int, num_agents: int, horizon: int, *, num_actions: int = 2, observation_size: int = 1
) -> EnvSpec:
    return EnvSpec(
        num_envs=num_envs,
        num_agents=num_agents,
        num_actions=num_actions,
        observation_size=observation_size,
        horizon=horizon,
        agent_names=tuple(f"agent_{i}" for i in range(num_agents)),
    )


def _first(observations: Tensor) -> Step:
    """Of one agent; arguments have the axis `E` alone, here and in the two below."""
    return Step.first(observations.clone().reshape(-1, 1, 1))


def _next(observations: Tensor, rewards: Tensor) -> Step:
    return Step.next(observations.clone().reshape(-1, 1, 1), rewards.clone().reshape(-1, 1))


def _last(
    observations: Tensor, rewards: Tensor, successors: Tensor, *, truncated: bool = False
) -> Step:
    return Step.last(
        observations.clone().reshape(-1, 1, 1),
        rewards.clone().reshape(-1, 1),
        next_observations=successors.clone().reshape(-1, 1, 1),
        truncated=truncated,
    )


class ConstantReward:
    """(a) One step, reward 1 whatever happens. V = 1: the critic regresses at all."""

    def __init__(self, num_envs: int = 1) -> None:
        self.spec = _spec(num_envs, num_agents=1, horizon=1)
        self._ones = torch.ones(num_envs)

    def reset(self, seed: int) -> Step:
        """Nothing is random."""
        return _first(self._ones)

    def step(self, actions: Tensor) -> Step:
        """Actions are ignored."""
        return _last(self._ones, self._ones, self._ones)


class EndlessReward:
    """Reward 1 forever, cut at `horizon`. V = 1/(1-γ): a time limit must bootstrap."""

    def __init__(self, num_envs: int = 1, horizon: int = 4) -> None:
        self.spec = _spec(num_envs, num_agents=1, horizon=horizon)
        self._ones = torch.ones(num_envs)
        self._t = 0

    def reset(self, seed: int) -> Step:
        """Nothing is random."""
        self._t = 0
        return _first(self._ones)

    def step(self, actions: Tensor) -> Step:
        """Actions are ignored."""
        self._t = (self._t + 1) % self.spec.horizon
        if self._t > 0:
            return _next(self._ones, self._ones)
        return _last(self._ones, self._ones, self._ones, truncated=True)


class FiniteReward:
    """Reward 1 at each of `horizon` steps that all look alike, then a true end.

    V(t) = Σ γᵏ over the steps that remain: only a critic that sees the time can know it.
    """

    def __init__(self, num_envs: int = 1, horizon: int = 3) -> None:
        self.spec = _spec(num_envs, num_agents=1, horizon=horizon)
        self._ones = torch.ones(num_envs)
        self._t = 0

    def reset(self, seed: int) -> Step:
        """Nothing is random."""
        self._t = 0
        return _first(self._ones)

    def step(self, actions: Tensor) -> Step:
        """Actions are ignored."""
        self._t = (self._t + 1) % self.spec.horizon
        if self._t > 0:
            return _next(self._ones, self._ones)
        return _last(self._ones, self._ones, self._ones)


class SignReward:
    """(b) One step, observation o = ±1 at random, reward o. V(o) = o: the critic sees its input."""

    def __init__(self, num_envs: int = 1) -> None:
        self.spec = _spec(num_envs, num_agents=1, horizon=1)
        self._generator = torch.Generator()
        self._sign = torch.ones(num_envs)

    def reset(self, seed: int) -> Step:
        """Draw the first signs."""
        self._generator.manual_seed(seed)
        self._sign = _random_signs(self.spec.num_envs, self._generator)
        return _first(self._sign)

    def step(self, actions: Tensor) -> Step:
        """Actions are ignored."""
        shown = self._sign
        self._sign = _random_signs(self.spec.num_envs, self._generator)
        return _last(self._sign, shown, shown)


class DelayedReward:
    """(c) Two steps, observations 0 then 1, reward only at the end. V(0) = γ, V(1) = 1."""

    def __init__(self, num_envs: int = 1) -> None:
        self.spec = _spec(num_envs, num_agents=1, horizon=2)
        self._zeros, self._ones = torch.zeros(num_envs), torch.ones(num_envs)
        self._t = 0

    def reset(self, seed: int) -> Step:
        """Nothing is random."""
        self._t = 0
        return _first(self._zeros)

    def step(self, actions: Tensor) -> Step:
        """Actions are ignored."""
        self._t += 1
        if self._t == 1:
            return _next(self._ones, self._zeros)
        self._t = 0
        return _last(self._zeros, self._ones, self._ones)


class RightAction:
    """(d) One step, observation ±1, reward 1 if action 1 meets +1 or action 0 meets -1, else -1.

    The optimum is 1 per step; a policy blind to its observation earns 0.
    """

    def __init__(self, num_envs: int = 1) -> None:
        self.spec = _spec(num_envs, num_agents=1, horizon=1)
        self._generator = torch.Generator()
        self._sign = torch.ones(num_envs)

    def reset(self, seed: int) -> Step:
        """Draw the first signs."""
        self._generator.manual_seed(seed)
        self._sign = _random_signs(self.spec.num_envs, self._generator)
        return _first(self._sign)

    def step(self, actions: Tensor) -> Step:
        """Reward the sign-matching action."""
        shown = self._sign
        rewards = shown * (2.0 * actions[:, 0] - 1.0)
        self._sign = _random_signs(self.spec.num_envs, self._generator)
        return _last(self._sign, rewards, shown)


class HelpingGame:
    """(e, f) Social dilemma: action 1 costs the agent 0.2 and gives 1 to each of its beneficiaries.

    Agents: N. Observation: the constant 1. Action: 0 keep, 1 help. Termination: after `horizon`
    steps. Not helping dominates (everybody earns 0); if all help, each earns 0.8 per step in the
    two constructions below. An agent's own action never brings it anything, so only a suggestion
    from its beneficiary, or a shared reward, can make it help.
    """

    def __init__(
        self,
        beneficiaries: Tensor,  # Bool[N, N]: (helper, who gains)
        *,
        num_envs: int = 1,
        horizon: int = 1,
        neighbours: Tensor | None = None,  # Bool[N, N]: (sender, receiver); None: all to all
    ) -> None:
        self.spec = _spec(num_envs, num_agents=len(beneficiaries), horizon=horizon)
        self.gains = HELP_GAIN * beneficiaries.to(torch.float32)
        self._neighbours = neighbours
        self._t = 0

    def reset(self, seed: int) -> Step:
        """Nothing is random."""
        self._t = 0
        return Step.first(self._seen(), neighbours=self._near())

    def step(self, actions: Tensor) -> Step:
        """Each agent pays for its own help and gains from the others'."""
        self._t = (self._t + 1) % self.spec.horizon
        helps = actions.to(torch.float32)
        rewards = helps @ self.gains - HELP_COST * helps
        if self._t > 0:
            return Step.next(
                self._seen(), rewards, neighbours=self._near(), cooperative=actions == 1
            )
        return Step.last(
            self._seen(),
            rewards,
            next_observations=self._seen(),
            neighbours=self._near(),
            cooperative=actions == 1,
        )

    def _seen(self) -> Tensor:
        return torch.ones(self.spec.num_envs, self.spec.num_agents, 1)

    def _near(self) -> Tensor | None:
        shared = self._neighbours
        return None if shared is None else shared.repeat(self.spec.num_envs, 1, 1)


class LaterHelp:
    """(h) Two agents, two steps: who helps pays 0.2 at once, the other gains 1 at the next step.

    Observation: time, and who helped; actions of the second step are ignored. Not helping
    dominates. A common value of the second step makes helping worth it, own values do not.
    """

    def __init__(self, num_envs: int = 1) -> None:
        self.spec = _spec(num_envs, num_agents=2, horizon=2, observation_size=3)
        self._helped: Tensor | None = None

    def reset(self, seed: int) -> Step:
        """Nothing is random."""
        self._helped = None
        start = torch.zeros(self.spec.num_envs, 2)
        return Step.first(self._seen(start, time=0.0))

    def step(self, actions: Tensor) -> Step:
        """First everybody chooses and pays, then everybody gains."""
        start = torch.zeros(self.spec.num_envs, 2)
        if self._helped is None:
            self._helped = actions.to(torch.float32)
            return Step.next(self._seen(self._helped, time=1.0), -HELP_COST * self._helped)
        helped, self._helped = self._helped, None
        gained = HELP_GAIN * helped.flip(1)
        fresh = self._seen(start, time=0.0)
        return Step.last(fresh, gained, next_observations=self._seen(helped, time=1.0))

    def _seen(self, helped: Tensor, *, time: float) -> Tensor:
        seen = torch.cat([torch.full((len(helped), 1), time), helped], dim=1)
        return seen[:, None].repeat(1, 2, 1)


class CounterfactualHelpingGame:
    """(g) A `HelpingGame` that also answers "what if", as a `CounterfactualEnv`."""

    def __init__(self, game: HelpingGame) -> None:
        self.spec = game.spec
        self._game = game
        self._current: list[Tensor] = []
        self._finished: list[Tensor] = []

    def reset(self, seed: int) -> Step:
        """Forget what was played."""
        self._current, self._finished = [], []
        return self._game.reset(seed)

    def step(self, actions: Tensor) -> Step:
        """Play and remember the actions of the episode."""
        self._current.append(actions.clone())
        step = self._game.step(actions)
        if bool(step.terminated.all()):
            self._finished, self._current = self._current, []
        return step

    def counterfactual_rewards(self, neighbours: Tensor) -> Counterfactuals:
        """Helping instead of keeping costs me 0.2; a neighbour's help brings me its gain."""
        taken = torch.stack(self._finished).to(torch.float32)
        change = torch.arange(2.0) - taken[..., None]  # T E N A: help given more than happened
        receiver = torch.arange(len(neighbours))[:, None]
        gains = self._game.gains[neighbours, receiver]  # N M: what i gains by its m-th neighbour
        return Counterfactuals(
            own=-HELP_COST * change, peers=change[:, :, neighbours] * gains[:, :, None]
        )


def mutual_help(num_envs: int = 1, horizon: int = 1) -> HelpingGame:
    """(e) Two agents who can help each other; optimum 0.8 each, selfish 0."""
    return HelpingGame(~torch.eye(2, dtype=torch.bool), num_envs=num_envs, horizon=horizon)


def ring_help(num_agents: int, num_envs: int = 1, horizon: int = 1) -> HelpingGame:
    """(f) Agent i can help agent i+1 alone; both may talk to each other. Optimum 0.8 each."""
    successor = torch.eye(num_agents, dtype=torch.bool).roll(1, dims=1)
    return HelpingGame(
        successor, num_envs=num_envs, horizon=horizon, neighbours=successor | successor.T
    )


class UnequalStakes:
    """Agent 0 may take 1 at a cost of 3 to agent 1, of whose reward a coin decides most.

    One step. Observation: the constant 1. Action of agent 0: 0 leave, 1 take; of agent 1: a bet on
    a coin that pays 20 or costs 20, whichever it bets on. All are best off if 0 leaves (-2 each
    time it takes), but in units of each agent's own spread taking gains 2 and costs 3/20.
    """

    def __init__(self, num_envs: int = 1) -> None:
        self.spec = _spec(num_envs, num_agents=2, horizon=1)
        self._generator = torch.Generator()

    def reset(self, seed: int) -> Step:
        """Draw the coins by the seed."""
        self._generator.manual_seed(seed)
        return Step.first(self._seen())

    def step(self, actions: Tensor) -> Step:
        """What agent 0 takes, and agent 1's luck."""
        takes = actions[:, 0].to(torch.float32)
        luck = 20.0 * _random_signs(self.spec.num_envs, self._generator)
        rewards = torch.stack([takes, luck - 3.0 * takes], dim=1)
        return Step.last(self._seen(), rewards, next_observations=self._seen())

    def _seen(self) -> Tensor:
        return torch.ones(self.spec.num_envs, 2, 1)


def _random_signs(num_envs: int, generator: torch.Generator) -> Tensor:
    return 2.0 * torch.randint(0, 2, (num_envs,), generator=generator) - 1.0
