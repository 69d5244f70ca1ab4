import pytest
import torch

from manyfields.families.octree.codes import OctreeCodes, QuantisedOctreeCodes
from manyfields.families.octree.tree import Octree


@pytest.mark.parametrize("kind", ["plain_codes", "quantised_codes"])
def test_objects_are_taken_out_of_codes(octrees, kind):
    trees = [octrees.ball(seed) for seed in range(3)]
    codes = getattr(octrees, kind)(*trees)
    ends = OctreeCodes(codes.trees, codes.features).offsets.tolist()
    for row in range(3):
        assert codes[row].trees == (trees[row],)
        assert torch.equal(codes[row].features, codes.features[ends[row] : ends[row + 1]])
    picked = codes[[2, 0]]
    assert picked.trees == (trees[2], trees[0])
    assert torch.equal(picked.features, torch.cat([codes[2].features, codes[0].features]))
    with pytest.raises(IndexError, match="object 3 of 3"):
        codes[3]


def test_quantised_codes_are_joined(octrees):
    parts = [octrees.quantised_codes(octrees.ball(seed)) for seed in range(2)]
    joined = QuantisedOctreeCodes.concatenate(parts)
    assert len(joined) == 2 and torch.equal(joined[1].features, parts[1].features)


def test_cells_of_a_box_that_voxels_reach_into():
    """Beside a walk over all pairs of cells and voxels."""
    tree = Octree.of_voxels(torch.tensor([0, 9, 63, 21]), 2, 2)
    for box in ([[-1.0, -1, -1], [1, 1, 1]], [[-0.8, -0.3, 0.1], [0.6, 1.4, 0.9]], [[-0.5, -0.5, -0.5], [0.5, 0, 0.5]]):
        low, high = torch.tensor(box)
        size = (high - low) / 5
        expected = torch.zeros(5, 5, 5, dtype=torch.bool)
        full = tree.occupancy().nonzero() / 2 - 1
        for cell in torch.cartesian_prod(*[torch.arange(5)] * 3):
            begin = low + cell * size
            expected[tuple(cell)] = bool(((begin < full + 0.5 - 1e-6) & (begin + size > full + 1e-6)).all(1).any())
        assert torch.equal(tree.occupied(torch.tensor(box), 5), expected), box
