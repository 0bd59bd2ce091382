"""A sum of private numbers, passed around a ring of agents under a mask; who counts is elsewhere.

    s₀ = mask + v₀,    sᵢ = sᵢ₋₁ + vᵢ,    total = s_N₋₁ - mask

The first agent draws the mask and keeps it; each passes its running sum on to the next, the last
one back to the first, which publishes the total. Any single message looks random to whoever gets it
without the mask. Two in a row do not: whoever receives both, or agents on either side of another
that put together what they know, find the number in between. Links have to be private.
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.random_streams import Stream, numpy_generator

MASK_RANGE = 1e9  # masks are uniform up to it, either side of 0; doubles keep 1e-7 beside it


def mask_generator(seed: int, *index: int) -> np.random.Generator:
    """Random numbers for the masks of an update, and of a trial in a pilot; each sum takes new."""
    return numpy_generator(seed, Stream.MASKS, *index)


def draw_mask(width: int, rng: np.random.Generator) -> Float[Tensor, " D"]:
    """One mask per number that is summed."""
    return torch.from_numpy(rng.uniform(-MASK_RANGE, MASK_RANGE, size=width))


def masked_running_sums(
    values: Float[Tensor, "N D"], mask: Float[Tensor, " D"]
) -> Float[Tensor, "N D"]:
    """What each agent sends to the next."""
    return mask.to(values.device) + values.detach().double().cumsum(dim=0)
