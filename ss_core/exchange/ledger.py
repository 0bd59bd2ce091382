"""The ledger of the channel: what was sent by whom to whom, what was refused, what was noised.

Nothing here grows with the square of the agents: pairs are listed as far as they met since the last
flush, and totals are by sender.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ss_core.errors import CorruptError

BYTES_PER_FLOAT = 4
RELEASES = "releases"  # in a checkpoint
REFUSED = "refused/"  # before the reason, in a checkpoint


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What one agent sent another under one kind at one update."""

    update: int
    kind: str
    sender: int
    receiver: int
    num_messages: int
    num_floats: int

    @property
    def num_bytes(self) -> int:
        """Payload size as float32."""
        return self.num_floats * BYTES_PER_FLOAT


@dataclass(frozen=True, slots=True)
class Refusal:
    """Messages of one sender that were not taken at one update."""

    update: int
    reason: str
    sender: int
    num_messages: int
    num_receivers: int


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Counts of the pairs that met, in the order of (sender, receiver); each pair is there once."""

    keys: Int[np.ndarray, " K"]  # sender * number of agents + receiver, ascending
    counts: Int[np.ndarray, "C K"]

    def plus(self, other: "PairCounts") -> "PairCounts":
        """Both together; a single addition where the same pairs met again."""
        if np.array_equal(self.keys, other.keys):
            return PairCounts(self.keys, self.counts + other.counts)
        keys = np.concatenate([self.keys, other.keys])
        return summed_by_pair(keys, np.concatenate([self.counts, other.counts], axis=1))


def summed_by_pair(keys: Int[np.ndarray, " K"], counts: Int[np.ndarray, "C K"]) -> PairCounts:
    """Counts by pair, from entries in any order; entries of the same pair add up."""
    if bool((keys[1:] > keys[:-1]).all()):
        return PairCounts(keys, counts)
    pairs, place = np.unique(keys, return_inverse=True)
    return PairCounts(pairs, np.stack([_summed_at(place, row, len(pairs)) for row in counts]))


def _summed_at(
    place: Int[np.ndarray, " K"], values: Int[np.ndarray, " K"], length: int
) -> Int[np.ndarray, " L"]:
    sums = np.zeros(length, dtype=np.int64)
    np.add.at(sums, place, values)
    return sums


@dataclass(slots=True)
class Ledger:
    """Messages and floats by kind: totals by sender, and by pair the rows since the last flush."""

    num_agents: int
    totals: dict[str, Int[np.ndarray, "2 N"]] = field(default_factory=dict)  # messages, floats
    refused: dict[str, Int[np.ndarray, " N"]] = field(default_factory=dict)  # messages by reason
    releases: Int[np.ndarray, " N"] = field(init=False)  # noisy distributions released, by agent
    _fresh: dict[tuple[int, str], PairCounts] = field(default_factory=dict)
    _fresh_refused: dict[tuple[int, str], PairCounts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.releases = np.zeros(self.num_agents, dtype=np.int64)

    def release(self, counts: Int[np.ndarray, " N"]) -> None:
        """Add noisy distributions that each agent released."""
        self.releases = self.releases + counts

    def record(
        self,
        update: int,
        kind: str,
        sender: Int[np.ndarray, " K"],
        receiver: Int[np.ndarray, " K"],
        *,
        messages: Int[np.ndarray, " K"],
        floats: Int[np.ndarray, " K"],
    ) -> None:
        """Add one exchange: what `sender[k]` sent `receiver[k]`."""
        n = self.num_agents
        sent = np.stack([_summed_at(sender, messages, n), _summed_at(sender, floats, n)])
        self.totals[kind] = self.totals[kind] + sent if kind in self.totals else sent
        met = summed_by_pair(sender * n + receiver, np.stack([messages, floats]))
        _add(self._fresh, (update, kind), met)

    def refuse(
        self,
        update: int,
        reason: str,
        sender: Int[np.ndarray, " K"],
        receiver: Int[np.ndarray, " K"],
        messages: Int[np.ndarray, " K"],
    ) -> None:
        """Add messages of `sender[k]` that `receiver[k]` did not take."""
        some = messages > 0
        if not some.any():
            return
        sender, receiver, messages = sender[some], receiver[some], messages[some]
        counts = _summed_at(sender, messages, self.num_agents)
        self.refused[reason] = self.refused[reason] + counts if reason in self.refused else counts
        met = summed_by_pair(sender * self.num_agents + receiver, messages[None])
        _add(self._fresh_refused, (update, reason), met)

    def take_refusals(self) -> list[Refusal]:
        """What was refused since the last call, one entry per (update, reason, sender)."""
        found = []
        for (update, reason), met in self._fresh_refused.items():
            sender = met.keys // self.num_agents
            messages = _summed_at(sender, met.counts[0], self.num_agents)
            receivers = np.bincount(sender, minlength=self.num_agents)
            found += [
                Refusal(update, reason, int(i), int(messages[i]), int(receivers[i]))
                for i in np.flatnonzero(messages)
            ]
        self._fresh_refused.clear()
        return found

    def take_rows(self) -> list[LedgerRow]:
        """Rows since the last call, one per (update, kind, sender, receiver) that met, in order."""
        rows = []
        for (update, kind), met in self._fresh.items():
            sent = met.counts[1] != 0
            pairs = np.divmod(met.keys[sent], self.num_agents)
            columns = (column.tolist() for column in (*pairs, *met.counts[:, sent]))
            rows += [LedgerRow(update, kind, *row) for row in zip(*columns, strict=True)]
        self._fresh.clear()
        return rows

    def num_messages_refused(self) -> int:
        """All messages so far that were not taken."""
        return sum(int(counts.sum()) for counts in self.refused.values())

    def num_bytes(self) -> int:
        """All bytes so far."""
        return sum(self.bytes_by_kind().values())

    def bytes_by_kind(self) -> dict[str, int]:
        """Bytes so far per kind of message."""
        return {kind: int(t[1].sum()) * BYTES_PER_FLOAT for kind, t in sorted(self.totals.items())}

    def state(self) -> dict[str, Tensor]:
        """Totals for a checkpoint; fresh rows must have been taken before."""
        sent = {kind: torch.from_numpy(t.copy()) for kind, t in sorted(self.totals.items())}
        refused = {f"{REFUSED}{why}": torch.from_numpy(t.copy()) for why, t in self.refused.items()}
        noisy = {RELEASES: torch.from_numpy(self.releases.copy())} if self.releases.any() else {}
        return sent | dict(sorted(refused.items())) | noisy

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state`.

        Raises:
            CorruptError: it is not that of as many agents, or holds tables of pairs.
        """
        n = self.num_agents
        for name, t in state.items():
            one_per_sender = name == RELEASES or name.startswith(REFUSED)
            shape = (n,) if one_per_sender else (2, n)
            if tuple(t.shape) != shape:
                raise CorruptError(f"ledger/{name}: of shape {tuple(t.shape)}, expected {shape}")
        arrays = {name: t.numpy().copy() for name, t in state.items()}
        self.releases = arrays.pop(RELEASES, np.zeros(n, dtype=np.int64))
        self.totals = {k: a for k, a in arrays.items() if not k.startswith(REFUSED)}
        self.refused = {
            k.removeprefix(REFUSED): a for k, a in arrays.items() if k.startswith(REFUSED)
        }
        self._fresh.clear()
        self._fresh_refused.clear()


def _add(
    fresh: dict[tuple[int, str], PairCounts], key: tuple[int, str], counted: PairCounts
) -> None:
    fresh[key] = fresh[key].plus(counted) if key in fresh else counted
