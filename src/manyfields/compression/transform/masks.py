"""Which latents of planes are stored: masks of h x w bits, entropy coded below the bit above.

    | 1 byte: classes, 2 bits for each of 3 contexts | 2 bytes a class: frequency of 0, less 1 | words of the coder |

The contexts are a 0 above, a 1 above, and nothing above. `context_tables` codes row after row of the three planes.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from manyfields.compression.context_classes import BITS
from manyfields.compression.context_tables import ABSENT, ContextTables
from manyfields.errors import CollectionError

WHAT = "the mask of latents"
CONTEXTS = 3


def encode_masks(masks: Sequence[Bool[np.ndarray, "_ _"]]) -> bytes:
    side = tuple(max(mask.shape[axis] for mask in masks) for axis in (0, 1))
    planes = np.full((1, len(masks), *side), ABSENT, np.int64)
    for plane, mask in zip(planes[0], masks, strict=True):
        plane[: mask.shape[0], : mask.shape[1]] = mask
    tables = ContextTables.learn([planes], [2])
    classes = sum(int(chosen) << 2 * n for n, chosen in enumerate(tables.classes[0]))
    frequencies = (tables.frequencies[0][:, 0] - 1).astype("<u2")
    return bytes([classes]) + frequencies.tobytes() + tables.encode(planes)


def decode_masks(data: bytes, sizes: Sequence[tuple[int, int]], what: str = WHAT) -> list[Bool[np.ndarray, "_ _"]]:
    """Masks of `sizes` (h, w). Raises CollectionError, naming `what`, for bytes that `encode_masks` does not make."""
    start = 1 + 2 * CONTEXTS
    if len(data) < start:
        raise CollectionError(f"{what}: cut short, {len(data)} bytes have no tables")
    classes = np.array([data[0] >> 2 * n & 3 for n in range(CONTEXTS)])
    zeros = np.frombuffer(data[1:start], "<u2").astype(np.int64) + 1
    if (classes >= CONTEXTS).any() or data[0] >> 2 * CONTEXTS or (zeros >= 1 << BITS).any():
        raise CollectionError(f"{what}: its tables are damaged")
    tables = ContextTables((classes,), (np.stack([zeros, (1 << BITS) - zeros], 1),))
    there = np.zeros((len(sizes), *(max(size[axis] for size in sizes) for axis in (0, 1))), bool)
    for plane, (rows, columns) in zip(there, sizes, strict=True):
        plane[:rows, :columns] = True
    planes = tables.decode(data[start:], there, what)[0]
    return [plane[:rows, :columns] == 1 for plane, (rows, columns) in zip(planes, sizes, strict=True)]
