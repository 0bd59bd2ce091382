"""The steps of an update: K passes over what was stored, each in `num_minibatches` random parts."""

from collections.abc import Iterator
from typing import Literal, get_args

import torch
from jaxtyping import Int
from torch import Tensor

from ss_core.learning.learner import Learner
from ss_core.random_streams import Stream, numpy_generator

Purpose = Literal["policies", "suggestions", "regression"]

ALL = slice(None)  # of the rows: nothing is copied


def minibatches(
    learner: Learner, rows: int, update: int, purpose: Purpose
) -> Iterator[Int[Tensor, " b"] | slice]:
    """Rows of each step, drawn anew at every pass; with one minibatch all of them, in order.

    Parts differ by one row at most. Fewer rows than minibatches give as many parts as rows.
    """
    config = learner.config
    parts = min(config.num_minibatches, rows)
    if parts <= 1:
        yield from (ALL for _ in range(config.num_epochs))
        return
    which = get_args(Purpose).index(purpose)
    rng = numpy_generator(learner.seed, Stream.MINIBATCHES, update, which)
    for _ in range(config.num_epochs):
        order = torch.from_numpy(rng.permutation(rows)).to(learner.generator.device)
        yield from order.tensor_split(parts)
