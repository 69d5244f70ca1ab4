import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as functional

from manyfields.errors import ConfigError
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes, PlaneField
from manyfields.fields import Codes, harmonics

TINY = FusedPlanesConfig(micro_features=2, macro_features=3, base_planes=4, resolution=5, hidden=6, channels=7)


def tiny_family(seed=0, **changes):
    return FusedPlanes(FusedPlanesConfig(**{**vars(TINY), **changes}), torch.Generator().manual_seed(seed))


def code_bytes(config: FusedPlanesConfig, name: str) -> int:
    return 4 * math.prod(config.code_shapes()[name])


def test_sizes_are_the_papers():
    fused = FusedPlanesConfig()
    assert code_bytes(fused, "micro") == 491_520
    assert fused.code_shapes()["weights"] == (50,) and fused.code_shapes()["bias"] == (1,)
    family = FusedPlanes(fused)
    assert family.base is not None
    # The paper's [M, 3, F_mac, 64, 64], with features last in memory.
    assert family.base.permute(0, 1, 4, 2, 3).shape == (50, 3, 22, 64, 64)
    assert family.hidden.weight.shape == (64, 32) and family.output.weight.shape == (17, 64)
    triplanes = FusedPlanesConfig(micro_features=32, macro_features=0, base_planes=0, channels=3, space="rgb")
    assert code_bytes(triplanes, "micro") == 1_572_864  # 1.5 MB
    ultra_light = FusedPlanesConfig(micro_features=0, macro_features=32)
    assert sum(code_bytes(ultra_light, name) for name in ultra_light.code_shapes()) == 204


def test_macro_planes_are_the_weighted_sum_of_base_planes_plus_bias():
    family = tiny_family()
    codes = family.new_codes(3, torch.Generator().manual_seed(1))
    codes.tensors["bias"].copy_(torch.tensor([[0.5], [-1.0], [2.0]]))
    planes = family.planes(codes)
    assert planes.shape == (3, 3, 5, 5, 5)
    for i in range(3):
        expected = torch.zeros(3, 5, 5, 3)
        for k in range(4):
            expected += codes.tensors["weights"][i, k] * family.base[k]
        torch.testing.assert_close(planes[i, ..., 2:], expected + codes.tensors["bias"][i])
        assert torch.equal(planes[i, ..., :2], codes.tensors["micro"][i])


def test_level_1_ignores_micro_planes_and_keeps_macro_planes():
    family = tiny_family()
    codes = family.new_codes(2)
    louder = Codes({**codes.tensors, "micro": codes.tensors["micro"] + 5})
    assert torch.equal(family.planes(codes, 1), family.planes(louder, 1))
    assert torch.equal(family.planes(codes, 1)[..., 2:], family.planes(codes)[..., 2:])
    assert torch.equal(family.planes(codes, 2), family.planes(codes))
    mixed = family.planes(codes, torch.tensor([1, 2]))
    assert torch.equal(mixed[0], family.planes(codes, 1)[0]) and torch.equal(mixed[1], family.planes(codes)[1])


def test_level_1_gives_micro_planes_no_gradient():
    family = tiny_family()
    codes = family.new_codes(2)
    codes.tensors["micro"].requires_grad_()
    family.planes(codes, torch.tensor([1, 2])).square().sum().backward()
    gradient = codes.tensors["micro"].grad
    assert gradient[0].abs().sum() == 0 and gradient[1].abs().sum() > 0


@pytest.mark.parametrize("count", [1, 25, 75])
def test_mixed_macro_planes_start_as_loud_as_micro_planes(count):
    family = tiny_family(base_planes=count, resolution=16)
    planes = family.planes(family.new_codes(64, torch.Generator().manual_seed(2)))
    loudness = planes.square().mean((0, 1, 2, 3)).sqrt()
    torch.testing.assert_close(loudness[2:].mean(), loudness[:2].mean(), rtol=0.25, atol=0)


@pytest.mark.parametrize("activation", ["softplus", "relu"])
def test_density_is_gain_times_softplus_of_the_first_output_minus_one(activation):
    family = tiny_family(density_gain=2.5, activation=activation)
    features = torch.randn(2, 9, 5, generator=torch.Generator().manual_seed(0))
    before = features @ family.hidden.weight.T + family.hidden.bias
    assert (before < 0).any() and (before > 0).any()
    hidden = torch.log1p(torch.exp(before)) if activation == "softplus" else torch.where(before > 0, before, 0.0)
    values = hidden @ family.output.weight.T + family.output.bias
    samples = family.decode(features)
    torch.testing.assert_close(samples.density, 2.5 * torch.log1p(torch.exp(values[..., 0] - 1)))
    torch.testing.assert_close(samples.channels, values[..., 1:])


def test_rgb_space_reaches_black_and_white():
    family = tiny_family(channels=3, space="rgb")
    with torch.no_grad():
        family.output.bias[1:] = torch.tensor([-50.0, 0.0, 50.0])
        family.output.weight.zero_()
    channels = family.decode(torch.randn(1, 2, 5)).channels
    assert channels[0, 0, 0] <= 0 and channels[0, 0, 2] >= 1
    torch.testing.assert_close(channels[0, :, 1], torch.full((2,), 0.5))


@pytest.mark.parametrize(
    ("sizes", "layers"),
    [
        ({}, (("weights", "bias"), ("micro",))),
        ({"micro_features": 0}, (("weights", "bias"),)),
        ({"macro_features": 0, "base_planes": 0}, (("micro",),)),
        ({"base_planes": 1}, (("weights", "bias"), ("micro",))),
        ({"hull": 4}, (("weights", "bias"), ("hull",), ("micro",))),
        ({"hull": 4, "micro_features": 0}, (("weights", "bias"), ("hull",))),
        ({"hull": 4, "macro_features": 0, "base_planes": 0}, (("hull",), ("micro",))),
    ],
)
def test_variants_render_and_name_their_layers(sizes, layers):
    family = tiny_family(**sizes)
    assert family.config.layers == layers
    codes = family.new_codes(2)
    assert set(codes.tensors) == {name for names in layers for name in names}
    assert all(tensor.shape == (2, *family.config.code_shapes()[name]) for name, tensor in codes.tensors.items())
    for start in (codes, family.average_codes(2)):
        for level in (None, 1, len(layers)):
            samples = family.field(start, level)(torch.rand(2, 3, 3))
            assert samples.density.shape == (2, 3) and samples.channels.shape == (2, 3, 7)


def test_triplanes_have_no_level_to_leave_out():
    family = tiny_family(macro_features=0, base_planes=0)
    codes = family.new_codes(1)
    assert torch.equal(family.planes(codes, 1), codes.tensors["micro"])


def test_average_codes_are_the_mean_of_fitted_ones_with_silent_micro_planes():
    family = tiny_family()
    fitted = family.new_codes(6)
    fitted.tensors["bias"].add_(1)
    family.remember_average(fitted)
    again = tiny_family(seed=9)
    again.load_state_dict(family.state_dict())  # the start is stored with the shared part
    start = again.average_codes(3)
    torch.testing.assert_close(start.tensors["weights"][1], fitted.tensors["weights"].mean(0))
    torch.testing.assert_close(start.tensors["bias"][2], fitted.tensors["bias"].mean(0))
    assert start.tensors["micro"].abs().sum() == 0
    start.tensors["weights"][0] += 1  # objects own their starts
    assert not torch.equal(start.tensors["weights"][0], again.start[:-1])
    torch.testing.assert_close(start.tensors["weights"][1], again.start[:-1])


def test_the_same_generator_makes_the_same_family_and_codes():
    one, two = tiny_family(3), tiny_family(3)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
    make = torch.Generator
    first, second = (one.new_codes(2, make().manual_seed(5)).tensors for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"micro_features": 0, "macro_features": 0, "base_planes": 0}, "needs micro or macro features"),
        ({"micro_features": -1}, "needs micro or macro features"),
        ({"base_planes": 0}, "both are 0, or neither is"),
        ({"macro_features": 0}, "both are 0, or neither is"),
        ({"macro_features": 0, "base_planes": -1}, "base_planes -1"),
        ({"resolution": 1}, "resolution 1"),
        ({"space": "rgb"}, "has 3 channels, not 16"),
        ({"space": "hsv"}, "space 'hsv'"),
        ({"hidden": 0}, "hidden 0"),
        ({"channels": 0}, "channels 0"),
        ({"activation": "gelu"}, "^activation 'gelu': either 'relu' or 'softplus'$"),
        ({"span": "sphere"}, "^span 'sphere': either 'cube' or 'box'$"),
        ({"hull": -1}, "^hull -1: from 0 to 256 cells a side$"),
        ({"hull": 257}, "^hull 257: from 0 to 256 cells a side$"),
        ({"view_degree": 3}, "^view_degree 3: 0, 1 or 2$"),
        ({"view_degree": -1}, "^view_degree -1: 0, 1 or 2$"),
    ],
)
def test_sizes_that_make_no_sense_are_config_errors(sizes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        FusedPlanesConfig(**sizes)
    assert "\n" not in str(caught.value)


def test_groups_of_features_have_weights_of_their_own():
    config = FusedPlanesConfig(micro_features=2, macro_features=6, base_planes=3, resolution=4, weight_groups=2)
    family = FusedPlanes(config, torch.Generator().manual_seed(0))
    codes = family.new_codes(2, torch.Generator().manual_seed(1))
    assert codes.tensors["weights"].shape == (2, 6)
    planes = family.planes(codes)
    for i in range(2):
        weights = codes.tensors["weights"][i].view(2, 3)
        for feature in range(6):
            expected = sum(weights[feature // 3, k] * family.base[k, ..., feature] for k in range(3))
            torch.testing.assert_close(planes[i, ..., 2 + feature], expected + codes.tensors["bias"][i])


def test_groups_divide_the_macro_features():
    with pytest.raises(ConfigError, match="weight_groups 4 does not divide macro_features 6"):
        FusedPlanesConfig(macro_features=6, weight_groups=4)


def test_hulls_of_codes_start_full():
    family = tiny_family(hull=4)
    assert list(family.config.code_shapes()) == ["weights", "bias", "hull", "micro"]
    assert family.config.code_shapes()["hull"] == (4, 4, 4)
    for codes in (family.new_codes(2), family.average_codes(2)):
        hull = codes.tensors["hull"]
        assert hull.dtype == torch.uint8 and hull.shape == (2, 4, 4, 4) and bool((hull == 1).all())
    new, plain = (tiny_family(hull=hull).new_codes(2, torch.Generator().manual_seed(4)) for hull in (4, 0))
    assert "hull" not in plain.tensors
    assert all(torch.equal(new.tensors[name], tensor) for name, tensor in plain.tensors.items())


def test_with_a_hull_micro_planes_are_the_third_layer():
    family = tiny_family(hull=4)
    codes = family.new_codes(3, torch.Generator().manual_seed(0))
    for level in (1, 2):
        planes = family.planes(codes, level)
        assert not planes[..., :2].any() and torch.equal(planes[..., 2:], family.planes(codes)[..., 2:])
    assert torch.equal(family.planes(codes, 3), family.planes(codes))
    mixed = family.planes(codes, torch.tensor([3, 2, 1]))
    assert torch.equal(mixed[0], family.planes(codes)[0]) and torch.equal(mixed[1:], family.planes(codes, 2)[1:])


BOXES = torch.tensor([[[-0.5, -0.6, -0.1], [0.2, 0.9, 0.4]], [[-1.0, -0.2, -0.3], [-0.4, 0.1, 0.8]]])


def test_planes_that_span_boxes_have_their_corners_at_the_corners_of_the_boxes():
    family = tiny_family(span="box")
    codes = family.new_codes(2, torch.Generator().manual_seed(1))
    field, planes = family.field(codes, bounds=BOXES), family.planes(codes)
    for corner in itertools.product((0, 1), repeat=3):
        point = torch.stack([BOXES[:, side, axis] for axis, side in enumerate(corner)], -1)
        x, y, z = (-side for side in corner)  # the first or the last sample
        features = planes[:, 0, y, x] + planes[:, 1, z, x] + planes[:, 2, z, y]
        expected, seen = family.decode(features[:, None]), field(point[:, None])
        torch.testing.assert_close(seen.density, expected.density, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(seen.channels, expected.channels, rtol=1e-4, atol=1e-5)


def test_a_field_in_a_box_is_the_one_in_the_cube_stretched():
    family, in_cube = tiny_family(span="box"), tiny_family(span="cube")
    codes = family.new_codes(2, torch.Generator().manual_seed(1))
    points = 2 * torch.rand(2, 30, 3, generator=torch.Generator().manual_seed(2)) - 1
    middle, half = BOXES.mean(1, keepdim=True), (BOXES[:, 1:] - BOXES[:, :1]) / 2
    seen = family.field(codes, bounds=BOXES)(middle + half * points)
    expected = in_cube.field(codes)(points)
    torch.testing.assert_close(seen.density, expected.density, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(seen.channels, expected.channels, rtol=1e-4, atol=1e-5)
    # Planes in the cube do not heed boxes.
    assert torch.equal(in_cube.field(codes, bounds=BOXES)(points).density, expected.density)


def test_planes_that_span_boxes_need_the_boxes():
    family = tiny_family(span="box")
    with pytest.raises(ValueError, match="need their bounds"):
        family.field(family.new_codes(1))


@pytest.mark.parametrize("span", ["cube", "box"])
def test_a_field_of_many_objects_gives_that_of_each(span):
    family = tiny_family(span=span)
    field = family.field(family.new_codes(2, torch.Generator().manual_seed(1)), bounds=BOXES)
    points = torch.rand(2, 20, 3, generator=torch.Generator().manual_seed(2)) - 0.5
    together = field(points)
    for row in range(2):
        alone = field[row](points[row : row + 1])
        assert alone.density.shape == (1, 20) and field[row].channels == 7
        torch.testing.assert_close(alone.density[0], together.density[row])
        torch.testing.assert_close(alone.channels[0], together.channels[row])


def sphere_quadrature() -> tuple[torch.Tensor, torch.Tensor]:
    """Directions (N, 3) and weights (N) that integrate polynomials to degree 7 over the sphere exactly; sum 1."""
    heights, weights = np.polynomial.legendre.leggauss(4)
    angles = 2 * np.pi * np.arange(8) / 8
    z, angle = (torch.from_numpy(grid).flatten() for grid in np.meshgrid(heights, angles, indexing="ij"))
    flat = (1 - z * z).sqrt()
    directions = torch.stack([flat * angle.cos(), flat * angle.sin(), z], -1)
    return directions, torch.from_numpy(np.repeat(weights / 2, 8) / 8)


@pytest.mark.parametrize(("degree", "count"), [(1, 3), (2, 8)])
def test_harmonics_are_orthogonal_to_each_other_and_to_constants(degree, count):
    directions, weights = sphere_quadrature()
    waves = harmonics(directions, degree)
    assert waves.shape == (32, count)
    torch.testing.assert_close(weights @ waves, torch.zeros(count).double(), atol=1e-12, rtol=0)
    products = waves.T @ (weights[:, None] * waves)
    torch.testing.assert_close(products, torch.diag(products.diagonal()), atol=1e-12, rtol=0)
    assert float(products.diagonal().min()) > 0.05
    # Each degree on its own is closed under turning: what is x y in one frame is made of degree 2 in another.
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double()).Q
    turned = harmonics(directions @ turn, degree)
    for block in (slice(0, 3), slice(3, count)):
        back = torch.linalg.lstsq(waves[:, block], turned[:, block]).solution
        torch.testing.assert_close(waves[:, block] @ back, turned[:, block], atol=1e-12, rtol=0)


@pytest.mark.parametrize("space", ["rgb", "latent"])
@pytest.mark.parametrize("degree", [1, 2])
def test_colours_are_the_sum_of_harmonics_and_density_is_the_same_from_all_sides(degree, space):
    family = tiny_family(view_degree=degree, channels=3, space=space)
    assert family.output.weight.shape == (1 + 3 * (degree + 1) ** 2, 6)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 9, 5, generator=generator)
    directions = functional.normalize(torch.randn(2, 9, 3, generator=generator), dim=-1)
    seen, mean = family.decode(features, directions), family.decode(features)
    assert torch.equal(seen.density, mean.density)
    values = family.output(functional.softplus(family.hidden(features)))
    for b, n in np.ndindex(2, 9):
        expected = values[b, n, 1:4].clone()
        for number, wave in enumerate(harmonics(directions[b, n], degree)):
            expected += wave * values[b, n, 4 + 3 * number : 7 + 3 * number]
        if space == "rgb":
            expected = 1.002 / (1 + torch.exp(-expected)) - 0.001
        torch.testing.assert_close(seen.channels[b, n], expected)
    assert bool(((seen.channels - mean.channels).abs() > 0.05).any())


def test_without_directions_channels_are_the_mean_over_all_of_them():
    family = tiny_family(view_degree=2).double()
    directions, weights = sphere_quadrature()
    features = torch.randn(1, 1, 5, generator=torch.Generator().manual_seed(0)).double()
    seen = family.decode(features.expand(1, 32, 5), directions[None]).channels[0]
    torch.testing.assert_close(weights @ seen, family.decode(features).channels[0, 0])


def test_at_view_degree_0_directions_change_nothing():
    family = tiny_family()
    assert family.config.view_degree == 0 and family.output.weight.shape == (8, 6)
    field = family.field(family.new_codes(2, torch.Generator().manual_seed(1)))
    generator = torch.Generator().manual_seed(2)
    points, directions = torch.rand(2, 20, 3, generator=generator), torch.randn(2, 20, 3, generator=generator)
    seen, expected = field(points, directions), field(points)
    assert torch.equal(seen.density, expected.density) and torch.equal(seen.channels, expected.channels)


@pytest.mark.parametrize("learning", [True, False])
def test_a_field_of_rows_of_a_table_is_that_of_their_planes(learning):
    family = tiny_family(span="box")
    table = family.planes(family.new_codes(4, torch.Generator().manual_seed(1))).detach()
    rows = torch.tensor([3, 1])
    learned = table[rows][..., :2].clone().requires_grad_() if learning else None
    field = PlaneField(family, table, BOXES, rows, learned)
    assert len(field) == 2 and len(PlaneField(family, table)) == 4
    assert torch.equal(field.planes, table[rows])
    points = torch.rand(2, 20, 3, generator=torch.Generator().manual_seed(2)) - 0.5
    seen, expected = field(points), PlaneField(family, table[rows], BOXES)(points)
    assert torch.equal(seen.density, expected.density) and torch.equal(seen.channels, expected.channels)
    for row in range(2):
        alone = field[row]
        assert len(alone) == 1 and torch.equal(alone.planes, field.planes[row : row + 1])
        torch.testing.assert_close(alone(points[row : row + 1]).density[0], expected.density[row])
    for row in (-1, 2):
        with pytest.raises(IndexError, match=f"object {row} of 2"):
            field[row]
    if learned is not None:
        seen.density.sum().backward()
        assert learned.grad.abs().sum() > 0


def test_balanced_features_look_the_same_and_are_taken_in_alike():
    family = FusedPlanes(FusedPlanesConfig(channels=3, space="rgb", base_planes=2, resolution=8))
    codes = family.new_codes(2)
    points = torch.rand(2, 40, 3) * 2 - 1
    before = family.field(codes)(points)
    turned = family.balance(codes)
    after = family.field(turned)(points)
    torch.testing.assert_close(after.density, before.density, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(after.channels, before.channels, atol=1e-5, rtol=1e-4)
    values = torch.linalg.svdvals(family.hidden.weight[:, :10].detach())
    torch.testing.assert_close(values, values.mean().expand(10), atol=1e-5, rtol=1e-5)
    assert torch.equal(turned.tensors["weights"], codes.tensors["weights"])


@pytest.mark.parametrize("resolution", [1, 2049, 4096, 10**9])
def test_planes_that_no_index_can_address_are_refused(resolution):
    with pytest.raises(ConfigError, match=f"resolution {resolution}: planes have from 2 to 2048 samples a side"):
        FusedPlanesConfig(resolution=resolution)


def test_the_largest_planes_are_read_where_they_should_be():
    """Texels are numbered in float32 by the compiled march: the last ones of the last plane are the hardest."""
    pytest.importorskip("numba")
    side = 2048
    config = FusedPlanesConfig(1, 0, 0, resolution=side, hidden=1, channels=3, space="rgb", activation="relu")
    family = FusedPlanes(config)
    table = torch.zeros(1, 3, side, side, 1)
    table[0, 2, side - 2 :, side - 2 :] = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).unsqueeze(-1)
    step = 2.0 / (side - 1)
    points = torch.tensor([[[0.0, 1.0 - 0.25 * step, 1.0 - 0.75 * step], [0.0, 1.0, 1.0]]])
    with torch.no_grad():
        exact = PlaneField(family.double(), table.double())(points.double())
        found = PlaneField(family.float(), table).density(points)
    torch.testing.assert_close(found.double(), exact.density, atol=1e-3, rtol=1e-3)


def test_a_decoder_is_that_of_the_family():
    config = FusedPlanesConfig(
        2, 3, 4, hidden=8, channels=3, space="rgb", activation="relu", view_degree=1, density_gain=3.0
    )
    family = FusedPlanes(config)
    field = family.field(family.new_codes(1))
    decoder = field.tiny_decoder()
    assert decoder.hidden_weight is field.family.hidden.weight and decoder.output_bias is field.family.output.bias
    assert (decoder.channels, decoder.view_degree, decoder.gain) == (3, 1, 3.0)
    assert (decoder.activation, decoder.space) == ("relu", "rgb")
    assert len(decoder.output_bias) == 1 + 3 + 3 * 3
