import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from manyfields.views.mesh import Material, Mesh, Surface, srgb_to_linear
from manyfields.views.mesh_renderer.light import Light, directions, exposed
from manyfields.views.mesh_renderer.renderer import NEAR, MeshRenderer, straight_alpha
from manyfields.views.meshes import read_mesh
from manyfields.views.viewpoints import CAMERA_ANGLE_X, camera_poses

SIZE = 32


@pytest.fixture(scope="module")
def renderer():
    made = MeshRenderer(SIZE)
    yield made
    made.close()


def cube(material=None, colors=None, uv=False, side=1.0, at=(0, 0, 0)):
    """A cube with its own four vertices on each side."""
    vertices, faces = [], []
    for axis in range(3):
        for sign in (-1, 1):
            for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                point = np.roll([sign, a * sign, b], axis)
                vertices.append(point)
            start = len(vertices) - 4
            faces += [[start, start + 1, start + 2], [start, start + 2, start + 3]]
    points = np.array(vertices) * side / 2 + at
    coordinates = np.full((24, 2), 0.5) if uv else None
    colors = None if colors is None else np.tile(np.float32(colors), (24, 1))
    return Surface(points, np.array(faces), None, coordinates, colors, material or Material())


def shown(renderer, *surfaces, pose=None):
    renderer.show(Mesh(surfaces, np.eye(4)))
    return renderer.render(camera_poses(1, object_id="cube")[0] if pose is None else pose)


def front_pose(distance=2.7):
    """Looking along +y, z up."""
    return np.array([[1, 0, 0, 0], [0, 0, -1, -distance], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64)


def test_a_face_seen_straight_on_covers_the_pixels_that_geometry_says(renderer):
    rgba, depth = shown(renderer, cube(side=0.8), pose=front_pose())
    half = 0.4 / (2.7 - 0.4) / np.tan(CAMERA_ANGLE_X / 2) * SIZE / 2  # in pixels from the centre
    centers = np.abs(np.arange(SIZE) + 0.5 - SIZE / 2)
    inside = np.maximum(centers[:, None], centers[None]) < half - 0.6
    outside = np.maximum(centers[:, None], centers[None]) > half + 0.6
    assert (rgba[inside, 3] == 255).all() and (rgba[outside] == 0).all()
    area = (2 * half) ** 2
    assert abs(rgba[..., 3].sum() / 255 - area) < 0.03 * area  # antialiased edges
    assert (depth[outside] == 0).all() and (depth[inside] > 0).all()


def test_depth_is_the_distance_along_the_ray(renderer):
    _, depth = shown(renderer, cube(side=0.8), pose=front_pose())
    middle = np.arange(SIZE // 2 - 3, SIZE // 2 + 3)
    sample = (middle + 0.5 + 1 / 8) / SIZE  # an eighth of a pixel off the centre
    slope = (2 * sample - 1) * np.tan(CAMERA_ANGLE_X / 2)
    expected = 2.3 * np.sqrt(1 + slope[None] ** 2 + slope[:, None] ** 2)
    np.testing.assert_allclose(depth[np.ix_(middle, middle)], expected, atol=1e-4)


def test_picture_axes_x_right_y_up(renderer):
    right = cube(Material(base_color=(1, 0, 0, 1)), side=0.3, at=(0.4, 0, 0))
    above = cube(Material(base_color=(0, 0, 1, 1)), side=0.3, at=(0, 0, 0.4))
    rgba, _ = shown(renderer, right, above, pose=front_pose())
    red = np.argwhere((rgba[..., 3] == 255) & (rgba[..., 0] > rgba[..., 2] + 40)).mean(0)
    blue = np.argwhere((rgba[..., 3] == 255) & (rgba[..., 2] > rgba[..., 0] + 40)).mean(0)
    assert red[1] > SIZE / 2 + 3 and abs(red[0] - SIZE / 2) < 1.5
    assert blue[0] < SIZE / 2 - 3 and abs(blue[1] - SIZE / 2) < 1.5


@pytest.mark.parametrize("color", [(20, 20, 20), (28, 28, 28), (200, 100, 30), (250, 250, 250)])
def test_factor_texture_and_vertex_colours_of_one_colour_look_alike(renderer, color):
    linear = srgb_to_linear(np.array(color) / 255)
    image = np.tile(np.uint8(color), (4, 4, 1))
    by_factor, _ = shown(renderer, cube(Material(base_color=(*linear, 1.0))))
    by_texture, _ = shown(renderer, cube(Material(base_image=image), uv=True))
    by_vertices, _ = shown(renderer, cube(colors=(*linear, 1.0)))
    np.testing.assert_allclose(by_texture.astype(int), by_factor, atol=3)
    np.testing.assert_allclose(by_vertices.astype(int), by_factor, atol=3)


def test_vertex_colours_multiply_factor_and_texture(renderer):
    # vtk alone shows such meshes in the vertex colour, white for most files
    expected, _ = shown(renderer, cube(Material(base_color=(0.3, 0.1, 0.05, 1))))
    white, _ = shown(renderer, cube(Material(base_color=(0.3, 0.1, 0.05, 1)), colors=(1, 1, 1, 1)))
    np.testing.assert_allclose(white.astype(int), expected, atol=3)
    halved, _ = shown(renderer, cube(Material(base_color=(0.6, 0.2, 0.1, 1)), colors=(0.5, 0.5, 0.5, 1)))
    np.testing.assert_allclose(halved.astype(int), expected, atol=3)
    image = np.tile(np.uint8((203, 124, 89)), (4, 4, 1))  # sRGB of 0.6, 0.2, 0.1
    textured, _ = shown(renderer, cube(Material(base_image=image), colors=(0.5, 0.5, 0.5, 1), uv=True))
    np.testing.assert_allclose(textured.astype(int), expected, atol=3)
    factor, _ = shown(renderer, cube(Material(base_image=image, base_color=(0.5, 0.5, 0.5, 1)), uv=True))
    np.testing.assert_allclose(factor.astype(int), expected, atol=3)


def test_alpha_modes(renderer):
    image = np.tile(np.uint8((200, 100, 30, 100)), (4, 4, 1))
    middle = SIZE // 2
    opaque, _ = shown(renderer, cube(Material(base_image=image), uv=True), pose=front_pose())
    assert opaque[middle, middle, 3] == 255
    masked, _ = shown(renderer, cube(Material(base_image=image, alpha_mode="MASK"), uv=True), pose=front_pose())
    assert (masked[middle, middle] == 0).all()
    kept = Material(base_image=image, alpha_mode="MASK", alpha_cutoff=0.3)
    assert shown(renderer, cube(kept, uv=True), pose=front_pose())[0][middle, middle, 3] == 255
    blended, _ = shown(renderer, cube(Material(base_image=image, alpha_mode="BLEND"), uv=True), pose=front_pose())
    through = 1 - (1 - 100 / 255) ** 2  # front and rear wall
    assert abs(blended[middle, middle, 3] - 255 * through) <= 3
    glass, _ = shown(renderer, cube(Material(base_color=(1, 1, 1, 0.5), alpha_mode="BLEND")), pose=front_pose())
    assert abs(glass[middle, middle, 3] - 255 * 0.75) <= 3
    # straight alpha: the colour of half-transparent white stays bright
    assert glass[middle, middle, :3].min() > 120


def lamp_side():
    """A square that faces the lamp of the studio, and a camera in front of it."""
    toward = np.array([-0.45, -0.55, 0.70])
    toward /= np.linalg.norm(toward)
    right = np.cross([0, 0, 1], toward)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3] = np.stack([right, np.cross(toward, right), toward, 2.7 * toward], axis=-1)
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.6 @ pose[:3, :2].T
    return corners, pose


@pytest.mark.parametrize("albedo", [(0, 0, 0), (255, 255, 255), (84, 13, 15), (20, 90, 200), (128, 128, 128)])
@pytest.mark.parametrize("light", ["studio", "flat"])
def test_a_face_turned_to_the_light_has_the_colour_of_its_albedo(albedo, light):
    corners, pose = lamp_side()
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    linear = srgb_to_linear(np.array(albedo) / 255)
    patch = Surface(corners, faces, None, None, None, Material(base_color=(*linear, 1.0)))
    made = MeshRenderer(16, light=light)
    rgba, _ = shown(made, patch, pose=pose)
    made.close()
    np.testing.assert_allclose(rgba[8, 8, :3].astype(int), albedo, atol=4)


def test_shading_shows_form(renderer):
    def brightness(**pose):
        return shown(renderer, cube(), **pose)[0][SIZE // 2, SIZE // 2, 0] / 255

    front, above = brightness(pose=front_pose()), brightness(pose=pose_above())
    assert 0.8 < front < 0.92 and 0.95 < above <= 1


def pose_above():
    return np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2.7], [0, 0, 0, 1]], dtype=np.float64)


def smooth_ball(**look):
    points = np.random.default_rng(0).normal(size=(2000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    from scipy.spatial import ConvexHull

    faces = ConvexHull(points).simplices
    a, b, c = (points[faces[:, i]] for i in range(3))
    inward = np.einsum("fi,fi->f", np.cross(b - a, c - a), a) < 0
    faces[inward] = faces[inward][:, ::-1]
    return Surface(points * 0.9, faces.astype(np.int64), points, None, None, Material(**look))


def test_what_is_smooth_mirrors_the_lamp_and_what_is_matte_does_not(renderer):
    black = {"base_color": (0, 0, 0, 1.0)}
    matte, _ = shown(renderer, smooth_ball(roughness=1.0, **black), pose=front_pose())
    glossy, _ = shown(renderer, smooth_ball(roughness=0.1, **black), pose=front_pose())
    assert matte[..., :3].max() <= 4
    assert glossy[..., :3].max() > 100 and np.median(glossy[glossy[..., 3] == 255][:, :3]) <= 4
    row, column = np.argwhere(glossy[..., 0] > 80).mean(0)
    assert row < SIZE / 2 and column < SIZE / 2  # above, to the left


@pytest.mark.parametrize("metallic", [0.0, 1.0])
def test_light_comes_from_where_the_panorama_has_it(metallic):
    toward = directions(64)
    lobes = np.stack([toward[..., 0], -toward[..., 1], toward[..., 2]], axis=-1)  # red right, green front, blue above
    light = Light("lobes", exposed((np.maximum(lobes, 0) ** 8 + 0.02).astype(np.float32)), mirrored=True)
    made = MeshRenderer(SIZE, light=light)
    rgba, _ = shown(made, smooth_ball(metallic=metallic, roughness=0.2), pose=front_pose())
    made.close()
    middle = SIZE // 2
    places = {"right": (middle, SIZE - 4), "front": (middle, middle), "above": (3, middle)}
    if metallic:  # half way between the eye and what is mirrored
        places = {"right": (middle, middle + 10), "front": (middle, middle), "above": (middle - 10, middle)}
    colors = {name: rgba[place][:3].astype(int) for name, place in places.items()}
    assert colors["right"][0] == max(colors["right"]) and colors["right"][0] > colors["right"][2] + 20
    assert colors["front"][1] == max(colors["front"]) and colors["front"][1] > colors["front"][2] + 20
    assert colors["above"][2] == max(colors["above"]) and colors["above"][2] > colors["above"][0] + 20


def test_a_metal_mirrors_its_surroundings_in_its_colour(renderer):
    gold, _ = shown(renderer, smooth_ball(metallic=1.0, roughness=0.2, base_color=(1, 0.6, 0.2, 1)), pose=front_pose())
    inside = gold[gold[..., 3] == 255][:, :3].astype(int)
    assert np.ptp(inside[:, 2]) > 80  # bright where the lamp is, darker where the floor is
    assert (inside[:, 0] >= inside[:, 1]).all() and (inside[:, 1] >= inside[:, 2]).all()


def atlas_panel(charts=8, texels=64):
    """Stripes of an object from charts of an atlas, red ones beside green ones, whose colours the object has apart."""
    image = np.zeros((texels * charts, texels * charts, 3), dtype=np.uint8)  # black between them
    vertices, faces, uv, count = [], [], [], 0
    for number in range(charts * charts):
        row, column = divmod(number, charts)
        red = (row + column) % 2 == 0
        box = np.s_[row * texels + 3 : (row + 1) * texels - 3, column * texels + 3 : (column + 1) * texels - 3]
        image[box] = (255, 0, 0) if red else (0, 255, 0)
        half = number // 2  # the left of the panel takes the red ones, the right the green ones
        left = -0.8 if red else 0.0
        y, x = divmod(half, 8)
        low = np.array([left + 0.1 * x, -0.4 + 0.2 * y])
        quad = low + np.array([[0, 0], [0.1, 0], [0.1, 0.2], [0, 0.2]])
        vertices += [[x, 0, z] for x, z in quad]
        first, last = 3 / (texels * charts), (texels - 3) / (texels * charts)
        corner = np.array([column, row]) / charts
        uv += [corner + [first, last], corner + [last, last], corner + [last, first], corner + [first, first]]
        faces += [[count, count + 1, count + 2], [count, count + 2, count + 3]]
        count += 4
    return Surface(np.array(vertices), np.array(faces), None, np.array(uv), None, Material(base_image=image))


def test_charts_of_an_atlas_do_not_run_into_each_other_nor_into_what_is_between_them():
    made = MeshRenderer(SIZE, light="flat")
    rgba, _ = shown(made, atlas_panel(), pose=front_pose())
    made.close()
    inside = (rgba[..., 3] == 255) & (np.abs(np.arange(SIZE) + 0.5 - SIZE / 2) > 1)
    left, right = rgba[:, : SIZE // 2][inside[:, : SIZE // 2]], rgba[:, SIZE // 2 :][inside[:, SIZE // 2 :]]
    assert len(left) > 50 and len(right) > 50
    np.testing.assert_allclose(left[:, :3].astype(int).mean(0), [255, 0, 0], atol=2)
    np.testing.assert_allclose(right[:, :3].astype(int).mean(0), [0, 255, 0], atol=2)
    assert left[:, 0].min() > 240 and right[:, 1].min() > 240


def test_a_palette_beside_a_photograph_keeps_its_colours():
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 3), dtype=np.uint8)
    image[300, 400] = (250, 10, 20)  # one texel is the colour of half of the object
    left = np.array([[-0.8, 0, -0.5], [0, 0, -0.5], [0, 0, 0.5], [-0.8, 0, 0.5]])
    photograph = np.array([[0, 0.5], [0.5, 0.5], [0.5, 0], [0, 0]])
    palette = np.full((4, 2), [400.5 / 512, 300.5 / 512])
    square = np.array([[0, 1, 2], [0, 2, 3]])
    both = Surface(
        np.concatenate([left, left + [0.8, 0, 0]]), np.concatenate([square, square + 4]), None,
        np.concatenate([photograph, palette]), None, Material(base_image=image),
    )  # fmt: skip
    made = MeshRenderer(SIZE, light="flat")
    rgba, _ = shown(made, both, pose=front_pose())
    made.close()
    solid = rgba[..., 3] == 255
    right = rgba[:, SIZE // 2 + 1 :][solid[:, SIZE // 2 + 1 :]]
    assert len(right) > 50 and (right[:, :3] == [250, 10, 20]).all()
    noise = rgba[:, : SIZE // 2 - 1][solid[:, : SIZE // 2 - 1]][:, :3].astype(float)
    assert noise.std() < 30 and abs(noise.mean() - 127.5) < 8  # the photograph is averaged, not sampled


def test_edges_of_a_texture_do_not_show_the_opposite_ones():
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    image[:, 0], image[:, 1] = (255, 0, 0), (0, 255, 0)
    wall = np.array([[-0.6, 0, -0.6], [0.6, 0, -0.6], [0.6, 0, 0.6], [-0.6, 0, 0.6]])
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], dtype=float)
    pane = Surface(wall, np.array([[0, 1, 2], [0, 2, 3]]), None, uv, None, Material(base_image=image))
    made = MeshRenderer(SIZE, light="flat")
    rgba, _ = shown(made, pane, pose=front_pose())
    made.close()
    row = rgba[SIZE // 2][rgba[SIZE // 2, :, 3] == 255][:, :3]
    assert (row[:3] == [255, 0, 0]).all() and (row[-3:] == [0, 255, 0]).all()


def test_what_is_opaque_of_a_blend_material_has_a_depth(renderer):
    image = np.zeros((8, 8, 4), dtype=np.uint8)
    image[..., :3] = 200
    image[:4, :, 3], image[4:, :, 3] = 255, 60
    wall = np.array([[-0.6, 0, -0.6], [0.6, 0, -0.6], [0.6, 0, 0.6], [-0.6, 0, 0.6]])
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], dtype=float)
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    behind = cube(side=0.3, at=(0, 0.4, -0.2))
    for mode in ("BLEND", "MASK"):
        pane = Surface(wall, faces, None, uv, None, Material(base_image=image, alpha_mode=mode))
        rgba, depth = shown(renderer, pane, behind, pose=front_pose())
        upper, lower = (SIZE // 2 - 5, SIZE // 2), (SIZE // 2 + 3, SIZE // 2)
        assert rgba[upper][3] == 255 and depth[upper] == pytest.approx(2.7, abs=0.05)
        assert rgba[lower][3] == 255 and depth[lower] == pytest.approx(2.95, abs=0.05)  # the cube behind the pane
        beside = (SIZE // 2 + 3, SIZE // 2 + 5)
        assert depth[beside] == 0 and rgba[beside][3] == pytest.approx(60 if mode == "BLEND" else 0, abs=2)


def test_panes_that_are_opaque_together_have_a_depth(renderer):
    glass = Material(base_color=(1, 1, 1, 0.93), alpha_mode="BLEND")
    rgba, depth = shown(renderer, cube(glass), pose=front_pose())
    solid = rgba[..., 3] >= 250
    assert solid.any() and (depth[solid] > 0).all()
    assert depth[SIZE // 2, SIZE // 2] == pytest.approx(2.2, abs=0.01)


def test_transparent_texels_do_not_darken_what_is_beside_them():
    image = np.zeros((16, 16, 4), dtype=np.uint8)
    image[:, ::2] = (255, 255, 255, 255)
    wall = np.array([[-0.6, 0, -0.6], [0.6, 0, -0.6], [0.6, 0, 0.6], [-0.6, 0, 0.6]])
    uv = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], dtype=float)
    pane = Surface(
        wall, np.array([[0, 1, 2], [0, 2, 3]]), None, uv, None, Material(base_image=image, alpha_mode="BLEND")
    )
    made = MeshRenderer(SIZE, light="flat")
    rgba, _ = shown(made, pane, pose=front_pose())
    made.close()
    assert (rgba[rgba[..., 3] > 20][:, :3] > 245).all()


def test_metal_is_not_black(renderer):
    rgba, _ = shown(renderer, cube(Material(metallic=1.0, roughness=0.3)))
    assert rgba[rgba[..., 3] == 255][:, :3].mean() > 80


def test_the_same_view_is_the_same_picture_whatever_was_shown_before(renderer):
    first, depth = shown(renderer, cube())
    shown(renderer, cube(Material(base_color=(1, 0, 0, 1)), side=0.5))
    second, again = shown(renderer, cube())
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(depth, again)


def test_box_filter_gives_straight_alpha_with_black_where_empty():
    large = np.zeros((4, 8, 4), dtype=np.uint8)
    large[:2, :4] = (200, 100, 50, 255)  # half of the first pixel
    np.testing.assert_array_equal(straight_alpha(large, 4), [[[200, 100, 50, 128], [0, 0, 0, 0]]])


def test_no_display_is_needed_and_nothing_is_printed():
    code = (
        "import numpy as np; from manyfields.views.mesh_renderer.renderer import MeshRenderer;"
        "from manyfields.views.meshes import Mesh, Surface;"
        "r = MeshRenderer(16); m = Surface(np.eye(3), np.array([[0, 1, 2]])); r.show(Mesh((m,), np.eye(4)));"
        f"from manyfields.views.viewpoints import camera_poses; r.render(camera_poses(1)[0]); print({NEAR})"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{NEAR}\n", "")


@pytest.mark.parametrize("name", ["gazebo_ambulance", "kenney3_taxi", "kaykit_police", "pm_ice-cream-truck"])
def test_silhouettes_and_colours_are_those_of_the_reference_renders(shared, name):
    manifest = json.loads((shared / "data/models/vehicles/manifest.json").read_text())
    entry = next(entry for entry in manifest if entry["id"] == name)
    folder = shared / "data/renders/vehicles" / name
    frames = json.loads((folder / "transforms.json").read_text())["frames"][:2]
    large = MeshRenderer(128)
    large.show(read_mesh(shared / "data/models" / entry["file"], yaw_deg=entry["yaw_deg"]))
    for frame in frames:
        reference = np.asarray(Image.open(folder / frame["file_path"]))
        rgba, _ = large.render(np.array(frame["transform_matrix"]))
        inside, expected = rgba[..., 3] > 127, reference[..., 3] > 127
        assert (inside & expected).sum() / (inside | expected).sum() > 0.98
        both = inside & expected
        assert np.abs(rgba[both][:, :3].astype(int) - reference[both][:, :3]).mean() < 25  # another light
    large.close()
