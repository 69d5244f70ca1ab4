"""Textures at the sharpness that a picture can show.

Mipmaps mix the charts of an atlas, which lie side by side there and far apart on the object, and the colour around
them. So there are none: a texture is made as small as the picture's samples ask for, once for each surface, after what
lies outside the charts (and what is all transparent) has been filled with the colours next to it.
"""

from __future__ import annotations

import numpy as np

LARGEST = 4096
_FEWEST_VIEWED = 0.25  # texels suit the quarter of the area where they are largest
_LEAST_SHARE = 0.02  # of the area, for which a texture of another size is worth it
_SQUARES = (4, 8, 16, 32, 64)  # triangles are drawn in squares of texels, large ones in several of the largest
_AT_ONCE = 1 << 20  # texels looked at together
_OVERDRAWN = 32  # textures that are used that often over are taken as used everywhere


def texels_a_sample(
    vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, size: tuple[int, int], density: float
) -> tuple[np.ndarray, np.ndarray]:
    """Of each face [F]: the texels of a (height, width) texture along a sample (0: it shows one alone), and its area.

    `density` is the number of samples along a unit of the world.
    """
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    (ua, va), (ub, vb), (uc, vc) = (uv[faces[:, i]].T for i in range(3))
    texels = np.abs((ub - ua) * (vc - va) - (uc - ua) * (vb - va)) * size[0] * size[1]
    return np.sqrt(np.divide(texels, area, out=np.zeros_like(area), where=area > 0)) / density, area


def by_sharpness(
    vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, size: tuple[int, int], density: float
) -> list[np.ndarray]:
    """Faces in groups that a texture can be halved equally often for; those that show little go with the next sharper.

    An atlas may hold a photograph and, for all else, a palette whose colours are one texel each.
    """
    along, area = texels_a_sample(vertices, faces, uv, size, density)
    times = np.floor(np.log2(np.maximum(along, 1))).astype(np.int64)
    for level in range(times.max(initial=0), 0, -1):
        if area[times == level].sum() < _LEAST_SHARE * area.sum():
            times[times == level] = level - 1
    return [np.flatnonzero(times == level) for level in np.unique(times)]


def reductions(vertices: np.ndarray, faces: np.ndarray, uv: np.ndarray, size: tuple[int, int], density: float) -> int:
    """How often a texture of (height, width) can be halved and still have a texel for each sample on most faces."""
    least = max(0, int(np.ceil(np.log2(max(size) / LARGEST))))
    along, area = texels_a_sample(vertices, faces, uv, size, density)
    order = np.argsort(along)
    share = np.cumsum(area[order])
    if not len(share) or not share[-1] > 0:
        return least
    typical = along[order][np.searchsorted(share, _FEWEST_VIEWED * share[-1])]
    return max(least, int(np.floor(np.log2(max(typical, 1.0)))))


def reduced(pixels: np.ndarray, times: int, covered: np.ndarray | None = None) -> np.ndarray:
    """`pixels` uint8 [H, W, C] halved `times` times, colours of texels that are not `covered` [H, W] left out."""
    used = np.ones(pixels.shape[:2], dtype=bool) if covered is None else covered
    if pixels.shape[-1] == 4:
        used = used & (pixels[..., 3] > 0)
    if used.any() and not used.all():
        pixels = filled(pixels, used)
    if times:
        pixels = np.rint(_halved(pixels.astype(np.float32), times)).astype(np.uint8)
    return pixels


def _halved(values: np.ndarray, times: int) -> np.ndarray:
    for _ in range(times):
        if min(values.shape[:2]) < 2:
            break
        height, width = (side // 2 for side in values.shape[:2])
        if values.shape[0] % 2 or values.shape[1] % 2:
            values = _resampled(_resampled(values, 2 * height).swapaxes(0, 1), 2 * width).swapaxes(0, 1)
        weights = values[..., 3:] if values.shape[-1] == 4 else None
        color = values if weights is None else np.concatenate([values[..., :3] * weights, weights], axis=-1)
        color = color.reshape(height, 2, width, 2, -1).mean((1, 3))
        if weights is not None:
            bare = values[..., :3].reshape(height, 2, width, 2, -1).mean((1, 3))
            alpha = color[..., 3:]
            mixed = np.divide(color[..., :3], alpha, out=bare, where=alpha > 0)
            color = np.concatenate([mixed, alpha], axis=-1)
        values = color
    return values


def _resampled(values: np.ndarray, rows: int) -> np.ndarray:
    """Another number of rows, by linear interpolation."""
    place = (np.arange(rows) + 0.5) * len(values) / rows - 0.5
    below = np.clip(np.floor(place).astype(int), 0, len(values) - 2)
    share = np.clip(place - below, 0, 1)[:, None, None].astype(np.float32)
    return values[below] * (1 - share) + values[below + 1] * share


def filled(pixels: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Give texels that are not `used` [H, W] the colour of those next to them; their alpha stays. At least one is used.

    Averages of ever larger squares (push-pull, Gortler and others 1996).
    """
    colors, weight = pixels[..., :3].astype(np.float32) * used[..., None], used.astype(np.float32)[..., None]
    levels = [(colors, weight)]
    while max(levels[-1][0].shape[:2]) > 1:
        colors, weight = (_summed(values) for values in levels[-1])
        total = np.maximum(weight, 1e-12)
        levels.append((colors / total * (weight > 0), (weight > 0).astype(np.float32)))
    below = levels[-1][0]
    for colors, weight in reversed(levels[:-1]):
        below = below.repeat(2, axis=0).repeat(2, axis=1)[: colors.shape[0], : colors.shape[1]]
        below = np.where(weight > 0, colors, below)
    result = pixels.copy()
    result[..., :3] = np.rint(below)
    return result


def _summed(values: np.ndarray) -> np.ndarray:
    """Sums over 2x2 texels, of which those at odd borders have fewer."""
    values = np.pad(values, ((0, values.shape[0] % 2), (0, values.shape[1] % 2), (0, 0)))
    return values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]


def coverage(uv: np.ndarray, faces: np.ndarray, size: tuple[int, int]) -> np.ndarray | None:
    """Texels bool [H, W] that triangles use, v down; None where texture coordinates leave the texture and repeat it.

    Texels that a border passes through count where their middle is inside: their colour is mostly that of the inside.
    The one in the middle of a triangle counts always, so that the smallest have a colour, too.
    """
    height, width = size
    if not np.isfinite(uv).all() or uv.min() < -1e-3 or uv.max() > 1 + 1e-3:
        return None
    corners = np.unique(uv[faces].reshape(-1, 6), axis=0).reshape(-1, 3, 2) * [width, height] - 0.5
    low = np.floor(corners.min(1)).astype(np.int64)
    extent = np.ceil(corners.max(1)).astype(np.int64) - low + 1
    if extent.prod(1).sum() > _OVERDRAWN * width * height:
        return None
    found = np.zeros((height, width), dtype=bool)
    column, row = np.clip(np.rint(corners.mean(1)).astype(np.int64), 0, [width - 1, height - 1]).T
    found[row, column] = True
    done, largest = 0, _SQUARES[-1]
    for side in _SQUARES:
        span = extent.max(1)
        chosen = np.flatnonzero((span > done) & ((span <= side) | (side == largest)))
        done = side
        tiles = -(-extent[chosen] // side)
        which = np.repeat(chosen, tiles.prod(1))
        number = np.arange(len(which)) - np.repeat(np.cumsum(tiles.prod(1)) - tiles.prod(1), tiles.prod(1))
        across = np.repeat(tiles[:, 0], tiles.prod(1))
        origin = low[which] + side * np.stack([number % across, number // across], axis=1)
        step = _AT_ONCE // side**2
        for start in range(0, len(which), step):
            _draw(found, corners[which[start : start + step]], origin[start : start + step], side)
    return found


def _draw(found: np.ndarray, corners: np.ndarray, low: np.ndarray, side: int) -> None:
    """Mark the texels of squares [low, low + side) whose middle lies in the triangle, [T, 3, 2]."""
    x = low[:, 0, None] + np.arange(side)  # [T, side]
    y = low[:, 1, None] + np.arange(side)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    turn = np.sign(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    inside = np.ones((len(corners), side, side), dtype=bool)
    for i in range(3):
        start, along = corners[:, i], corners[:, (i + 1) % 3] - corners[:, i]
        reach = 1e-3 * (np.abs(along[:, 0]) + np.abs(along[:, 1]))
        across = (
            along[:, 0, None, None] * (y - start[:, 1, None])[:, :, None]
            - along[:, 1, None, None] * (x - start[:, 0, None])[:, None, :]
        )
        inside &= across * turn[:, None, None] >= -reach[:, None, None]
    which, row, column = np.nonzero(inside)
    rows, columns = y[which, row], x[which, column]
    kept = (rows >= 0) & (rows < found.shape[0]) & (columns >= 0) & (columns < found.shape[1])
    found[rows[kept], columns[kept]] = True
