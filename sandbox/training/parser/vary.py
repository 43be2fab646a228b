"""Looks as anybody else might have drawn or taken them: other cloth, bodies, places and cameras.

A parser that sees only the drawn world's brush knows garments by its strokes. Random textures and
shapes leave nothing to know them by but where they are on a person and how they lie to each other
(domain randomisation: Tobin et al. 2017; textures against shape: Geirhos et al. 2019; random
convolutions: Xu et al. 2021).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from sandbox.world import LABELS

SIDE = 192
"""Side of the parser's input, in pixels."""
STRIDE = 4
"""Pixels of the input along one side of a label."""

_BACKGROUND, _SKIN = LABELS.index("background"), LABELS.index("skin")
_TEXTURES = 32


def vary(pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Other pictures of the same people.

    ``pictures``: uint8, shape (n, height, width, 3); ``labels``: uint8, shape (n, height / 4,
    width / 4). Returns float pictures of 0 to 1, shape (n, 3, SIDE, SIDE), and int64 labels, shape
    (n, SIDE / STRIDE, SIDE / STRIDE).
    """
    seen = functional.interpolate(
        pictures.permute(0, 3, 1, 2).float() / 255, scale_factor=0.75, mode="bilinear"
    )
    fine = labels.repeat_interleave(3, 1).repeat_interleave(3, 2).long()
    textures = _textures(_TEXTURES, seen.shape[2:])
    seen = _other_cloth(seen, fine, textures)
    around = _textures(len(seen), (SIDE, SIDE))
    image, label = _framed(seen, labels, around, _frames(len(seen)))
    second, second_label = _framed(
        seen.roll(1, 0), labels.roll(1, 0), around, _frames(len(seen), beside=True)
    )
    image, label = _with_second(image, label, second, second_label)
    image, label = _hidden(image, label)
    return _photographed(image), label


def plain(pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The pictures as they are, otherwise like :func:`vary`."""
    seen = pictures.permute(0, 3, 1, 2).float() / 255
    image = functional.interpolate(seen, (SIDE, SIDE), mode="bilinear", antialias=True)
    side = SIDE // STRIDE
    small = functional.interpolate(labels[:, None].float(), (side, side), mode="nearest")
    return image, small[:, 0].long()


def _uniform(n: int, low: float, high: float, *more: int) -> Tensor:
    return torch.rand(n, *(more or (1, 1, 1))) * (high - low) + low


def _chance(n: int, share: float) -> Tensor:
    return torch.rand(n, 1, 1, 1) < share


def _noise(n: int, size: tuple[int, int], channels: int, cells: int) -> Tensor:
    coarse = torch.randn(n, channels, cells, cells)
    return functional.interpolate(coarse, size, mode="bicubic")


def _textures(n: int, size: tuple[int, int] | torch.Size) -> Tensor:
    """Cloth, walls and anything else, shape (n, 3, *size): two colours and what divides them."""
    height, width = size
    ys = torch.linspace(0, 1, height)[:, None]
    xs = torch.linspace(0, width / height, width)[None, :]
    angle, frequency = _uniform(n, 0, math.pi), torch.exp(_uniform(n, 1.5, 5.0))
    along = frequency * (xs * torch.cos(angle) + ys * torch.sin(angle))
    across = frequency * (ys * torch.cos(angle) - xs * torch.sin(angle))
    sharpness = torch.exp(_uniform(n, 0.0, 3.0))
    stripes = torch.sigmoid(sharpness * torch.sin(along + _uniform(n, 0, 6.3)))
    checks = torch.sigmoid(sharpness * torch.sin(along) * torch.sin(across))
    dots = torch.sigmoid(sharpness * (torch.sin(along) + torch.sin(across) - 1))
    clouds = torch.sigmoid(sharpness * _noise(n, (height, width), 1, int(torch.randint(2, 20, ()))))
    flat = torch.zeros(n, 1, height, width)
    kinds = torch.stack([stripes, checks, dots, clouds, flat, flat])
    share = kinds[torch.randint(len(kinds), (n,)), torch.arange(n)]
    one, other = torch.rand(n, 3, 1, 1), torch.rand(n, 3, 1, 1)
    mixed = one + (other - one) * share * _uniform(n, 0.2, 1.0)
    shade = 1 + 0.15 * _noise(n, (height, width), 1, 4) * _uniform(n, 0, 1)
    return (mixed * shade).clamp(0, 1)


def _other_cloth(seen: Tensor, labels: Tensor, textures: Tensor) -> Tensor:
    """Other textures for some of the garments and places of two thirds of the pictures."""
    n = len(seen)
    shares = torch.full((n, len(LABELS)), 0.7)
    shares[:, _SKIN], shares[:, _BACKGROUND] = 0.25, 0.6
    shares *= (torch.rand(n, 1) < 2 / 3).float()
    strength = torch.where(torch.rand(n, len(LABELS)) < shares, _uniform(n, 0.6, 1.0, 1), 0.0)
    chosen = torch.randint(len(textures), (n, len(LABELS)))
    rows, columns = torch.meshgrid(
        torch.arange(seen.shape[2]), torch.arange(seen.shape[3]), indexing="ij"
    )
    number = torch.arange(n)[:, None, None]
    cloth = textures[chosen[number, labels], :, rows, columns].permute(0, 3, 1, 2)
    coarse = functional.interpolate(seen, scale_factor=1 / 16, mode="bilinear", antialias=True)
    relief = seen - functional.interpolate(coarse, seen.shape[2:], mode="bilinear")
    cloth = (cloth + relief * _uniform(n, 0, 1.2)).clamp(0, 1)
    alpha = strength[number, labels][:, None]
    return seen + (cloth - seen) * alpha


def _frames(n: int, beside: bool = False) -> Tensor:
    """Sampling grids, shape (n, SIDE, SIDE, 2): where in the look each pixel of the input lies.

    Three fifths show the look as it is or closer; the others from farther away. The input is a
    square; what it shows is not.
    """
    aspect = torch.exp(_uniform(n, math.log(0.5), math.log(1.7)))
    near, close = _uniform(n, 0.85, 1.2), _uniform(n, 1.2, 2.2)
    scale = torch.where(_chance(n, 0.35), _uniform(n, 0.3, 0.85), near)
    scale = torch.where(_chance(n, 0.12), close, scale)
    aspect = torch.where((scale > 0.85) & _chance(n, 0.7), _uniform(n, 0.6, 0.8), aspect)
    wide = scale * (2 / 3) / aspect
    room_x, room_y = (1 - wide).abs(), (1 - scale).abs()
    x = _uniform(n, -1, 1) * room_x
    y = _uniform(n, -1, 1) * room_y
    if beside:
        side = torch.where(_chance(n, 0.5), 1.0, -1.0)
        x = side * _uniform(n, 0.45, 1.0) * torch.clamp(wide, 0.5, 1.2)
    wide = torch.where(_chance(n, 0.5), wide, -wide)
    line = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    v, u = torch.meshgrid(line, line, indexing="ij")
    turn = torch.where(_chance(n, 0.3), _uniform(n, -0.15, 0.15), 0.0)[:, 0]
    dx, dy = u - x[:, 0], v - y[:, 0]
    grid = torch.stack(
        [(dx + turn * dy) / wide[:, 0], (dy - turn * dx) / scale[:, 0]],
        -1,
    )
    bend = _noise(n, (SIDE, SIDE), 2, int(torch.randint(3, 7, ()))).permute(0, 2, 3, 1)
    strength = torch.where(_chance(n, 0.6), _uniform(n, 0.0, 0.06), 0.0)
    return grid + bend * strength


def _framed(seen: Tensor, labels: Tensor, around: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """The looks in their frames, on more of their own edges or in other places."""
    n = len(seen)
    image = functional.grid_sample(seen, grid, padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(-1)[:, None]
    image = torch.where(inside | _chance(n, 0.5), image, around)
    cells = functional.avg_pool2d(grid.permute(0, 3, 1, 2), STRIDE).permute(0, 2, 3, 1)
    label = functional.grid_sample(
        labels[:, None].float(), cells, mode="nearest", padding_mode="zeros", align_corners=False
    )
    return image, label[:, 0].long()


def _with_second(
    image: Tensor, label: Tensor, second: Tensor, second_label: Tensor
) -> tuple[Tensor, Tensor]:
    """A fifth of the pictures shows two people, mostly the second one behind the first."""
    n = len(image)
    shown = _chance(n, 0.2)
    in_front = _chance(n, 0.3)
    free = (label == _BACKGROUND)[:, None] | in_front
    put = (second_label != _BACKGROUND)[:, None] & free & shown
    fine = functional.interpolate(put.float(), (SIDE, SIDE), mode="bilinear")
    return image + (second - image) * fine, torch.where(put[:, 0], second_label, label)


def _hidden(image: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """A rectangle covers some of an eighth of the pictures."""
    n, side = len(image), SIDE // STRIDE
    centre, half = _uniform(n, 0.1, 0.9, 2), _uniform(n, 0.05, 0.25, 2)
    line = (torch.arange(side) + 0.5) / side
    inside = (line[None, None] - centre[..., None]).abs() < half[..., None]
    hidden = inside[:, 0, :, None] & inside[:, 1, None, :] & _chance(n, 0.125)[:, 0]
    fine = hidden[:, None].repeat_interleave(STRIDE, 2).repeat_interleave(STRIDE, 3)
    return torch.where(fine, torch.rand(n, 3, 1, 1), image), torch.where(hidden, 0, label)


def _photographed(image: Tensor) -> Tensor:
    """In other light, through other lenses, by other pens."""
    n = len(image)
    kernel = torch.randn(n, 3, 3, 3, 3) * 0.15
    kernel[:, torch.arange(3), torch.arange(3), 1, 1] += 0.7
    drawn = functional.conv2d(
        image.reshape(1, n * 3, SIDE, SIDE), kernel.reshape(n * 3, 3, 3, 3), padding=1, groups=n
    ).reshape(image.shape)
    image = torch.where(_chance(n, 0.25), drawn.clamp(0, 1), image)
    slope = (image - image.roll((1, 1), (2, 3))).abs().mean(1, keepdim=True)
    lines = (1 - slope * _uniform(n, 1, 5)).clamp(0.1, 1)
    image = torch.where(_chance(n, 0.2), image * lines, image)
    small = int(torch.randint(56, 160, ()))
    soft = functional.interpolate(image, (small, small), mode="bilinear", antialias=True)
    soft = functional.interpolate(soft, (SIDE, SIDE), mode="bilinear")
    image = torch.where(_chance(n, 0.3), soft, image)
    grey = image.mean(1, keepdim=True)
    image = grey + (image - grey) * torch.where(_chance(n, 0.5), _uniform(n, 0.2, 1.6), 1.0)
    light = torch.exp(_uniform(n, math.log(0.45), math.log(1.4)))
    cast = 1 + 0.2 * (torch.rand(n, 3, 1, 1) * 2 - 1)
    image = torch.where(_chance(n, 0.5), image * light * cast, image)
    middle = image.mean((1, 2, 3), keepdim=True)
    image = middle + (image - middle) * torch.where(_chance(n, 0.4), _uniform(n, 0.5, 1.4), 1.0)
    grain = torch.randn_like(image) * _uniform(n, 0.01, 0.09)
    image = torch.where(_chance(n, 0.35), image + grain, image)
    return image.clamp(0, 1)
