import pytest
import torch

from manyfields.compression.bits import packed_bytes
from manyfields.errors import CollectionError
from manyfields.families.octree.baselines.quantisers import KMeans, LowRank, Uncompressed, through

GENERATOR = torch.Generator().manual_seed(0)
MIX = torch.randn(16, 16, generator=GENERATOR) * torch.logspace(0, -2, 16)[:, None]
LEVELS = [torch.randn(count, 16, generator=GENERATOR) @ MIX + 0.3 for count in (300, 1500)]
ALL = [Uncompressed(), LowRank(4), LowRank(16), KMeans((4,)), KMeans((6,)), KMeans((4, 3)), KMeans((3,), groups=4)]


@pytest.mark.parametrize("quantiser", ALL, ids=str)
def test_quality_is_that_of_the_bytes(quantiser):
    decoded, data = through(quantiser, LEVELS)
    for before, after, some in zip(LEVELS, decoded, data, strict=True):
        assert after.shape == before.shape and after.dtype == torch.float32
        assert torch.equal(after, quantiser.decode(some, *before.shape))
        assert float((after - before).square().mean()) < 0.8 * float(before.var(0).mean())


def test_sizes():
    def sizes(quantiser):
        return [len(some) for some in through(quantiser, LEVELS)[1]]

    assert sizes(Uncompressed()) == [2 * 16 * 300, 2 * 16 * 1500]
    assert sizes(LowRank(4)) == [2 * (16 + 4 * 16 + 4 * count) for count in (300, 1500)]
    assert sizes(KMeans((6,))) == [packed_bytes(count, 6) + 2 * 16 * 64 for count in (300, 1500)]
    assert sizes(KMeans((4, 3))) == [
        packed_bytes(count, 4) + packed_bytes(count, 3) + 2 * 16 * (16 + 8) for count in (300, 1500)
    ]


def test_uncompressed_is_rounding():
    assert torch.equal(through(Uncompressed(), LEVELS)[0][0], LEVELS[0].half().float())


@pytest.mark.parametrize("kept", [1, 4, 16])
def test_low_rank_is_the_best_of_its_rank(kept):
    decoded = through(LowRank(kept), LEVELS)[0][1]
    centred = LEVELS[1] - LEVELS[1].mean(0)
    best = torch.linalg.svdvals(centred)[kept:].square().sum()  # Eckart and Young
    assert float((decoded - LEVELS[1]).square().sum()) == pytest.approx(float(best), rel=0.01, abs=0.05)


def test_levels_without_corners():
    for quantiser in ALL:
        assert through(quantiser, [torch.zeros(0, 16)])[0][0].shape == (0, 16)


@pytest.mark.parametrize("quantiser", ALL, ids=str)
def test_other_sizes_are_errors(quantiser):
    data = quantiser.encode(LEVELS[0])
    for wrong in (data[:-2], data + b"\0\0", b""):
        with pytest.raises(CollectionError):
            quantiser.decode(wrong, 300, 16)
