"""Stacked networks are plain networks side by side; no gradient crosses from agent to agent."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ss_core.exchange.neighbourhood import all_to_all, from_graph, random_regular
from ss_core.objective.action_families import masked_log_softmax
from ss_core.policies import feature_actor as candidates
from ss_core.policies.actors import (
    ActorBank,
    Architecture,
    JointActorBank,
    build_actors,
)
from ss_core.policies.feature_actor import FeatureActor, PeerRows, pack_peer_rows, score_rows
from ss_core.policies.mlp_stack import (
    Params,
    at_neighbours,
    forward_stack,
    init_stack,
)
from tests.support.small_learners import BANK_IDS, BANKS, generator, shake, sizes, small_bank

AGENTS, ACTIONS, ROWS = 4, 3, 7
every_bank = pytest.mark.parametrize(("architecture", "features"), BANKS, ids=BANK_IDS)


def perceptron(params: Params, *at: int) -> nn.Sequential:
    """A plain network with the weights at one place of a stack."""
    layers: list[nn.Module] = []
    for layer in range(len(params) // 2):
        weight = params[f"w{layer}"][at].detach()
        linear = nn.Linear(weight.shape[0], weight.shape[1])
        with torch.no_grad():
            linear.weight.copy_(weight.T)
            linear.bias.copy_(params[f"b{layer}"][at].detach().squeeze(0))
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def under(prefix: str, params: Params) -> Params:
    return {
        k.removeprefix(prefix): w
        for k, w in params.items()
        if k.startswith(prefix) and not k.endswith("skip")
    }


def inputs(features: int, *, masked: bool = False) -> tuple[Tensor, Tensor | None, Tensor]:
    """Observations, mask and own log probabilities of random agents."""
    draw = generator(5)
    spec = sizes(AGENTS, features=features)
    observations = torch.randn((ROWS, AGENTS, spec.observation_size), generator=draw)
    mask = torch.rand((ROWS, AGENTS, ACTIONS), generator=draw) < 0.5
    mask[..., 1] = True
    logits = torch.randn((ROWS, AGENTS, ACTIONS), generator=draw)
    own = masked_log_softmax(logits, mask if masked else None)
    return observations, mask if masked else None, own


def suggestions(
    bank: ActorBank, features: int, receivers: Tensor, *, masked: bool = False
) -> Tensor:
    observations, mask, own = inputs(features, masked=masked)
    valid = torch.ones((ROWS, *receivers.shape), dtype=torch.bool)
    where = pack_peer_rows(observations, valid, receivers, features, max(0, features - 1))
    return bank.suggest(observations, at_neighbours(own, receivers), mask, where)


def test_a_stack_equals_a_loop_of_plain_networks() -> None:
    params = init_stack((3,), (5, 8, 6, 2), generator())
    x = torch.randn((3, 9, 5), generator=generator(1))
    plain = torch.stack([perceptron(params, i)(x[i]) for i in range(3)])
    torch.testing.assert_close(forward_stack(params, x), plain, rtol=0, atol=1e-6)


def test_initial_weights_are_bounded_by_fan_in_and_repeat_by_seed() -> None:
    params = init_stack((2,), (16, 9, 3), generator(), zero_last=True)
    again = init_stack((2,), (16, 9, 3), generator(), zero_last=True)
    assert all(torch.equal(w, again[k]) for k, w in params.items())
    assert 0.2 < params["w0"].abs().max().item() <= 0.25
    assert params["w1"].abs().max().item() == 0.0
    assert all(w.requires_grad and w.is_leaf for w in params.values())


def test_independent_networks_equal_a_loop_over_pairs() -> None:
    bank = small_bank("independent")
    observations, _, _ = inputs(0)
    receivers = all_to_all(AGENTS).receivers
    own, told = bank.own(observations, None), suggestions(bank, 0, receivers)
    for i in range(AGENTS):
        plain = torch.log_softmax(perceptron(bank.params, i, i)(observations[:, i]), dim=-1)
        torch.testing.assert_close(own[:, i], plain, rtol=0, atol=1e-6)
        for m, j in enumerate(receivers[i].tolist()):
            plain = torch.log_softmax(perceptron(bank.params, i, j)(observations[:, i]), dim=-1)
            torch.testing.assert_close(told[:, i, m], plain, rtol=0, atol=1e-6)


def test_heads_equal_a_loop_over_receivers() -> None:
    bank = small_bank("multihead", hidden=(6, 5))
    observations, _, _ = inputs(0)
    receivers = all_to_all(AGENTS).receivers
    own, told = bank.own(observations, None), suggestions(bank, 0, receivers)
    trunk = {k: w for k, w in bank.params.items() if not k.startswith("head")}
    head = {"w0": bank.params["head_w"], "b0": bank.params["head_b"]}
    for i in range(AGENTS):
        seen = torch.relu(perceptron(trunk, i)(observations[:, i]))
        for m, j in enumerate([i, *receivers[i].tolist()]):
            plain = torch.log_softmax(perceptron(head, i, j)(seen), dim=-1)
            got = own[:, i] if m == 0 else told[:, i, m - 1]
            torch.testing.assert_close(got, plain, rtol=0, atol=1e-6)


@pytest.mark.parametrize("hidden", [(6,), (6, 5)])
def test_conditioned_suggestions_tilt_what_was_shared(hidden: tuple[int, ...]) -> None:
    bank = small_bank("shared", hidden=hidden)
    observations, _, shared = inputs(0)
    receivers = random_regular(AGENTS, 2, np.random.default_rng(0)).receivers
    told = suggestions(bank, 0, receivers)
    for i in range(AGENTS):
        network = perceptron(under("suggest_", bank.params), i)
        for m, j in enumerate(receivers[i].tolist()):
            one_hot = torch.eye(AGENTS)[j].expand(ROWS, -1)
            tilt = network(torch.cat([observations[:, i], one_hot], dim=1))
            plain = torch.log_softmax(shared[:, j] + tilt, dim=-1)
            torch.testing.assert_close(told[:, i, m], plain, rtol=0, atol=1e-6)


@pytest.mark.parametrize("hidden", [(), (6,), (6, 5)])
def test_candidate_policies_score_every_action_by_its_features(hidden: tuple[int, ...]) -> None:
    bank = build_actors("shared", sizes(AGENTS, features=4), hidden, generator())
    shake(bank.params)
    observations, _, shared = inputs(4)
    rows = observations.unflatten(-1, (ACTIONS, 4))
    receivers = random_regular(AGENTS, 2, np.random.default_rng(0)).receivers
    own, told = bank.own(observations, None), suggestions(bank, 4, receivers)

    def scores(prefix: str, i: int, x: Tensor) -> Tensor:
        linear = x @ bank.params[f"{prefix}skip"][i]
        layers = under(prefix, bank.params)
        return (linear + (perceptron(layers, i)(x) if layers else 0.0)).squeeze(-1)

    for i in range(AGENTS):
        plain = torch.log_softmax(scores("own_", i, rows[:, i]), dim=-1)
        torch.testing.assert_close(own[:, i], plain, rtol=0, atol=1e-6)
        for m, j in enumerate(receivers[i].tolist()):
            tilt = scores("suggest_", i, rows[:, j, :, :3])  # public features only
            plain = torch.log_softmax(shared[:, j] + tilt, dim=-1)
            torch.testing.assert_close(told[:, i, m], plain, rtol=0, atol=1e-6)


@every_bank
def test_sparse_neighbour_lists_equal_the_dense_computation(
    architecture: Architecture, features: int
) -> None:
    bank = small_bank(architecture, features)
    everybody = all_to_all(AGENTS).receivers
    dense = suggestions(bank, features, everybody)
    sparse = random_regular(AGENTS, 2, np.random.default_rng(0)).receivers
    told = suggestions(bank, features, sparse)
    for i in range(AGENTS):
        for m, j in enumerate(sparse[i].tolist()):
            at = everybody[i].tolist().index(j)
            torch.testing.assert_close(told[:, i, m], dense[:, i, at], rtol=0, atol=1e-6)


@every_bank
@pytest.mark.parametrize("degree", [2, AGENTS - 1])
def test_one_forward_for_both_gives_the_same(
    architecture: Architecture, features: int, degree: int
) -> None:
    bank = small_bank(architecture, features)
    if not isinstance(bank, JointActorBank):
        assert architecture in ("shared", "tilted")  # their suggestions look at what was shared
        return
    observations, mask, shared = inputs(features, masked=True)
    receivers = random_regular(AGENTS, degree, np.random.default_rng(0)).receivers
    where = PeerRows(receivers)
    own, told = bank.own_and_suggest(observations, mask, where)
    torch.testing.assert_close(own, bank.own(observations, mask))
    expected = bank.suggest(observations, at_neighbours(shared, receivers), mask, where)
    torch.testing.assert_close(told, expected)


@every_bank
def test_no_gradient_crosses_from_agent_to_agent(architecture: Architecture, features: int) -> None:
    bank = small_bank(architecture, features)
    observations, _, _ = inputs(features)
    receivers = all_to_all(AGENTS).receivers
    outputs = [bank.own(observations, None), suggestions(bank, features, receivers)]
    for i in range(AGENTS):
        objective = torch.stack([x[:, i].square().sum() for x in outputs]).sum()
        grads = torch.autograd.grad(objective, list(bank.params.values()), retain_graph=True)
        for name, grad in zip(bank.params, grads, strict=True):
            others = [j for j in range(AGENTS) if j != i]
            assert grad[others].abs().max().item() == 0.0, name
            if name not in ("own_b1", "suggest_b1") or not features:  # moves all logits alike
                assert grad[i].abs().max().item() > 0.0, name


@pytest.mark.parametrize("architecture", ["independent", "multihead"])
def test_permuting_agents_permutes_policies_and_suggestions(architecture: Architecture) -> None:
    bank = small_bank(architecture)
    order = torch.tensor([2, 0, 3, 1])  # new agent n is old agent order[n]
    pairs = {"head_w", "head_b"} if architecture == "multihead" else set(bank.params)
    moved = replace(
        bank,  # pyright: ignore[reportArgumentType] - a dataclass, whichever architecture
        params={k: w[order][:, order] if k in pairs else w[order] for k, w in bank.params.items()},
    )
    observations, _, _ = inputs(0)
    torch.testing.assert_close(
        moved.own(observations[:, order], None), bank.own(observations, None)[:, order]
    )
    receivers = all_to_all(AGENTS).receivers
    where = PeerRows(receivers)
    nothing = torch.zeros(ROWS, AGENTS, AGENTS - 1, ACTIONS)
    before = bank.suggest(observations, nothing, None, where)
    after = moved.suggest(observations[:, order], nothing, None, where)
    for i in range(AGENTS):
        for m, j in enumerate(receivers[i].tolist()):
            old_i, old_j = int(order[i]), int(order[j])
            at = receivers[old_i].tolist().index(old_j)
            torch.testing.assert_close(after[:, i, m], before[:, old_i, at], rtol=0, atol=1e-6)


@every_bank
def test_illegal_actions_have_no_chance_and_finite_gradients(
    architecture: Architecture, features: int
) -> None:
    bank = small_bank(architecture, features)
    observations, mask, _ = inputs(features, masked=True)
    assert mask is not None
    receivers = all_to_all(AGENTS).receivers
    own = bank.own(observations, mask)
    told = suggestions(bank, features, receivers, masked=True)
    for log_probs, legal in ((own, mask), (told, at_neighbours(mask, receivers))):
        chances = log_probs.exp()
        assert chances[~legal].abs().max().item() == 0.0
        torch.testing.assert_close(chances.sum(dim=-1), torch.ones(legal.shape[:-1]))
        objective = (chances * torch.arange(1.0, 1.0 + ACTIONS)).sum()
        for grad in torch.autograd.grad(
            objective, list(bank.params.values()), retain_graph=True, allow_unused=True
        ):
            assert grad is None or torch.isfinite(grad).all()


@pytest.mark.parametrize("features", [0, 4])
def test_shared_suggestions_start_at_agreement(features: int) -> None:
    bank = small_bank("shared", features, settled=False)
    receivers = all_to_all(AGENTS).receivers
    _, _, own = inputs(features)
    told = suggestions(bank, features, receivers)
    torch.testing.assert_close(told, at_neighbours(own, receivers), rtol=0, atol=1e-6)


def test_zero_logits_start_all_policies_uniform() -> None:
    for architecture in ("independent", "multihead", "shared"):
        bank = build_actors(architecture, sizes(AGENTS), (6,), generator(), zero_logits=True)
        chances = bank.own(inputs(0)[0], None).exp()
        torch.testing.assert_close(chances, torch.full_like(chances, 1 / ACTIONS))


def test_suggestion_networks_may_have_layers_of_their_own() -> None:
    bank = build_actors("shared", sizes(AGENTS), (6,), generator(), suggestion_hidden=(3, 2))
    assert bank.params["own_w0"].shape == (AGENTS, 5, 6)
    assert bank.params["suggest_w1"].shape == (AGENTS, 3, 2)


def test_packed_rows_are_the_public_features_of_the_decisions_seen() -> None:
    observations, _, _ = inputs(4)
    valid = torch.rand((ROWS, AGENTS, 2), generator=generator(7)) < 0.4
    valid[:, 3] = False  # agent 3 sees nothing
    receivers = random_regular(AGENTS, 2, np.random.default_rng(0)).receivers
    where = pack_peer_rows(observations, valid, receivers, candidate_size=4, public_size=3)
    assert where.public is not None
    assert where.packed is not None
    rows = observations.unflatten(-1, (ACTIONS, 4))
    for i in range(AGENTS):
        seen = [(m, b) for m in range(2) for b in range(ROWS) if valid[b, i, m]]
        places = [m * ROWS + b for m, b in seen]
        padding = where.packed.shape[1] - len(seen)
        assert where.packed[i].tolist() == places + [2 * ROWS] * padding
        for r, (m, b) in enumerate(seen):
            expected = rows[b, receivers[i, m], :, :3]
            assert torch.equal(where.public[i, r], expected)


def test_what_is_not_seen_is_not_tilted() -> None:
    bank = small_bank("shared", 4)
    observations, _, own = inputs(4)
    adjacency = torch.tensor([[0, 1, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1], [0, 0, 1, 0]]) > 0
    where = from_graph(adjacency)
    valid = where.linked.expand(ROWS, -1, -1)
    rows = pack_peer_rows(observations, valid, where.receivers, 4, 3)
    shared = at_neighbours(own, where.receivers)
    told = bank.suggest(observations, shared, None, rows)
    dense = suggestions(bank, 4, where.receivers)
    torch.testing.assert_close(told[valid], dense[valid])
    torch.testing.assert_close(told[~valid], shared[~valid])


def test_gradient_of_the_hidden_layer_written_by_hand_is_the_numerical_one() -> None:
    draw = generator()
    shapes = {"w0": (3, 4, 5), "b0": (3, 1, 5), "w1": (3, 5, 1), "b1": (3, 1, 1), "skip": (3, 4, 1)}
    params = {
        f"own_{k}": torch.randn(shape, generator=draw, dtype=torch.float64, requires_grad=True)
        for k, shape in shapes.items()
    }
    rows = torch.randn((3, 6, 2, 4), generator=draw, dtype=torch.float64)

    def score(*weights: Tensor) -> Tensor:
        return score_rows(dict(zip(params, weights, strict=True)), "own_", rows)

    assert torch.autograd.gradcheck(score, tuple(params.values()))


def test_how_many_agents_are_scored_at_a_time_does_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bank = small_bank("shared", 4)
    assert isinstance(bank, FeatureActor)
    observations, _, _ = inputs(4)
    results = []
    for floats in (1, 10**6):
        monkeypatch.setattr(candidates, "CACHED_FLOATS", floats)
        own = bank.own(observations, None)
        names = [k for k in bank.params if k.startswith("own_")]
        grads = torch.autograd.grad(own.square().sum(), [bank.params[k] for k in names])
        results.append((own, *grads))
    for one_by_one, at_once in zip(*results, strict=True):
        torch.testing.assert_close(one_by_one, at_once, rtol=1e-5, atol=1e-6)
