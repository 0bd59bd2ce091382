"""Sums over agents are exact and counted; a single message of theirs shows nothing."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.ring_sum import MASK_RANGE, masked_running_sums

COSTS = torch.tensor([[1.5, -2.0], [0.25, 4.0], [3.0, 0.5]], dtype=torch.float64)


def overheard(values: Tensor, updates: tuple[int, ...] = (0,), seed: int = 0) -> list[Tensor]:
    """What a listener gets of one sum at each of the updates."""
    received: list[Tensor] = []

    def listener(kind: str, update: int, sent: Mapping[str, Tensor]) -> None:
        assert kind == "cost_total"
        assert update == updates[len(received)]
        received.append(sent[""])

    channel = Channel(ExchangeConfig(), len(values), seed)
    channel.listener = listener
    for update in updates:
        channel.total("cost_total", values, update)
    return received


def test_a_sum_and_its_messages_by_hand() -> None:
    channel = Channel(ExchangeConfig(), 3, seed=0)
    assert channel.total("cost_total", COSTS, update=4).tolist() == [4.75, 2.5]
    rows = [
        (r.update, r.kind, r.sender, r.receiver, r.num_messages, r.num_floats)
        for r in channel.ledger.take_rows()
    ]
    assert rows == [(4, "cost_total", i, j, 1, 2) for i, j in ((0, 1), (1, 2), (2, 0))]
    assert channel.ledger.bytes_by_kind() == {"cost_total": 3 * 2 * 4}
    sums = masked_running_sums(COSTS, torch.tensor([100.0, 200.0], dtype=torch.float64))
    assert sums.tolist() == [[101.5, 198.0], [101.75, 202.0], [104.75, 202.5]]


@given(
    agents=st.integers(1, 40),
    seed=st.integers(0, 2**31),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_totals_are_exact_whatever_the_mask(agents: int, seed: int, dtype: torch.dtype) -> None:
    drawn = np.random.default_rng(seed).lognormal(0.0, 4.0, size=(agents, 3))
    values = torch.from_numpy(drawn).to(dtype).requires_grad_()
    total = Channel(ExchangeConfig(), agents, seed).total("cost_total", values, update=0)
    expected = values.detach().double().numpy().sum(axis=0)
    np.testing.assert_allclose(total.numpy(), expected, rtol=1e-12)
    assert not total.requires_grad


def test_an_agent_alone_sends_nothing() -> None:
    channel = Channel(ExchangeConfig(), 1, seed=0)
    assert channel.total("cost_total", COSTS[:1], update=0).tolist() == [1.5, -2.0]
    assert channel.ledger.take_rows() == []
    assert channel.ledger.bytes_by_kind() == {}
    assert overheard(COSTS[:1]) == []


def test_no_single_message_shows_a_number() -> None:
    (sums,) = overheard(COSTS)
    assert sums.shape == COSTS.shape
    plain = torch.cat([COSTS, COSTS.cumsum(dim=0)]).flatten()
    assert (sums.flatten()[:, None] - plain[None, :]).abs().min() > 1.0
    (mask,) = (sums - COSTS.cumsum(dim=0))[:1]
    assert (mask.abs() <= MASK_RANGE).all()
    assert mask[0] != mask[1]


def test_what_is_heard_changes_with_the_mask() -> None:
    first, again, later = overheard(COSTS, updates=(0, 0, 1))
    (other_seed,) = overheard(COSTS, seed=1)
    sums = torch.stack([first, again, later, other_seed])
    assert len(set(sums[:, 0, 0].tolist())) == 4
    assert torch.equal(overheard(COSTS)[0], first)  # for a run that is repeated


def test_masks_are_spread_evenly_over_their_range() -> None:
    values = torch.ones(2, 4000, dtype=torch.float64)
    (sums,) = overheard(values)
    for row in sums / MASK_RANGE:
        counts = torch.histc(row, bins=4, min=-1.0, max=1.0)
        assert counts.tolist() == pytest.approx([1000] * 4, abs=150)


def test_numbers_of_other_agents_than_those_of_the_channel_are_refused() -> None:
    with pytest.raises(ValueError, match="numbers of 3 agents on a channel of 1"):
        Channel(ExchangeConfig(), 3, 0).closed().total("cost_total", COSTS, 0)
