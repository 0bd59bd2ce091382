"""Pictures: a few convolutions in front of a stack of perceptrons, one set for each network.

Each is 3×3 with stride 2 and a ReLU, until both sides have at most `SMALLEST` pixels; what is left
is flattened, and the entries of an observation behind its picture follow.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.env import Picture

KERNEL, STRIDE, PADDING = 3, 2, 1
FIRST_CHANNELS, MORE_CHANNELS = 16, 32
SMALLEST = 8
PREFIX = "conv"

Params = dict[str, Tensor]


def init_convolutions(
    stack: tuple[int, ...], picture: Picture, generator: torch.Generator
) -> tuple[Params, int]:
    """Weights `conv0_w [*stack, out, in, 3, 3]`, `conv0_b [*stack, out]`, …; and how many features.

    Uniform within 1/sqrt(fan in), as torch's Conv2d.
    """
    params: Params = {}
    channels, rows, columns = picture.channels, picture.rows, picture.columns
    layer = 0
    while layer == 0 or max(rows, columns) > SMALLEST:
        out = MORE_CHANNELS if layer else FIRST_CHANNELS
        bound = (channels * KERNEL**2) ** -0.5
        for name, shape in (("w", (out, channels, KERNEL, KERNEL)), ("b", (out,))):
            drawn = torch.rand((*stack, *shape), generator=generator, device=generator.device)
            params[f"{PREFIX}{layer}_{name}"] = ((2.0 * drawn - 1.0) * bound).requires_grad_()
        channels, rows, columns = out, _halved(rows), _halved(columns)
        layer += 1
    return params, channels * rows * columns


def _halved(pixels: int) -> int:
    return (pixels + 2 * PADDING - KERNEL) // STRIDE + 1


def is_convolution(name: str) -> bool:
    """Whether a parameter belongs to a convolution."""
    return name.startswith(PREFIX)


def without_convolutions(params: Params) -> Params:
    """The perceptrons behind."""
    return {name: w for name, w in params.items() if not is_convolution(name)}


def picture_features(
    params: Params, x: Float[Tensor, "S B I"], picture: Picture
) -> Float[Tensor, "S B F"]:
    """What the perceptrons look at: features of the picture, then the entries behind it."""
    nets, pixels, behind = len(x), x[..., : picture.size], x[..., picture.size :]
    if picture.channels_last:
        shape = (picture.rows, picture.columns, picture.channels)
        maps = pixels.unflatten(-1, shape).permute(1, 0, 4, 2, 3)
    else:
        shape = (picture.channels, picture.rows, picture.columns)
        maps = pixels.unflatten(-1, shape).transpose(0, 1)
    maps = maps.flatten(1, 2)
    for layer in range(sum(map(is_convolution, params)) // 2):
        weight, bias = (params[f"{PREFIX}{layer}_{name}"].flatten(0, 1) for name in "wb")
        maps = torch.conv2d(maps, weight, bias, stride=STRIDE, padding=PADDING, groups=nets).relu()
    features = maps.unflatten(1, (nets, -1)).flatten(2).transpose(0, 1)
    return torch.cat([features, behind], dim=-1)
