import base64
import json
import struct

import numpy as np
import pytest
import trimesh
from PIL import Image

from manyfields.errors import MeshError
from manyfields.views.mesh import linear_to_srgb, srgb_to_linear
from manyfields.views.meshes import read_mesh

TRIANGLE = np.array([[0, 0, 0], [4, 0, 0], [0, 2, 0]], dtype=np.float32)


def write_gltf(path, primitive=None, **changes):
    """A glTF of one triangle with everything in the file, `changes` merged into the document."""
    data = TRIANGLE.tobytes() + np.array([0, 1, 2], dtype=np.uint16).tobytes()
    uri = "data:application/octet-stream;base64," + base64.b64encode(data).decode()
    document = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, **(primitive or {})}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 36},
            {"buffer": 0, "byteOffset": 36, "byteLength": 6},
        ],
        "buffers": [{"uri": uri, "byteLength": 42}],
        **changes,
    }
    path.write_text(json.dumps(document))
    return path


def test_a_mesh_is_turned_upright_centred_and_scaled(tmp_path):
    mesh = read_mesh(write_gltf(tmp_path / "a.gltf"))
    scale = 0.9 / np.sqrt(5)
    # (x, y, z) -> (x, -z, y) about the centre (2, 1, 0) of the box
    expected = (np.array([[0, 0, 0], [4, 0, 0], [0, 0, 2]]) - [2, 0, 1]) * scale
    np.testing.assert_allclose(mesh.surfaces[0].vertices, expected, atol=1e-7)
    points = np.c_[TRIANGLE, np.ones(3)] @ mesh.model_to_world.T
    np.testing.assert_allclose(points[:, :3], expected, atol=1e-7)
    np.testing.assert_allclose(mesh.bounds, [expected.min(0), expected.max(0)], atol=1e-7)


def test_yaw_turns_about_the_vertical_before_centring(tmp_path):
    path = write_gltf(tmp_path / "a.gltf")
    plain, turned = read_mesh(path).surfaces[0].vertices, read_mesh(path, yaw_deg=90).surfaces[0].vertices
    np.testing.assert_allclose(turned, plain[:, [1, 0, 2]] * [-1, 1, 1], atol=1e-7)


@pytest.mark.parametrize(("suffix", "axis"), [(".obj", "y"), (".ply", "z"), (".glb", "y")])
def test_the_up_axis_has_a_default_by_format_and_an_option(tmp_path, suffix, axis):
    tall = trimesh.creation.box((1, 4, 2))
    path = tmp_path / f"box{suffix}"
    tall.export(path)

    def height(**options):
        low, high = read_mesh(path, **options).bounds
        return (high - low)[2] / (high - low)[0]

    assert height() == pytest.approx(4 if axis == "y" else 2)
    assert height(up="y") == pytest.approx(4)
    assert height(up="z") == pytest.approx(2)


def test_all_formats_hold_the_same_shape(tmp_path):
    torus = trimesh.creation.torus(2, 0.7)
    corners = {}
    for suffix in (".glb", ".gltf", ".obj", ".ply"):
        folder = tmp_path / suffix[1:]
        folder.mkdir()
        file = folder / f"model{suffix}"
        if suffix == ".gltf":
            for name, data in torus.export(file_type="gltf").items():
                (folder / name).write_bytes(data)
        else:
            torus.export(file)
        mesh = read_mesh(file, up="z")
        corners[suffix] = np.concatenate([s.vertices[s.faces] for s in mesh.surfaces]).sum(1)
    for suffix, values in corners.items():
        np.testing.assert_allclose(np.sort(values, axis=0), np.sort(corners[".glb"], axis=0), atol=1e-4, err_msg=suffix)


def test_nodes_are_placed_and_mirrored_ones_keep_their_outside(tmp_path):
    nodes = [
        {"children": [1], "translation": [0, 0, 5]},
        {"mesh": 0, "scale": [-1, 1, 1], "rotation": [0, 0, np.sqrt(0.5), np.sqrt(0.5)]},
    ]
    mesh = read_mesh(write_gltf(tmp_path / "a.gltf", nodes=nodes))
    back = np.linalg.inv(mesh.model_to_world)
    vertices = mesh.surfaces[0].vertices @ back[:3, :3].T + back[:3, 3]
    # scaled (x -> -x), turned a quarter about z ((x, y) -> (-y, x)), moved
    np.testing.assert_allclose(vertices, [[0, 0, 5], [0, -4, 5], [-2, 0, 5]], atol=1e-6)
    assert mesh.surfaces[0].faces.tolist() == [[2, 1, 0]]


def test_strips_and_fans_become_triangles_of_one_orientation():
    from manyfields.views.gltf.geometry import triangles as _triangles

    assert _triangles(np.arange(5), 5).tolist() == [[0, 1, 2], [2, 1, 3], [2, 3, 4]]
    assert _triangles(np.arange(5), 6).tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4]]


def test_materials_are_read_as_stored(tmp_path):
    base = {"baseColorFactor": [0.1, 0.2, 0.3, 0.4], "metallicFactor": 0.5, "roughnessFactor": 0.6}
    materials = [{"pbrMetallicRoughness": base, "emissiveFactor": [1, 0, 0], "alphaMode": "BLEND"}]
    path = write_gltf(tmp_path / "a.gltf", primitive={"material": 0}, materials=materials)
    material = read_mesh(path).surfaces[0].material
    assert material.base_color == (0.1, 0.2, 0.3, 0.4)
    assert (material.metallic, material.roughness, material.emissive) == (0.5, 0.6, (1.0, 0.0, 0.0))
    assert material.alpha_mode == "BLEND"


def test_an_obj_brings_its_material_file_and_texture(tmp_path):
    pixels = np.full((2, 2, 3), (10, 200, 30), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "wood.png")
    (tmp_path / "a.mtl").write_text("newmtl red\nKd 1 0 0\nnewmtl wood\nKd 1 1 1\nmap_Kd wood.png\n")
    (tmp_path / "a.obj").write_text(
        "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nvt 0 0\nvt 1 0\nvt 0 1\n"
        "usemtl red\nf 1 2 3\nusemtl wood\nf 1/1 2/2 4/3\n"
    )
    surfaces = read_mesh(tmp_path / "a.obj").surfaces
    looks = [(s.material.base_image is not None, s.material.base_color) for s in surfaces]
    assert sorted(looks) == [(False, (1.0, 0.0, 0.0, 1.0)), (True, (1.0, 1.0, 1.0, 1.0))]
    wood = next(s for s in surfaces if s.material.base_image is not None)
    np.testing.assert_array_equal(wood.material.base_image[..., :3], pixels)
    np.testing.assert_allclose(sorted(wood.uv[:, 1]), [0, 1, 1])  # v down: the file counts from the bottom


def test_vertex_colours_of_a_ply_are_taken_as_srgb(tmp_path):
    mesh = trimesh.creation.box()
    mesh.visual.vertex_colors = np.tile([128, 64, 0, 255], (8, 1))
    mesh.export(tmp_path / "a.ply")
    colors = read_mesh(tmp_path / "a.ply").surfaces[0].colors
    np.testing.assert_allclose(colors[0], [0.2158605, 0.0512695, 0, 1], atol=1e-6)


def test_of_very_many_remarks_the_first_are_kept_each_once_and_on_one_line(tmp_path):
    primitive = {"attributes": {"POSITION": 0}, "indices": 1}
    primitives = [{**primitive, "material": i} for i in range(30) for _ in range(2)]
    materials = [{"normalTexture": {"index": i}} for i in range(30)]
    textures = [{"source": i} for i in range(30)]
    images = [{"uri": f"{i}\n.png"} for i in range(30)]
    path = write_gltf(
        tmp_path / "a.gltf", meshes=[{"primitives": primitives}], materials=materials, textures=textures, images=images
    )
    remarks = read_mesh(path).remarks
    assert len(remarks) == 13 and remarks[-1] == "and 18 more remarks of this kind"
    assert (
        remarks[0]
        == "rendered without its normal texture: refers to 0 .png, which is not there; keep it beside the mesh"
    )


def test_srgb_and_linear_are_inverses():
    values = np.linspace(0, 1, 500)
    np.testing.assert_allclose(srgb_to_linear(linear_to_srgb(values)), values, atol=1e-6)


def cut_glb(tmp_path):
    data = trimesh.creation.box().export(file_type="glb")
    (tmp_path / "c.glb").write_bytes(data[:-50])
    return tmp_path / "c.glb"


def old_glb(tmp_path):
    (tmp_path / "o.glb").write_bytes(struct.pack("<4sII", b"glTF", 1, 12))
    return tmp_path / "o.glb"


def text(name, content):
    def write(tmp_path):
        (tmp_path / name).write_text(content)
        return tmp_path / name

    return write


BAD = {
    "cut": (cut_glb, "is cut short"),
    "old": (old_glb, "is glTF version 1; only version 2 is read"),
    "no json": (text("a.gltf", "{"), "is not a glTF file that can be read"),
    "not a list": (text("a.gltf", "[]"), "is not a glTF file that can be read"),
    "no triangles": (text("a.obj", "v 0 0 0\n"), "a.obj: (has no triangles|cannot be read)"),
    "format": (text("a.stl", ""), ".stl is not a mesh format that is read; use .glb, .gltf, .obj, .ply"),
    "absent": (lambda folder: folder / "none.glb", "none.glb: no such mesh file"),
    "loop": (lambda f: write_gltf(f / "l.gltf", nodes=[{"children": [0]}]), "node 0 is its own ancestor"),
    "resource": (lambda f: write_gltf(f / "r.gltf", buffers=[{"uri": "x.bin"}]), "refers to x.bin, which is not there"),
    "outside": (lambda f: write_gltf(f / "r.gltf", buffers=[{"uri": "../x.bin"}]), "refers to ../x.bin, which is not"),
    "short": (
        lambda f: write_gltf(f / "s.gltf", bufferViews=[{"buffer": 0, "byteLength": n} for n in (30, 6)]),
        "buffer view 0 is shorter than its accessor says",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_file_is_named_in_one_line(tmp_path, case):
    make, message = BAD[case]
    with pytest.raises(MeshError, match=message) as caught:
        read_mesh(make(tmp_path))
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_a_vertex_out_of_range_is_an_error(tmp_path):
    accessors = [
        {"bufferView": 0, "componentType": 5126, "count": 2, "type": "VEC3"},
        {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
    ]
    with pytest.raises(MeshError, match="names a vertex that does not exist"):
        read_mesh(write_gltf(tmp_path / "a.gltf", accessors=accessors))


@pytest.mark.parametrize("name", ["gazebo_ambulance", "kenney3_taxi", "kaykit_police"])
def test_model_to_world_is_that_of_the_reference_renders(shared, name):
    manifest = json.loads((shared / "data/models/vehicles/manifest.json").read_text())
    entry = next(entry for entry in manifest if entry["id"] == name)
    mesh = read_mesh(shared / "data/models" / entry["file"], yaw_deg=entry["yaw_deg"])
    reference = json.loads((shared / f"data/renders/vehicles/{name}/transforms.json").read_text())
    np.testing.assert_allclose(mesh.model_to_world, reference["model_to_world"], atol=1e-6)
    np.testing.assert_allclose(mesh.bounds, reference["bounds"], atol=1e-5)
