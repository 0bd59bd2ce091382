"""Sparse rows give what their 0-and-1 form gives: layers, gradients, banks and critics."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ss_core.env import EnvSpec
from ss_core.policies import sparse_layer
from ss_core.policies.actors import Architecture, ConditionedBank, build_actors
from ss_core.policies.critics import build_critics
from ss_core.policies.feature_actor import PeerRows
from ss_core.policies.mlp_stack import forward_stack
from ss_core.policies.sparse_layer import gather_sum
from tests.support.small_learners import generator, shake, sizes

FEATURES, LONGEST, ROWS, AGENTS = 11, 4, 7, 3
RECEIVERS = torch.tensor([[1, 2], [0, 2], [0, 1]])


def sparse_rows(dtype: torch.dtype = torch.int16) -> Tensor:
    """Rows of different lengths, an empty one among them; no feature twice in a row."""
    draw = generator(3)
    scores = torch.rand((ROWS, AGENTS, FEATURES), generator=draw)
    rows = scores.argsort(dim=-1)[..., :LONGEST]
    length = torch.randint(0, LONGEST + 1, (ROWS, AGENTS, 1), generator=draw)
    length[0, 0] = 0
    return torch.where(torch.arange(LONGEST) < length, rows, -1).to(dtype)


def dense(rows: Tensor, features: int = FEATURES) -> Tensor:
    """The same rows as zeros and ones."""
    one_hot = torch.nn.functional.one_hot(rows.long() + 1, features + 1)[..., 1:]
    return one_hot.sum(dim=-2).float()


def sparse_sizes() -> EnvSpec:
    return replace(sizes(AGENTS), observation_size=LONGEST, num_features=FEATURES, full_view=True)


@pytest.mark.parametrize("by", ["compiled", "bags"])
@pytest.mark.parametrize("dtype", [torch.int16, torch.int64])
def test_layer_and_gradients_are_those_of_the_product(by: str, dtype: torch.dtype) -> None:
    draw = generator(1)
    weight = torch.randn((2, FEATURES, 5), generator=draw, dtype=torch.float64)
    bias = torch.randn((2, 1, 5), generator=draw, dtype=torch.float64)
    nets, agents = torch.tensor([1, 0, 1]), torch.tensor([0, 2, 1])
    extra, rows = torch.tensor([3, -1, 0]), sparse_rows(dtype)
    if by == "bags":
        extra = torch.tensor([3, 7, 0])  # embedding bags have no "none" among them
    grads = torch.randn((3, ROWS, 5), generator=draw, dtype=torch.float64)

    def product(w: Tensor, b: Tensor) -> Tensor:
        seen = dense(rows).double()[:, agents].transpose(0, 1)  # Q, B, F
        beside = torch.stack(
            [w[s, e] if e >= 0 else w.new_zeros(5) for s, e in zip(nets, extra, strict=True)]
        )
        return torch.bmm(seen, w[nets]) + b[nets] + beside[:, None]

    def gathered(w: Tensor, b: Tensor) -> Tensor:
        if by == "compiled":
            return gather_sum(w, b, rows, nets=nets, agents=agents, extra=extra)
        return sparse_layer._by_bags(w, b, rows, nets, agents, extra)

    results = []
    for layer in (product, gathered):
        w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
        out = layer(w, b)
        out.backward(grads)
        results.append((out.detach(), w.grad, b.grad))
    for expected, found in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("nets", "agents", "extra", "rows", "said"),
    [
        ([2], [0], None, [[[0]]], "network 2 of 2"),
        ([0], [1], None, [[[0]]], "agent 1 of 1"),
        ([0], [0], [11], [[[0]]], "feature 11 of 11"),
        ([0], [0], None, [[[11]]], "a feature that the layer has no weights for"),
    ],
)
def test_what_there_is_not_is_refused_before_it_is_read(
    nets: list[int], agents: list[int], extra: list[int] | None, rows: list, said: str
) -> None:
    weight, bias = torch.zeros((2, FEATURES, 5)), torch.zeros((2, 1, 5))
    with pytest.raises(IndexError, match=said):
        gather_sum(
            weight,
            bias,
            torch.tensor(rows, dtype=torch.int16),
            nets=torch.tensor(nets),
            agents=torch.tensor(agents),
            extra=None if extra is None else torch.tensor(extra),
        )


@pytest.mark.parametrize("architecture", ["independent", "multihead", "shared", "tilted"])
def test_banks_say_on_sparse_rows_what_they_say_on_dense_ones(architecture: Architecture) -> None:
    bank = build_actors(architecture, sparse_sizes(), (6, 5), generator(1))
    if isinstance(bank, ConditionedBank):
        bank = replace(bank, full_view=False)  # sparse rows of the sender, as the dense form has
    shake(bank.params)
    rows, peers = sparse_rows(), PeerRows(RECEIVERS)
    shared = torch.log_softmax(torch.randn((ROWS, AGENTS, 2, 3), generator=generator()), dim=-1)
    own, suggested = bank.own(rows, None), bank.suggest(rows, shared, None, peers)
    torch.testing.assert_close(own, bank.own(dense(rows), None), rtol=1e-5, atol=1e-6)
    plain = bank.suggest(dense(rows), shared, None, peers)
    torch.testing.assert_close(suggested, plain, rtol=1e-5, atol=1e-6)


def test_suggestions_look_at_what_the_receiver_sees_where_all_see_everything() -> None:
    bank = build_actors("shared", sparse_sizes(), (6,), generator(1))
    assert isinstance(bank, ConditionedBank)
    shake(bank.params)
    rows = sparse_rows()
    shared = torch.zeros((ROWS, AGENTS, 2, 3)).log_softmax(dim=-1)
    said = bank.suggest(rows, shared, None, PeerRows(RECEIVERS))
    for sender, receivers in enumerate(RECEIVERS.tolist()):
        for slot, receiver in enumerate(receivers):
            as_seen = rows[:, receiver : receiver + 1].expand(-1, AGENTS, -1)
            one = replace(bank, full_view=False).suggest(as_seen, shared, None, PeerRows(RECEIVERS))
            torch.testing.assert_close(said[:, sender, slot], one[:, sender, slot])


@pytest.mark.parametrize("centralised", [False, True])
def test_critics_value_what_is_left_of_the_horizon(centralised: bool) -> None:
    spec = sparse_sizes()
    critics = build_critics(
        spec, (6,), generator(), centralised=centralised, sees_time=True, gamma=1.0
    )
    assert critics.params["w0"].shape == ((1 if centralised else AGENTS), FEATURES, 6)
    rows = sparse_rows()
    time = torch.arange(ROWS, dtype=torch.int16).clamp_max(spec.horizon)[:, None, None]
    values = critics.values(torch.cat([rows, time.expand(-1, AGENTS, 1)], dim=-1))
    seen = dense(rows[:, :1] if centralised else rows).transpose(0, 1)
    per_step = forward_stack(critics.params, seen).squeeze(-1).T
    left = (spec.horizon - time[:, :, 0]).float()
    torch.testing.assert_close(values, per_step * left, rtol=1e-5, atol=1e-6)
    assert bool((values[-1] == 0.0).all())  # nothing follows the last step


def test_first_layers_start_by_how_many_features_are_active() -> None:
    spec = replace(sparse_sizes(), num_features=1000)
    bank = build_actors("shared", spec, (64,), generator())
    largest = float(bank.params["own_w0"].detach().abs().max())
    assert 0.99 * LONGEST**-0.5 < largest <= LONGEST**-0.5
