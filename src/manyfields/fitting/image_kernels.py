"""What reading an object's views spends its time on, compiled by numba for CPUs: twins of plain forms."""

import numpy as np
from numba import prange

from manyfields.compiled import kernel

REACH = 2  # pixels by which silhouettes grow


@kernel(parallel=True)
def contrast(images, found):
    """Largest range (0 to 255) of a channel among a pixel's neighbours: images (V, 3, H, W) to `found` (V, H, W)."""
    views, channels, height, width = images.shape
    for view in prange(views):
        low, high = np.empty(width, np.uint8), np.empty(width, np.uint8)
        for row in range(height):
            top, bottom = max(row - 1, 0), min(row + 1, height - 1)
            for channel in range(channels):
                image = images[view, channel]
                for column in range(width):
                    a, b, c = image[top, column], image[row, column], image[bottom, column]
                    low[column], high[column] = min(min(a, b), c), max(max(a, b), c)
                for column in range(width):
                    left, right = max(column - 1, 0), min(column + 1, width - 1)
                    least = min(min(low[left], low[column]), low[right])
                    most = max(max(high[left], high[column]), high[right])
                    found[view, row, column] = max(found[view, row, column], most - least)


@kernel(parallel=True)
def grow(alpha, least, found):
    """1 in `found` (V, H, W) within REACH pixels (a square) of alpha >= least."""
    views, height, width = alpha.shape
    for view in prange(views):
        wide = np.zeros((height, width), np.uint8)
        for row in range(height):
            for column in range(width):
                if alpha[view, row, column] >= least:
                    wide[row, max(column - REACH, 0) : column + REACH + 1] = 1
        for row in range(height):
            for near in range(max(row - REACH, 0), min(row + REACH + 1, height)):
                for column in range(width):
                    found[view, row, column] |= wide[near, column]


@kernel(parallel=True)
def carve(masks, world_to_camera, focal, center, low, size, hull):
    """Write 0 to the cells of `hull` (G, G, G) whose centres some view sees outside its mask.

    masks (V, H, W); world_to_camera (V, 3, 4); focal and center (V, 2); cells begin at `low` (3) and are `size` (3).
    """
    side = hull.shape[0]
    views, height, width = masks.shape
    for column in prange(side * side):
        i, j = column // side, column % side
        x, y = low[0] + (i + 0.5) * size[0], low[1] + (j + 0.5) * size[1]
        for k in range(side):
            z = low[2] + (k + 0.5) * size[2]
            for view in range(views):
                m = world_to_camera[view]
                depth = -(m[2, 0] * x + m[2, 1] * y + m[2, 2] * z + m[2, 3])
                if depth <= 0:
                    continue
                across = (m[0, 0] * x + m[0, 1] * y + m[0, 2] * z + m[0, 3]) / depth
                down = -(m[1, 0] * x + m[1, 1] * y + m[1, 2] * z + m[1, 3]) / depth
                u, v = across * focal[view, 0] + center[view, 0], down * focal[view, 1] + center[view, 1]
                if 0 <= u < width and 0 <= v < height and not masks[view, int(v), int(u)]:
                    hull[i, j, k] = 0
                    break
