import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from manyfields.views.mesh_renderer import NEAR, MeshRenderer, straight_alpha, studio
from manyfields.views.meshes import Material, Mesh, Surface, read_mesh, srgb_to_linear
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


def test_the_studio_is_brighter_above():
    light = studio()
    assert light.shape == (64, 128, 3) and (light > 0).all()
    assert light[:16].mean() > 1.3 * light[-16:].mean()


def test_no_display_is_needed_and_nothing_is_printed():
    code = (
        "import numpy as np; from manyfields.views.mesh_renderer import MeshRenderer;"
        "from manyfields.views.meshes import Mesh, Surface;"
        "r = MeshRenderer(16); m = Surface(np.eye(3), np.array([[0, 1, 2]])); r.show(Mesh((m,), np.eye(4)));"
        f"from manyfields.views.viewpoints import camera_poses; r.render(camera_poses(1)[0]); print({NEAR})"
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
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
        assert np.abs(rgba[both][:, :3].astype(int) - reference[both][:, :3]).mean() < 16
    large.close()
