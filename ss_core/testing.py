"""The examiner of environments: `check_env(env)` plays a few episodes and names the broken rule.

It asks only what the learner relies on. What rewards mean, and whether they are wise, is the
business of each world's own tests.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import islice

import torch
from jaxtyping import Bool, Int, Real
from torch import Tensor

from ss_core.env import CounterfactualEnv, Counterfactuals, EnvSpec, StatefulEnv, Step, VectorEnv
from ss_core.errors import CheckFailedError
from ss_core.objective.action_families import family_of
from ss_core.random_streams import Stream, drawn_seed, torch_generator

TOLERANCE = 1e-3  # between a formula's return and a replayed one, beside one part in a thousand
REPLAYS = 3  # alternatives that are really played


@dataclass(frozen=True, slots=True)
class _Episode:
    """All steps from a reset on, the actions between them, and copies made when they came."""

    steps: list[Step]
    copies: list[dict[str, Tensor]]
    actions: list[Int[Tensor, "E N"]]


def check_env(
    env: VectorEnv,
    *,
    seed: int = 0,
    tolerance: float = TOLERANCE,
    replay_alternatives: bool = True,
) -> None:
    """Play `env` with random legal actions and compare it with what a `VectorEnv` promises.

    It is reset a few times and keeps what it remembers of the episodes. If it is a
    `CounterfactualEnv`, its formulas must agree with rewards, and with replays that differ in one
    action, up to `tolerance`; without the replays where later choices are offered in the light of
    earlier ones, so that the same actions would mean something else.

    Raises:
        CheckFailedError: a rule is broken; the message begins with the rule.
    """
    spec = env.spec
    _check_spec(spec)
    remembered = env.state() if isinstance(env, StatefulEnv) else {}

    def play(actions: list[Tensor] | None = None) -> _Episode:
        if isinstance(env, StatefulEnv):
            env.restore(remembered)
        return _play(env, seed, actions)

    episode = play()
    _check_unchanged(episode)
    for at, step in enumerate(episode.steps):
        _check_step(step, spec, f"step {at}" if at else "reset")
    _check_presence(episode.steps)
    _check_ends(episode.steps, spec)
    if isinstance(env, CounterfactualEnv):
        replays = REPLAYS if replay_alternatives else 0
        _check_alternatives(env, spec, episode, play, seed, tolerance, replays)
    _interrupt(env, drawn_seed(seed, Stream.TRIED_EPISODES))
    again = play(episode.actions)
    _check_unchanged(episode)
    _require(
        "same seed, same episodes",
        _first_difference(episode, again),
        "two resets with one seed and the same actions gave different tensors",
    )
    _require("constant spec", [] if env.spec == spec else ["spec"], "it changed during play")


def _require(rule: str, found: list[str], words: str) -> None:
    if found:
        raise CheckFailedError(f"{rule}: {', '.join(found[:3])}: {words}")


def _check_spec(spec: EnvSpec) -> None:
    sizes = ("num_envs", "num_agents", "num_actions", "observation_size", "horizon")
    small = [f"{name}={getattr(spec, name)}" for name in sizes if getattr(spec, name) < 1]
    _require("sizes", small, "must be at least 1")
    names = spec.agent_names
    unlike = len(names) != spec.num_agents or len(set(names)) != len(names)
    _require(
        "agent names", [f"{len(set(names))} names"] if unlike else [], f"for {spec.num_agents}"
    )
    rows = spec.num_actions * spec.candidate_size
    found = [f"observation_size={spec.observation_size}"]
    found = found if spec.candidate_size and rows != spec.observation_size else []
    _require("feature rows", found, f"num_actions × candidate_size is {rows}")
    blind = bool(spec.num_features) and not spec.full_view
    _require("sparse rows", ["full_view=False"] if blind else [], "each must tell the whole state")
    for name in ("public_size", "own_size"):
        size = getattr(spec, name)
        inside = 0 <= size <= spec.candidate_size
        found = [] if inside else [f"{name}={size}"]
        _require("feature rows", found, f"must be from 0 to candidate_size={spec.candidate_size}")


def _check_sparse(step: Step, spec: EnvSpec, name: str) -> None:
    """Numbers of features, first in their rows."""
    for field in ("observations", "next_observations"):
        rows = getattr(step, field)
        largest = int(rows.max())
        found = [f"{name}, {field}: {largest}"] if largest >= spec.num_features else []
        _require("features", found, f"must be below num_features={spec.num_features}")
        listed = rows >= 0
        gaps = bool((listed[..., 1:] & ~listed[..., :-1]).any())
        _require("features", [f"{name}, {field}"] if gaps else [], "-1 before a feature")


def _play(env: VectorEnv, seed: int, actions: list[Tensor] | None) -> _Episode:
    """As a rollout does it: one reset, `horizon` steps, with `actions` or random legal ones."""
    spec, generator = env.spec, torch_generator(seed, Stream.TRIED_ACTIONS)
    played = _Episode([env.reset(seed)], [], [])
    for t in range(spec.horizon):
        played.copies.append(_tensors(played.steps[-1], clone=True))
        chosen = actions[t] if actions else _random_legal(played.steps[-1], spec, generator)
        given = chosen.clone()
        played.steps.append(env.step(given))
        found = [] if torch.equal(given, chosen) else [f"step {t + 1}"]
        _require("actions are read only", found, "the tensor of actions was written to")
        played.actions.append(chosen)
    played.copies.append(_tensors(played.steps[-1], clone=True))
    return played


def _random_legal(step: Step, spec: EnvSpec, generator: torch.Generator) -> Real[Tensor, "E N *K"]:
    shape = (spec.num_envs, spec.num_agents, spec.num_actions)
    family = family_of(spec)
    if not family.finite:
        uniform = family.normalised(torch.zeros(shape), step.action_mask)
        return family.sample(uniform, generator).to(step.observations.device)
    chance = torch.rand(shape, generator=generator)
    mask = step.action_mask
    if mask is not None and mask.shape == shape:  # otherwise `_check_step` will say so
        chance = torch.where(mask.cpu().bool(), chance, -1.0)
    return chance.argmax(dim=-1).to(step.observations.device)


def _interrupt(env: VectorEnv, seed: int) -> None:
    """Leave an episode of another seed half way: the next reset must not depend on it."""
    step = env.reset(seed)
    env.step(_random_legal(step, env.spec, torch_generator(seed, Stream.TRIED_ACTIONS)))


def _tensors(step: Step, *, clone: bool = False) -> dict[str, Tensor]:
    given = {field.name: getattr(step, field.name) for field in fields(step)}
    return {k: x.clone() if clone else x for k, x in given.items() if x is not None}


def _check_step(step: Step, spec: EnvSpec, name: str) -> None:
    e, n, a = spec.num_envs, spec.num_agents, spec.num_actions
    sparse = spec.num_features > 0
    seen = (torch.int16 if sparse else torch.float32, (e, n, spec.observation_size))
    flag = (torch.bool, (e,))
    promised = {
        "observations": seen,
        "next_observations": seen,
        "rewards": (torch.float32, (e, n)),
        "terminated": flag,
        "truncated": flag,
        "action_mask": (torch.bool, (e, n, a)),
        "neighbours": (torch.bool, (e, n, n)),
        "cooperative": (torch.bool, (e, n)),
    }
    given = _tensors(step)
    for field, tensor in given.items():
        dtype, shape = promised[field]
        found = [] if tensor.shape == shape else [f"{name}, {field} of shape {(*tensor.shape,)}"]
        _require("shapes", found, f"the spec says {shape}")
        found = [] if tensor.dtype == dtype else [f"{name}, {field} of {tensor.dtype}"]
        _require("dtypes", found, f"must be {dtype}")
    for field in ("observations", "next_observations", "rewards"):
        found = [] if bool(given[field].isfinite().all()) else [f"{name}, {field}"]
        _require("finite numbers", found, "NaN or infinite")
    if sparse:
        _check_sparse(step, spec, name)
    if step.action_mask is not None:
        stuck = (~step.action_mask.any(dim=-1)).nonzero().tolist()
        found = [f"{name}, copy {copy}, {spec.agent_names[agent]}" for copy, agent in stuck]
        _require("a legal action everywhere", found, "all actions are masked")


def _check_presence(steps: list[Step]) -> None:
    """A field that is there at one step must be there at every step."""
    for field, among in (("action_mask", steps), ("neighbours", steps), ("cooperative", steps[1:])):
        missing = [at for at, step in enumerate(among) if getattr(step, field) is None]
        found = [field] if 0 < len(missing) < len(among) else []
        _require("the same fields at every step", found, "given at some steps and not at others")


def _check_ends(steps: list[Step], spec: EnvSpec) -> None:
    first = steps[0]
    begun = {
        "terminated": first.terminated.any(),
        "truncated": first.truncated.any(),
        "rewards": (first.rewards != 0).any(),
    }
    found = [name for name, wrong in begun.items() if bool(wrong)]
    _require("a fresh start", found, "after reset nothing has ended and nothing was earned")
    age = torch.zeros(spec.num_envs, dtype=torch.long)
    for at, step in enumerate(steps[1:], start=1):
        ended = step.terminated | step.truncated
        both = (step.terminated & step.truncated).nonzero().flatten().tolist()
        found = [f"step {at}, copy {copy}" for copy in both]
        _require("terminated or truncated", found, "a true end and a time limit exclude each other")
        apart = (step.observations != step.next_observations).flatten(1).any(dim=1) & ~ended
        found = [f"step {at}, copy {copy}" for copy in apart.nonzero().flatten().tolist()]
        _require("successors", found, "within an episode next_observations are the observations")
        age += 1
        late = (age.to(ended.device) >= spec.horizon) & ~ended
        found = [f"step {at}, copy {copy}" for copy in late.nonzero().flatten().tolist()]
        _require("horizon", found, f"no end after {spec.horizon} steps")
        age[ended.cpu()] = 0


def _check_unchanged(episode: _Episode) -> None:
    found = [
        f"{name} of {f'step {at}' if at else 'reset'}"
        for at, (step, copies) in enumerate(zip(episode.steps, episode.copies, strict=True))
        for name, tensor in _tensors(step).items()
        if not _same(tensor, copies[name])
    ]
    _require("fresh tensors", found, "written to after they were returned")


def _same(one: Tensor, other: Tensor) -> bool:
    """Bit by bit, NaN beside NaN included."""
    return torch.equal(one.nan_to_num(), other.nan_to_num())


def _first_difference(one: _Episode, other: _Episode) -> list[str]:
    return [
        f"{name} of {f'step {at}' if at else 'reset'}"
        for at, (a, b) in enumerate(zip(one.copies, other.copies, strict=True))
        for name in a.keys() | b.keys()
        if name not in a or name not in b or not _same(a[name], b[name])
    ]


def _check_alternatives(
    env: CounterfactualEnv,
    spec: EnvSpec,
    episode: _Episode,
    play: Callable[[list[Tensor]], _Episode],
    seed: int,
    tolerance: float,
    replays: int,
) -> None:
    """Nothing changes by the action taken; what would have changed is what a replay brings."""
    n = spec.num_agents
    everybody = torch.arange(n).expand(n, n)[~torch.eye(n, dtype=torch.bool)].reshape(n, n - 1)
    table = env.counterfactual_rewards(everybody)
    taken = torch.stack(episode.actions)
    _check_alternatives_taken(table, taken, everybody, spec)
    legal = _legal(episode, spec)
    for t, e, i, action in islice(_some_alternatives(taken, legal, seed), replays):
        actions = [chosen.clone() for chosen in episode.actions]
        actions[t][e, i] = action
        change = _returns(play(actions))[e] - _returns(episode)[e]
        promised = torch.zeros_like(change)
        promised[i] = table.own[t, e, i, action]
        for j, m in (everybody == i).nonzero().tolist():
            promised[j] = table.peers[t, e, j, m, action]
        wrong = ((promised - change).abs() > tolerance * (1 + change.abs())).nonzero().flatten()
        found = [spec.agent_names[agent] for agent in wrong.tolist()]
        where = f"step {t}, copy {e}, {spec.agent_names[i]} had taken action {action}"
        words = f"if at {where}, a replay brings {change.tolist()}, the formula {promised.tolist()}"
        _require("alternatives", found, words)


def _check_alternatives_taken(
    table: Counterfactuals,
    taken: Int[Tensor, "T E N"],
    everybody: Int[Tensor, "N M"],
    spec: EnvSpec,
) -> None:
    shape = (*taken.shape, spec.num_actions)
    peers = (*taken.shape, everybody.shape[1], spec.num_actions)
    for name, given, expected in (("own", table.own, shape), ("peers", table.peers, peers)):
        found = [] if given.shape == expected else [f"{name} of shape {(*given.shape,)}"]
        _require("shapes of alternatives", found, f"must be {expected}")
        found = [] if bool(given.isfinite().all()) else [name]
        _require("finite numbers", found, "an alternative is NaN or infinite")
    own = table.own.gather(-1, taken[..., None])
    of_peers = table.peers.gather(-1, taken[:, :, everybody][..., None])
    found = [name for name, x in (("own", own), ("peers", of_peers)) if bool((x != 0).any())]
    _require("alternatives", found, "the action taken changes nothing: its value must be 0")


def _legal(episode: _Episode, spec: EnvSpec) -> Bool[Tensor, "T E N A"]:
    shape = (len(episode.actions), spec.num_envs, spec.num_agents, spec.num_actions)
    masks = [step.action_mask for step in episode.steps[:-1] if step.action_mask is not None]
    return torch.stack(masks) if masks else torch.ones(shape, dtype=torch.bool)


def _some_alternatives(
    taken: Int[Tensor, "T E N"], legal: Bool[Tensor, "T E N A"], seed: int
) -> Iterator[tuple[int, int, int, int]]:
    others = legal.scatter(-1, taken[..., None], False).nonzero()
    order = torch.randperm(len(others), generator=torch_generator(seed, Stream.TRIED_ALTERNATIVES))
    yield from others[order.to(others.device)].tolist()


def _returns(episode: _Episode) -> Tensor:
    return torch.stack([step.rewards for step in episode.steps[1:]]).sum(dim=0)
