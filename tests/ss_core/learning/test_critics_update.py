"""What networks see beside an observation: choices as one-hots, or as features of their own."""

from dataclasses import replace

import torch
from torch import Tensor

from ss_core.learning.critics_update import with_choices
from tests.support.small_learners import generator, sizes

AGENTS, ACTIONS, FEATURES, ROWS = 3, 4, 6, 5


def dense(rows: Tensor, features: int) -> Tensor:
    one_hot = torch.nn.functional.one_hot(rows.long() + 1, features + 1)[..., 1:]
    return one_hot.sum(dim=-2).float()


def test_choices_beside_sparse_rows_are_the_one_hots_beside_dense_ones() -> None:
    draw = generator()
    rows = torch.randint(-1, FEATURES, (ROWS, AGENTS, 2), generator=draw).to(torch.int16)
    rows = rows.sort(dim=-1, descending=True).values  # features first
    choices = torch.randint(0, ACTIONS, (ROWS, AGENTS, 2), generator=draw)
    spec = sizes(AGENTS, ACTIONS)
    sparse = replace(spec, num_features=FEATURES, observation_size=2, full_view=True)
    seen = with_choices(rows, choices, sparse)
    assert seen.dtype == torch.int16
    wide = sparse.with_inputs(2 * ACTIONS)
    plain = with_choices(dense(rows, FEATURES), choices, replace(spec, observation_size=FEATURES))
    assert torch.equal(dense(seen, wide.num_features), plain)
