"""The ledger of the channel: what was sent by whom to whom, what was refused, what was noised."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

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


@dataclass(slots=True)
class Ledger:
    """Messages and floats by kind, sender, receiver: totals, and the rows since the last flush."""

    num_agents: int
    totals: dict[str, Int[np.ndarray, "2 N N"]] = field(default_factory=dict)  # messages, floats
    refused: dict[str, Int[np.ndarray, "N N"]] = field(default_factory=dict)  # by reason
    releases: Int[np.ndarray, " N"] = field(init=False)  # noisy distributions released, by agent
    _fresh: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)
    _fresh_refused: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.releases = np.zeros(self.num_agents, dtype=np.int64)

    def release(self, counts: Int[np.ndarray, " N"]) -> None:
        """Add noisy distributions that each agent released."""
        self.releases = self.releases + counts

    def record(self, update: int, kind: str, counts: Int[np.ndarray, "2 N N"]) -> None:
        """Add one exchange; `counts[0]` messages and `counts[1]` floats per (sender, receiver)."""
        shape = (2, self.num_agents, self.num_agents)
        self.totals.setdefault(kind, np.zeros(shape, dtype=np.int64))
        self.totals[kind] += counts
        self._fresh[update, kind] = self._fresh.get((update, kind), 0) + counts

    def refuse(self, update: int, reason: str, counts: Int[np.ndarray, "N N"]) -> None:
        """Add messages that a receiver did not take, per (sender, receiver)."""
        if counts.any():
            nothing = np.zeros((self.num_agents, self.num_agents), dtype=np.int64)
            self.refused[reason] = self.refused.get(reason, nothing) + counts
            self._fresh_refused[update, reason] = (
                self._fresh_refused.get((update, reason), nothing) + counts
            )

    def take_refusals(self) -> list[Refusal]:
        """What was refused since the last call, one entry per (update, reason, sender)."""
        found = [
            Refusal(update, reason, int(i), int(counts[i].sum()), int((counts[i] > 0).sum()))
            for (update, reason), counts in self._fresh_refused.items()
            for i in np.flatnonzero(counts.sum(axis=1))
        ]
        self._fresh_refused.clear()
        return found

    def take_rows(self) -> list[LedgerRow]:
        """Rows since the last call, one per (update, kind, sender, receiver) that met, in order."""
        rows = [
            LedgerRow(update, kind, int(i), int(j), int(counts[0, i, j]), int(counts[1, i, j]))
            for (update, kind), counts in self._fresh.items()
            for i, j in zip(*np.nonzero(counts[1]), strict=True)
        ]
        self._fresh.clear()
        return rows

    def num_bytes(self) -> int:
        """All bytes so far."""
        return sum(int(t[1].sum()) for t in self.totals.values()) * BYTES_PER_FLOAT

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
        """Continue from `state`."""
        arrays = {name: t.numpy().copy() for name, t in state.items()}
        self.releases = arrays.pop(RELEASES, np.zeros(self.num_agents, dtype=np.int64))
        self.totals = {k: a for k, a in arrays.items() if not k.startswith(REFUSED)}
        self.refused = {
            k.removeprefix(REFUSED): a for k, a in arrays.items() if k.startswith(REFUSED)
        }
        self._fresh.clear()
        self._fresh_refused.clear()
