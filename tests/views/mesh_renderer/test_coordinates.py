"""Where textures lie on a board that is looked at straight on, texel by texel."""

import numpy as np
import pytest

pytest.importorskip("vtkmodules", reason="the extra meshes is not installed")

from manyfields.views.mesh import Material, Mesh, Surface, TextureSampler
from manyfields.views.mesh_renderer.light import Light
from manyfields.views.mesh_renderer.renderer import MeshRenderer

SIZE = 64
RED, GREEN, BLUE, YELLOW = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)
FOUR = np.uint8([[RED, GREEN], [BLUE, YELLOW]])
BLACK = Material(base_color=(0, 0, 0, 1), roughness=1.0)


@pytest.fixture(scope="module")
def renderer():
    made = MeshRenderer(SIZE, light="flat")
    yield made
    made.close()


def board(material, low=0.0, high=1.0, **more):
    """A square in the plane y = 0, its texture from `low` to `high`, upright as seen from the front."""
    x = np.float64([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]]) * 0.6
    uv = np.float64([[low, high], [high, high], [high, low], [low, low]])
    normals = np.tile([0.0, -1.0, 0.0], (4, 1))
    return Surface(x, np.array([[0, 1, 2], [0, 2, 3]]), **{"normals": normals, "uv": uv, "material": material, **more})


def seen(renderer, surface, cells):
    """The colours in the middles of `cells` x `cells` parts of the board."""
    renderer.show(Mesh((surface,), np.eye(4)))
    pose = np.array([[1, 0, 0, 0], [0, 0, -1, -2.7], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64)
    rgba, _ = renderer.render(pose)
    half = 0.6 / 2.7 / np.tan(0.6911112 / 2) * SIZE / 2
    middles = np.round(SIZE / 2 - half + (np.arange(cells) + 0.5) * 2 * half / cells - 0.5).astype(int)
    return rgba[np.ix_(middles, middles)][..., :3].astype(int)


def wrapped(cell, wrap):
    """The texel, 0 or 1, of texels .. -1, 0, 1, 2, .."""
    if wrap == "clamp":
        return np.clip(cell, 0, 1)
    return cell % 2 if wrap == "repeat" else np.minimum(cell % 4, 3 - cell % 4)


@pytest.mark.parametrize("u", ["repeat", "clamp", "mirror"])
@pytest.mark.parametrize("v", ["repeat", "clamp", "mirror"])
def test_textures_go_on_along_u_and_v_as_their_sampler_says(renderer, u, v):
    material = Material(base_image=FOUR, samplers={"base": TextureSampler((u, v), smooth=False)})
    cells = np.arange(-2, 4)
    expected = FOUR[np.ix_(wrapped(cells, v), wrapped(cells, u))]
    np.testing.assert_allclose(seen(renderer, board(material, -1, 2), 6), expected, atol=3)


def test_texels_are_blended_or_not(renderer):
    column = np.uint8([[RED, BLUE]])
    for smooth, lowest in ((False, 0), (True, 60)):
        material = Material(base_image=column, samplers={"base": TextureSampler(("clamp", "clamp"), smooth)})
        row = seen(renderer, board(material), 8)[0]
        assert row[0].tolist() == list(RED) and row[-1].tolist() == list(BLUE)
        assert (row[3:5].min(1) == 0).all() and (row[3:5, ::2].min() >= lowest) and (row[3].max() > 100)


def test_every_texture_has_coordinates_of_its_own(renderer):
    strip = np.uint8([[GREEN, (0, 0, 0)]])
    nearest = TextureSampler(smooth=False)
    material = Material(
        base_image=np.uint8([[RED], [(0, 0, 0)]]),
        emissive=(1, 1, 1),
        emissive_image=strip,
        samplers={"base": nearest, "emissive": nearest},
    )
    turned = np.float64([[1, 1], [1, 0], [0, 0], [0, 1]])  # a quarter to the left: u runs down
    found = seen(renderer, board(material, own_uv={"emissive": turned}), 2)
    np.testing.assert_allclose(found, np.array([[YELLOW, YELLOW], [(0, 0, 0)] * 2]), atol=3)
    plain = seen(renderer, board(material), 2)
    np.testing.assert_allclose(plain, np.array([[YELLOW, RED], [GREEN, (0, 0, 0)]]), atol=3)


def test_textures_of_a_single_column_run_downwards(renderer):
    column = np.uint8([[RED], [GREEN], [BLUE], [YELLOW]])
    found = seen(renderer, board(Material(base_image=column, samplers={"base": TextureSampler(smooth=False)})), 4)
    np.testing.assert_allclose(found, column.repeat(4, axis=1), atol=3)
    lying = Material(base_image=column.swapaxes(0, 1), samplers={"base": TextureSampler(smooth=False)})
    row = seen(renderer, board(lying), 4)
    np.testing.assert_allclose(row, column.swapaxes(0, 1).repeat(4, axis=0), atol=3)


def test_a_texture_beside_none_for_the_base_colour_keeps_its_sampler(renderer):
    material = Material(
        base_color=(0, 0, 0, 1),
        emissive=(1, 1, 1),
        emissive_image=FOUR,
        samplers={"emissive": TextureSampler(("clamp", "repeat"), smooth=False)},
    )
    cells = np.arange(-2, 4)
    own = board(material, -1, 2)
    surface = board(material, own_uv={"emissive": own.uv})
    expected = FOUR[np.ix_(wrapped(cells, "repeat"), wrapped(cells, "clamp"))]
    np.testing.assert_allclose(seen(renderer, surface, 6), expected, atol=3)


def test_normals_bend_along_their_own_coordinates_as_far_as_they_are_scaled():
    lit = MeshRenderer(SIZE)
    try:
        tilted = np.full((1, 1, 3), (255, 128, 128), np.uint8)  # all the way along u
        brightness = []
        for own, scale in (({}, 1.0), ({"normal": np.float64([[0, 0], [0, 1], [1, 1], [1, 0]])}, 1.0), ({}, 0.0)):
            material = Material(normal_image=tilted, normal_scale=scale)
            brightness.append(seen(lit, board(material, own_uv=own), 1)[0, 0, 0])
        straight, plain = brightness[2], seen(lit, board(Material()), 1)[0, 0, 0]
        assert straight == pytest.approx(plain, abs=1)
        assert len({int(value) for value in brightness}) == 3  # to the right, upwards, straight on
    finally:
        lit.close()


def test_unlit_materials_show_their_colours_under_any_light_and_colours_of_vertices_multiply():
    lit = MeshRenderer(SIZE)
    try:
        half = np.float32([[0.5, 1, 1, 1]] * 4)
        for textured in (False, True):
            image = np.full((2, 2, 3), (200, 100, 50), np.uint8) if textured else None
            color = (1.0, 1.0, 1.0, 1.0) if textured else (0.5776, 0.1274, 0.0319, 1.0)  # the same, linear
            material = Material(base_color=color, base_image=image, unlit=True, metallic=1.0)
            found = seen(lit, board(material), 1)[0, 0]
            np.testing.assert_allclose(found, [200, 100, 50], atol=1)
            found = seen(lit, board(material, colors=half), 1)[0, 0]
            np.testing.assert_allclose(found, [147, 100, 50], atol=2)
    finally:
        lit.close()


def test_a_flat_surface_shows_its_triangles():
    lit = MeshRenderer(SIZE)
    try:
        x = np.float64(
            [[-0.6, 0, -0.6], [0, -0.17, -0.6], [0.6, 0, -0.6], [-0.6, 0, 0.6], [0, -0.17, 0.6], [0.6, 0, 0.6]]
        )
        faces = np.array([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4]])
        spread = []
        for flat in (False, True):
            row = seen(lit, Surface(x, faces, flat=flat), 8)[4, :, 0]
            spread.append(np.ptp(row[:4]))
            assert row[0] != row[-1]  # towards the lamp and away from it
        assert spread[0] > spread[1] + 1 and spread[1] <= 1  # rounded, and flat
    finally:
        lit.close()


def test_the_red_of_metal_and_roughness_means_nothing_under_any_light():
    around = Light("room", np.ones((8, 16, 3), np.float32), mirrored=True)
    for light in ("studio", around):
        lit = MeshRenderer(SIZE, light=light)
        try:
            found = []
            for red in (0, 255):
                packed = np.full((2, 2, 3), (red, 200, 0), np.uint8)
                found.append(seen(lit, board(Material(metallic_roughness_image=packed, roughness=1.0)), 2))
            assert found[0].min() > 100
            np.testing.assert_array_equal(*found)
        finally:
            lit.close()
