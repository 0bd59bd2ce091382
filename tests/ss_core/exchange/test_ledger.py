"""The ledger agrees with tables of all pairs, and needs none."""

import tracemalloc
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ss_core.errors import CorruptError
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.ledger import BYTES_PER_FLOAT, Ledger, LedgerRow, Refusal

MANY, DEGREE = 5000, 8
KINDS, REASONS = ("own_policy", "suggestion"), ("malformed", "flood")


@dataclass
class DenseLedger:
    """The same bookkeeping with a table (sender, receiver) for everything."""

    num_agents: int
    sent: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)
    refused: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)

    def record(self, key: tuple[int, str], pairs: np.ndarray, counts: np.ndarray) -> None:
        table = self.sent.setdefault(key, np.zeros((2, *[self.num_agents] * 2), dtype=np.int64))
        for layer, values in zip(table, counts, strict=True):
            np.add.at(layer, tuple(pairs), values)

    def refuse(self, key: tuple[int, str], pairs: np.ndarray, messages: np.ndarray) -> None:
        if messages.any():
            table = self.refused.setdefault(key, np.zeros([self.num_agents] * 2, dtype=np.int64))
            np.add.at(table, tuple(pairs), messages)

    def rows(self) -> list[LedgerRow]:
        return [
            LedgerRow(*key, int(i), int(j), int(table[0, i, j]), int(table[1, i, j]))
            for key, table in self.sent.items()
            for i, j in np.argwhere(table[1])
        ]

    def refusals(self) -> list[Refusal]:
        return [
            Refusal(*key, i, int(row.sum()), int((row > 0).sum()))
            for key, table in self.refused.items()
            for i, row in enumerate(table)
            if row.any()
        ]

    def totals(self) -> dict[str, list[list[int]]]:
        found: dict[str, np.ndarray] = {}
        for (_, kind), table in self.sent.items():
            found[kind] = found.get(kind, 0) + table.sum(axis=2)
        return {kind: sums.tolist() for kind, sums in found.items()}

    def messages_refused(self) -> dict[str, list[int]]:
        found: dict[str, np.ndarray] = {}
        for (_, reason), table in self.refused.items():
            found[reason] = found.get(reason, 0) + table.sum(axis=1)
        return {reason: sums.tolist() for reason, sums in found.items()}


def recorded(agents: int, exchanges: int, seed: int) -> tuple[Ledger, DenseLedger]:
    """Exchanges and refusals at random; every second one is among the same pairs."""
    rng, sparse, dense = np.random.default_rng(seed), Ledger(agents), DenseLedger(agents)
    usual = rng.integers(agents, size=(2, 2 * agents))
    for turn in range(exchanges):
        pairs = usual if turn % 2 else rng.integers(agents, size=(2, rng.integers(2 * agents)))
        counts = rng.integers(4, size=(2, pairs.shape[1]))
        key, why = (turn // 3, KINDS[rng.integers(2)]), (turn // 3, REASONS[rng.integers(2)])
        sparse.record(*key, pairs[0], pairs[1], messages=counts[0], floats=counts[1])
        dense.record(key, pairs, counts)
        messages = counts[0] * rng.integers(2)
        sparse.refuse(*why, pairs[0], pairs[1], messages)
        dense.refuse(why, pairs, messages)
    return sparse, dense


@given(agents=st.integers(1, 6), exchanges=st.integers(0, 12), seed=st.integers(0, 2**31))
def test_rows_and_totals_are_those_of_tables_of_all_pairs(
    agents: int, exchanges: int, seed: int
) -> None:
    sparse, dense = recorded(agents, exchanges, seed)
    totals = dense.totals()
    by_kind = {kind: sum(sums[1]) * BYTES_PER_FLOAT for kind, sums in totals.items()}
    assert sparse.take_rows() == dense.rows()
    assert sparse.take_refusals() == dense.refusals()
    assert sparse.take_rows() == sparse.take_refusals() == []
    assert {kind: sums.tolist() for kind, sums in sparse.totals.items()} == totals
    assert sparse.bytes_by_kind() == by_kind
    assert sparse.num_bytes() == sum(by_kind.values())
    refused = dense.messages_refused()
    assert {why: sums.tolist() for why, sums in sparse.refused.items()} == refused
    assert sparse.num_messages_refused() == sum(map(sum, refused.values()))


@given(agents=st.integers(1, 6), exchanges=st.integers(0, 6), seed=st.integers(0, 2**31))
def test_a_restored_ledger_goes_on_where_the_other_stood(
    agents: int, exchanges: int, seed: int
) -> None:
    ledger, _ = recorded(agents, exchanges, seed)
    ledger.release(np.arange(agents))
    other = Ledger(agents)
    other.restore(ledger.state())
    other.release(np.arange(agents))
    assert other.bytes_by_kind() == ledger.bytes_by_kind()
    assert other.num_messages_refused() == ledger.num_messages_refused()
    assert other.releases.tolist() == (2 * ledger.releases).tolist()
    assert other.take_rows() == other.take_refusals() == []


@pytest.mark.parametrize(
    ("name", "shape"),
    [("suggestion", (2, 3, 3)), ("suggestion", (2, 4)), ("refused/stale", (3, 3))],
)
def test_tables_of_pairs_are_refused_in_a_sentence(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(CorruptError, match=rf"ledger/{name}: of shape .*, expected \("):
        Ledger(3).restore({name: torch.zeros(shape, dtype=torch.int64)})


@pytest.mark.parametrize("redraw", [True, False])
def test_five_thousand_agents_with_eight_neighbours_take_a_few_megabytes(redraw: bool) -> None:
    config = ExchangeConfig(protocol="random", num_neighbours=DEGREE, redraw=redraw)
    channel, updates, passes = Channel(config, MANY, seed=0), 3, 2
    tracemalloc.start()
    try:
        for update in range(updates):
            links = channel.neighbourhood(update)
            valid = links.linked[None]
            for _ in range(passes):
                channel.share("own_policy", torch.zeros(1, MANY, 3), links, valid, update)
                channel.send("suggestion", torch.zeros(1, MANY, DEGREE, 3), links, valid, update)
            channel.refuse_malformed(
                torch.zeros(1, MANY, DEGREE, 3),
                valid,
                torch.ones(1, MANY, 3, dtype=torch.bool),
                links,
                update,
            )
        state = channel.ledger.state()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 20e6  # one table of all pairs takes 200 MB
    assert sum(t.nbytes for t in state.values()) < 1e6
    assert channel.ledger.num_messages_refused() == updates * MANY * DEGREE
    rows = channel.ledger.take_rows()
    assert len(rows) == len(KINDS) * updates * MANY * DEGREE
    assert {(r.num_messages, r.num_floats) for r in rows} == {(passes, passes * 3)}
