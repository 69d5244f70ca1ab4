"""One step of learned indices, compiled by numba for CPUs: the soft backward pass and Adam, corner by corner.

The twin of `LevelIndices._learn_plain`: the 2^b numbers of a corner are read, changed and written once, while they are
in first-level cache.
"""

import numpy as np
from numba import prange

from manyfields.compiled import kernel
from manyfields.rendering.exponentials import ONE, ZERO, exponential
from manyfields.simd import LANES, load, load_half, maximum, multiply_add, splat, store, store_half, total

ROWS_OF_A_JOB = 4096


@kernel(fastmath=True, parallel=True, error_model="numpy")
def learn_indices(
    rows, gradient, turned, price, entries, rate, slow, slower,
    logits, first, second, counts, indices, codebook_gradient,
):  # fmt: skip
    """One step on the logits of the corners `rows` (K), from the gradients (M, F) of what all corners show.

    The codebook (E, F) comes `turned` (F, P), P = E filled up to whole vectors; `price` (P) is added to the
    gradient of each entry's share: what an index costs. `slow` and `slower` are Adam's betas. Written: logits and first
    moments (M, P; float16 as int16), second moments and counts (M), indices (M), codebook_gradient (J, E, F) in parts,
    one for each ROWS_OF_A_JOB rows. Codebook rows learn from the corners that show them.

    A row has one second moment, of all its numbers, and its first moments are kept as shares of the root of that:
    gradients of logits are far too small for float16.
    """
    size = gradient.shape[1]
    padded = len(price)
    faint, fade = np.log(slow), np.log(slower)
    flat, tall, wide, weight = gradient.reshape(-1), turned.reshape(-1), logits.reshape(-1), first.reshape(-1)
    for job in prange(len(codebook_gradient)):
        shares, values = np.zeros(padded, np.float32), np.zeros(padded, np.float32)
        learned = codebook_gradient[job].reshape(-1)
        for number in range(job * ROWS_OF_A_JOB, min(len(rows), (job + 1) * ROWS_OF_A_JOB)):
            row = rows[number]
            place, given = row * padded, row * size
            top = load_half(wide, place)
            for block in range(LANES, padded, LANES):
                top = maximum(top, load_half(wide, place + block))
            store(values, 0, top)
            largest = values[0]
            for k in range(1, LANES):
                largest = max(largest, values[k])
            summed = splat(ZERO)
            for block in range(0, padded, LANES):
                raised = exponential(load_half(wide, place + block) - largest)
                store(shares, block, raised)
                summed = summed + raised
            whole = ONE / total(summed)
            mean = splat(ZERO)
            for block in range(0, padded, LANES):
                gain = load(price, block)
                for f in range(size):
                    gain = multiply_add(splat(flat[given + f]), load(tall, f * padded + block), gain)
                share = load(shares, block) * whole
                store(shares, block, share)
                store(values, block, gain)
                mean = multiply_add(share, gain, mean)
            middle = total(mean)
            squares = splat(ZERO)
            for block in range(0, padded, LANES):
                change = load(shares, block) * (load(values, block) - middle)
                store(values, block, change)
                squares = multiply_add(change, change, squares)
            before = np.sqrt(second[row])
            second[row] = slower * second[row] + (ONE - slower) * total(squares) / np.float32(entries)
            spread = np.sqrt(second[row])
            if spread == ZERO:
                continue
            counts[row] += 1
            count = np.float32(counts[row])
            # Powers as exponentials: LLVM would call for whole powers what numba does not have.
            step = rate * np.sqrt(ONE - np.exp(count * fade)) / (ONE - np.exp(count * faint))
            kept, fresh = slow * before / spread, (ONE - slow) / spread
            for block in range(0, padded, LANES):
                moved = load_half(weight, place + block) * kept + load(values, block) * fresh
                store_half(weight, place + block, moved)
                store_half(wide, place + block, load_half(wide, place + block) - moved * step)
                store(values, block, load_half(wide, place + block))
            shown = indices[row]
            for f in range(size):
                learned[shown * size + f] += flat[given + f]
            best = 0
            for k in range(1, entries):
                if values[k] > values[best]:
                    best = k
            indices[row] = best
