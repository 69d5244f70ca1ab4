import pytest
import torch

from manyfields.families.octree.baselines.hashed import HashedIndices

CODES = torch.arange(100_000)


def test_indices_never_change():
    """Where the hash changes, every stored codebook means something else."""
    assert HashedIndices(10, 5).index(torch.tensor([0, 1, 2, 12345])).tolist() == GOLDEN10
    assert HashedIndices(16, 8).index(torch.tensor([0, 1, 2, 12345])).tolist() == GOLDEN16


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_entries_are_used_alike(bits):
    counts = torch.bincount(HashedIndices(bits, 6).index(CODES), minlength=1 << bits).double()
    assert len(counts) == 1 << bits
    chi = float(((counts - counts.mean()).square() / counts.mean()).sum())
    assert abs(chi - (1 << bits)) < 5 * (2 * (1 << bits)) ** 0.5


def test_levels_differ():
    assert float((HashedIndices(10, 6).index(CODES) == HashedIndices(10, 7).index(CODES)).float().mean()) < 0.005


def test_sizes_and_limits():
    assert HashedIndices(12, 5).stored_bytes(16) == 2 * 16 * 4096
    with pytest.raises(ValueError, match="hashed indices of 0 bits"):
        HashedIndices(0, 5)


GOLDEN10 = [335, 781, 354, 345]
GOLDEN16 = [16101, 18711, 16404, 31443]
