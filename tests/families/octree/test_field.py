"""Octree fields against a loop over points, levels and corners, compiled and plain."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyfields.compiled import plain_only
from manyfields.errors import ConfigError
from manyfields.families.octree.codes import OctreeCodes
from manyfields.families.octree.corner_features import Corners, octree_features
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.morton import decode, encode
from manyfields.families.octree.tree import Octree
from manyfields.fields import Field
from manyfields.fields.directions import encode_directions


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def some_trees(objects=2, first=1, last=4, points=9, seed=0):
    generator = seeded(seed)
    return [
        Octree.of_points(2 * torch.rand(points + row, 3, generator=generator) - 1, first, last)
        for row in range(objects)
    ]


def some_points(trees, count=60, seed=1):
    """Within fine voxels, anywhere in the cube, at its borders, and outside of it."""
    generator = seeded(seed)
    points = 2.4 * torch.rand(len(trees), count, 3, generator=generator) - 1.2
    for row, tree in enumerate(trees):
        corner = decode(tree.voxels[-1])[: count // 2] / 2.0 ** (tree.last - 1) - 1
        inner = corner + torch.rand(corner.shape, generator=generator) / 2.0 ** (tree.last - 1)
        points[row, : len(corner)] = inner.clamp(-1, 1)
    points[:, -3:] = torch.tensor([[1.0, 1, 1], [-1, -1, -1], [1, -1, 0.3]])
    return points


def small(combine="sum", **changes):
    sizes = {"first": 1, "last": 4, "features": 3, "hidden": 8, "combine": combine, **changes}
    return OctreeFamily(OctreeConfig(**sizes), seeded(3))


def slowly(tree, tables, point, levels, combine):
    """Features of one point, from the features of the corners of each level."""
    parts = []
    for level, table in zip(range(tree.first, tree.first + levels), tables, strict=False):
        side = 2**level
        at = [(value + 1) * side / 2 for value in point]
        cell = [min(int(value), side - 1) for value in at]
        total = torch.zeros(table.shape[1], dtype=table.dtype)
        code = int(encode(torch.tensor(cell))) if max(map(abs, point)) <= 1 else -1
        if code in tree.voxels[level - tree.first].tolist():
            corners = tree.corners[level - tree.first].tolist()
            for step in itertools.product((0, 1), repeat=3):
                weight = 1.0
                for axis in range(3):
                    share = at[axis] - cell[axis]
                    weight *= share if step[axis] else 1 - share
                place = torch.tensor([c + s for c, s in zip(cell, step, strict=True)])
                total = total + weight * table[corners.index(int(encode(place)))]
        parts.append(total)
    return torch.stack(parts).sum(0) if combine == "sum" else torch.cat(parts)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 3), st.integers(0, 100), st.sampled_from(["sum", "concat"]), st.integers(1, 4), st.booleans())
def test_features_and_gradients_equal_a_plain_loop(objects, seed, combine, levels, compiled):
    trees = some_trees(objects, seed=seed)
    points = some_points(trees, 24, seed)
    corners = Corners.by_object(trees).first_levels(levels)
    dtype = torch.float32 if compiled else torch.float64
    table = torch.randn(corners.rows, 3, generator=seeded(seed), dtype=dtype).requires_grad_()
    ours, inside = octree_features(table, corners, points.to(dtype), combine)

    parts = table.double().split([count for tree in trees for count in tree.corner_counts])
    theirs = torch.stack(
        [
            torch.stack([slowly(tree, parts[4 * row : 4 * row + 4], p, levels, combine) for p in points[row].tolist()])
            for row, tree in enumerate(trees)
        ]
    )
    torch.testing.assert_close(ours.double(), theirs, atol=1e-5, rtol=1e-5)
    loss = torch.randn(theirs.shape, dtype=torch.float64, generator=seeded(seed))
    (ours_back,) = torch.autograd.grad((ours * loss).sum(), table)
    (theirs_back,) = torch.autograd.grad((theirs * loss).sum(), table)
    torch.testing.assert_close(ours_back, theirs_back, atol=1e-5, rtol=1e-5)
    for row, tree in enumerate(trees):
        assert torch.equal(inside[row], tree.find(points[row], tree.first) >= 0)
        assert (ours[row][~inside[row]] == 0).all()


@pytest.mark.parametrize("combine", ["sum", "concat"])
def test_compiled_equals_plain(combine):
    trees = some_trees(2, 2, 6, 300)
    points = some_points(trees, 3000)
    corners = Corners.by_object(trees)
    table = torch.randn(corners.rows, 16, generator=seeded()).requires_grad_()
    found, inside = octree_features(table, corners, points, combine)
    loss = torch.randn(found.shape, generator=seeded(1))
    (back,) = torch.autograd.grad((found * loss).sum(), table)
    with plain_only():
        plain, plain_inside = octree_features(table, corners, points, combine)
        (plain_back,) = torch.autograd.grad((plain * loss).sum(), table)
    torch.testing.assert_close(found, plain)
    torch.testing.assert_close(back, plain_back, atol=1e-5, rtol=1e-4)
    assert torch.equal(inside, plain_inside)
    assert back.abs().max() > 0


def test_gradient_equals_finite_differences():
    trees = some_trees(1, 1, 2, 3)
    points = some_points(trees, 6).double()
    corners = Corners.by_object(trees)
    table = torch.randn(corners.rows, 2, dtype=torch.float64, generator=seeded()).requires_grad_()
    for combine in ("sum", "concat"):
        assert torch.autograd.gradcheck(lambda t, how=combine: octree_features(t, corners, points, how)[0], table)


@pytest.mark.parametrize("density", ["softplus", "relu"])
def test_a_field_is_its_features_through_the_network(density):
    family, trees = small(density=density), some_trees(2)
    codes = family.new_codes(trees, seeded())
    field = family.field(codes)
    assert isinstance(field, Field) and field.channels == 3 and len(field) == 2
    points = some_points(trees)
    directions = torch.nn.functional.normalize(torch.randn(points.shape, generator=seeded(5)), dim=-1)
    found = field(points, directions)
    features, inside = field.features(points)
    hidden = torch.relu(family.hidden(torch.cat([features, encode_directions(directions, 4)], -1)))
    values = family.output(hidden)
    raised = values[..., 0]
    expected = torch.relu(raised) if density == "relu" else torch.nn.functional.softplus(raised - 1.0)
    torch.testing.assert_close(found.density, 15.0 * expected * inside)
    torch.testing.assert_close(found.channels, 1.002 * torch.sigmoid(values[..., 1:]) - 0.001)
    assert (found.density[~inside] == 0).all() and found.density[inside].all()


def test_levels_that_are_not_present_are_zeros():
    for combine in ("sum", "concat"):
        family, trees = small(combine), some_trees(2)
        codes = family.new_codes(trees, seeded())
        cut = codes.features.clone()
        at = 0
        for tree in trees:
            for number, count in enumerate(tree.corner_counts):
                cut[at : at + count] *= number < 2
                at += count
        points = some_points(trees)
        ours, theirs = family.field(codes, 2)(points), family.field(OctreeCodes(codes.trees, cut))(points)
        torch.testing.assert_close(ours.density, theirs.density)
        torch.testing.assert_close(ours.channels, theirs.channels)
        whole = family.field(codes, 4)(points)
        assert torch.equal(whole.density, family.field(codes)(points).density)
        assert not torch.equal(whole.density, ours.density)


def test_objects_alone_are_what_they_are_among_others():
    family, trees = small(), some_trees(3)
    codes = family.new_codes(trees, seeded())
    points = some_points(trees)
    together = family.field(codes)(points)
    assert codes.offsets.tolist()[-1] == len(codes.features)
    for row in range(3):
        for alone in (family.field(codes[row]), family.field(codes)[row]):
            torch.testing.assert_close(alone(points[row : row + 1]).density, together.density[row : row + 1])


def test_the_papers_sizes():
    family = OctreeFamily(OctreeConfig())
    assert family.hidden.weight.shape == (128, 43) and family.output.weight.shape == (4, 128)
    assert sum(parameter.numel() for parameter in family.parameters()) == 44 * 128 + 129 * 4


def test_directions_are_encoded_in_octaves():
    direction = torch.tensor([0.3, -0.5, 0.8])
    found = encode_directions(direction, 2)
    expected = [*direction.tolist()]
    for wave in (torch.sin, torch.cos):
        expected += [float(wave(value * 2**octave)) for octave in range(2) for value in direction]
    torch.testing.assert_close(found, torch.tensor(expected))


def test_what_does_not_fit_is_named():
    family = small()
    with pytest.raises(ValueError, match="levels 2 to 3, but the family has 1 to 4"):
        family.new_codes(some_trees(1, 2, 3))
    codes = family.new_codes(some_trees(1))
    with pytest.raises(ValueError, match="level 0: from 1 to 4"):
        family.field(codes, 0)
    assert family.field(codes, 9).level == 4
    with pytest.raises(ValueError, match="7 rows of features, but the octrees have"):
        family.field(OctreeCodes(codes.trees, codes.features[:7]))
    with pytest.raises(ConfigError, match="levels 8 to 5"):
        OctreeConfig(first=8, last=5)
    with pytest.raises(ConfigError, match="combine 'mean'"):
        OctreeConfig(combine="mean")
    with pytest.raises(ValueError, match="1 octrees, but 2 objects of points"):
        family.field(codes)(torch.zeros(2, 4, 3))
