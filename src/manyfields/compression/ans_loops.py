"""The loops of decoding by contexts. Plain Python as it stands; `ans` compiles the same source.

`coder` holds the state of the coder and how many words are left. A symbol is found in a row of running sums by the low
24 bits of the state, which then shrinks by the symbol's share and takes in a word when it falls below 2^32. Where words
run out, decoding goes on with the state alone, down to the 0 that encoding began with. Words that are cut short may end
so, too: they are the words of other symbols, which `Words.end` cannot tell and checksums do.
"""

import numpy as np

LOW = np.uint64((1 << 24) - 1)
PRECISION = np.uint64(24)
WORD = np.uint64(32)
LEAST = np.uint64(1 << 32)


def latents(words, coder, there, sums, classes, near_from, before_from, values):
    """Fill `values` (3, h + 1, w + 2, Z), zeros with a margin of 1 above and beside, where `there` (3, h, w) is set.

    `sums` (C, K + 1): running sums of frequencies; `classes` (Z, N, B): rows of it, by range of `near` and `before`.
    """
    state, left = coder[0], coder[1]
    planes, height, width = there.shape
    channels = values.shape[3]
    reach = (sums.shape[1] - 2) // 2
    for plane in range(planes):
        for row in range(height):
            for column in range(width):
                if not there[plane, row, column]:
                    continue
                before = 0
                for channel in range(channels):
                    before += abs(values[plane, row, column + 1, channel])
                for channel in range(channels):
                    near = (
                        2 * abs(values[plane, row + 1, column, channel])
                        + 2 * abs(values[plane, row, column + 1, channel])
                        + abs(values[plane, row, column, channel])
                        + abs(values[plane, row, column + 2, channel])
                    )
                    n = 0
                    while n < len(near_from) and near >= near_from[n]:
                        n += 1
                    b = 0
                    while b < len(before_from) and before >= before_from[b]:
                        b += 1
                    table = sums[classes[channel, n, b]]
                    low = state & LOW
                    symbol = reach  # most latents are small: out from 0
                    while table[symbol + 1] <= low:
                        symbol += 1
                    while table[symbol] > low:
                        symbol -= 1
                    state = (table[symbol + 1] - table[symbol]) * (state >> PRECISION) + low - table[symbol]
                    if state < LEAST and left > 0:
                        left -= np.uint64(1)
                        state = (state << WORD) | np.uint64(words[left])
                    values[plane, row + 1, column + 1, channel] = symbol - reach
                    before += 2 * abs(symbol - reach)
    coder[0], coder[1] = state, left


def hull(words, coder, zeros, cells):
    """Fill `cells` (G + 4, G + 4, G + 4), zeros with a margin of 2, in the order x, y, z.

    `zeros` (2^12): how often, of 2^24 times, a cell is 0 after each pattern, whose bits are in the order of
    `hull_contexts.NEIGHBOURS`. Along z two cells of this row and three of the rows beside it move on from bit to bit.
    """
    state, left = coder[0], coder[1]
    side = cells.shape[0] - 4
    one = LEAST >> np.uint64(8)
    for x in range(2, side + 2):
        for y in range(2, side + 2):
            own, before, behind = cells[x, y], cells[x, y - 1], cells[x - 1, y]
            second, corner, ahead, deep = cells[x, y - 2], cells[x - 1, y - 1], cells[x - 1, y + 1], cells[x - 2, y]
            for z in range(2, side + 2):
                pattern = (
                    own[z - 1]
                    | own[z - 2] << 1
                    | before[z - 1] << 2
                    | before[z] << 3
                    | before[z + 1] << 4
                    | second[z] << 5
                    | corner[z] << 6
                    | behind[z - 1] << 7
                    | behind[z] << 8
                    | behind[z + 1] << 9
                    | ahead[z] << 10
                    | deep[z] << 11
                )
                low, zero = state & LOW, zeros[pattern]
                if low < zero:
                    state = zero * (state >> PRECISION) + low
                else:
                    state = (one - zero) * (state >> PRECISION) + low - zero
                    own[z] = 1
                if state < LEAST and left > 0:
                    left -= np.uint64(1)
                    state = (state << WORD) | np.uint64(words[left])
    coder[0], coder[1] = state, left
