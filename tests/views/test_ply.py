import struct

import numpy as np
import pytest
from PIL import Image

from manyfields.errors import MeshError
from manyfields.views.mesh import srgb_to_linear
from manyfields.views.meshes import read_mesh
from manyfields.views.ply import read_ply

CORNERS = [(0, 0, 0), (2, 0, 0), (2, 1, 0), (1, 1, 0), (1, 2, 0), (0, 2, 0)]  # an L of area 3
LINEAR_HALF = float(srgb_to_linear(np.array(128 / 255)))


def table(vertex="", face="", form="ascii 1.0", count=6, faces=1, comment=""):
    vertex = "".join(f"property {line}\n" for line in vertex.split(";") if line)
    face = "".join(f"property {line}\n" for line in face.split(";") if line)
    return (
        f"ply\nformat {form}\n{comment}element vertex {count}\nproperty float x\nproperty float y\nproperty float z\n"
        f"{vertex}element face {faces}\nproperty list uchar int vertex_indices\n{face}end_header\n"
    )


def text(rows=None, faces=("6 0 1 2 3 4 5",), **header):
    rows = rows or ["{} {} {}".format(*corner) for corner in CORNERS]
    return table(count=len(rows), faces=len(faces), **header) + "\n".join([*rows, *faces]) + "\n"


def with_values(*values):
    return ["{} {} {} ".format(*corner) + " ".join(map(str, values)) for corner in CORNERS]


def write(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def area(surfaces):
    total = 0.0
    for surface in surfaces:
        a, b, c = (surface.vertices[surface.faces[:, i]] for i in range(3))
        total += 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    return total


def binary(order="<", faces=((0, 1, 2, 3, 4, 5),)):
    form = {"<": "binary_little_endian 1.0", ">": "binary_big_endian 1.0"}[order]
    body = b"".join(struct.pack(order + "3f", *corner) for corner in CORNERS)
    body += b"".join(struct.pack(f"{order}B{len(face)}i", len(face), *face) for face in faces)
    return table(form=form, faces=len(faces)).encode() + body


@pytest.mark.parametrize(
    "content",
    [
        text(),
        text().replace("\n", "\r\n"),
        "\ufeff" + text(),
        text(comment="comment made by hand\nobj_info nothing\n"),
        text().replace("vertex_indices", "vertex_index"),
        text(["{} {} {} ".format(*c) for c in CORNERS], ["3 0 1 2", "5 0 2 3 4 5"]),
        binary("<"),
        binary(">"),
        binary("<", ((0, 1, 2), (0, 2, 3), (0, 3, 4), (0, 4, 5))),
        binary(">", ((0, 1, 2), (0, 2, 3, 4, 5))),
    ],
)
def test_all_forms_hold_the_same_shape(tmp_path, content):
    surfaces, remarks = read_ply(write(tmp_path / "a.ply", content))
    assert area(surfaces) == pytest.approx(3) and remarks == []


def test_carriage_returns_end_the_header_of_a_binary_file_too(tmp_path):
    head, _, body = binary("<").partition(b"end_header\n")
    content = head.replace(b"\n", b"\r\n") + b"end_header\r\n" + body
    assert area(read_ply(write(tmp_path / "a.ply", content))[0]) == pytest.approx(3)


COLORS = {
    "bytes": ("uchar red;uchar green;uchar blue", (255, 128, 0), 1.0),
    "with alpha": ("uchar red;uchar green;uchar blue;uchar alpha", (255, 128, 0, 51), 0.2),
    "words": ("ushort red;ushort green;ushort blue", (65535, 32896, 0), 1.0),
    "fractions": ("float red;float green;float blue;float alpha", (1.0, 128 / 255, 0.0, 0.2), 0.2),
    "floats up to 255": ("float red;float green;float blue", (255.0, 128.0, 0.0), 1.0),
    "short names": ("uchar r;uchar g;uchar b", (255, 128, 0), 1.0),
    "diffuse": ("uchar diffuse_red;uchar diffuse_green;uchar diffuse_blue", (255, 128, 0), 1.0),
    "beside coordinates": ("float s;float t;uchar red;uchar green;uchar blue", (0.5, 0.5, 255, 128, 0), 1.0),
}


@pytest.mark.parametrize("case", COLORS)
def test_colours_of_vertices(tmp_path, case):
    properties, values, alpha = COLORS[case]
    surfaces, remarks = read_ply(write(tmp_path / "a.ply", text(with_values(*values), vertex=properties)))
    np.testing.assert_allclose(surfaces[0].colors[0], [1, LINEAR_HALF, 0, alpha], atol=2e-3)
    assert surfaces[0].material.alpha_mode == ("BLEND" if alpha < 1 else "OPAQUE") and remarks == []


def test_colours_that_are_all_invisible_are_shown(tmp_path):
    properties = "uchar red;uchar green;uchar blue;uchar alpha"
    surfaces, remarks = read_ply(write(tmp_path / "a.ply", text(with_values(9, 9, 9, 0), vertex=properties)))
    assert (surfaces[0].colors[:, 3] == 1).all() and "invisible" in remarks[0]


def test_colours_of_faces(tmp_path):
    content = text(faces=("3 0 1 2 255 0 0", "5 0 2 3 4 5 0 0 255"), face="uchar red;uchar green;uchar blue")
    surface = read_ply(write(tmp_path / "a.ply", content))[0][0]
    assert area([surface]) == pytest.approx(3)
    assert (surface.colors[:3] == [1, 0, 0, 1]).all() and (surface.colors[3:] == [0, 0, 1, 1]).all()


@pytest.mark.parametrize("names", ["s t", "u v", "texture_u texture_v"])
def test_a_texture_of_a_comment_with_coordinates_of_vertices(tmp_path, names):
    Image.fromarray(np.full((2, 2, 3), (10, 200, 30), np.uint8)).save(tmp_path / "my wood.png")
    first, second = names.split()
    properties = f"float {first};float {second};uchar red;uchar green;uchar blue"
    comment = "comment TextureFile my wood.png\n"
    content = text(with_values(0.25, 0.75, 128, 128, 128), vertex=properties, comment=comment)
    surface = read_ply(write(tmp_path / "a.ply", content))[0][0]
    np.testing.assert_array_equal(surface.material.base_image[0, 0], (10, 200, 30))
    np.testing.assert_allclose(surface.uv[0], [0.25, 0.25])  # v down
    np.testing.assert_allclose(surface.colors[0], [LINEAR_HALF] * 3 + [1], atol=1e-6)  # both: they are multiplied


def test_a_texture_that_is_not_there_is_said(tmp_path):
    comment = "comment TextureFile gone.png\n"
    content = text(with_values(0.25, 0.75), vertex="float s;float t", comment=comment)
    assert "its texture gone.png is not there" in read_mesh(write(tmp_path / "a.ply", content)).remarks[0]
    assert "no texture coordinates" in read_ply(write(tmp_path / "a.ply", text(comment=comment)))[1][0]


def test_coordinates_and_textures_of_faces(tmp_path):
    for name, color in (("a.png", (255, 0, 0)), ("b.png", (0, 0, 255))):
        Image.fromarray(np.full((2, 2, 3), color, np.uint8)).save(tmp_path / name)
    comment = "comment TextureFile a.png\ncomment TextureFile b.png\n"
    faces = ("3 0 1 2 6 0 0 1 0 1 1 0", "5 0 2 3 4 5 10 0 0 1 1 1 1 1 1 0 1 1")
    content = text(faces=faces, face="list uchar float texcoord;int texnumber", comment=comment)
    surfaces, remarks = read_ply(write(tmp_path / "a.ply", content))
    assert [tuple(s.material.base_image[0, 0]) for s in surfaces] == [(255, 0, 0), (0, 0, 255)] and remarks == []
    np.testing.assert_allclose(surfaces[0].uv, [[0, 1], [1, 1], [1, 0]])
    assert area(surfaces) == pytest.approx(3)


def test_triangle_strips(tmp_path):
    content = (
        "ply\nformat ascii 1.0\nelement vertex 6\nproperty float x\nproperty float y\nproperty float z\n"
        "element tristrips 1\nproperty list int int vertex_indices\nend_header\n"
        "0 0 0\n1 0 0\n0 1 0\n1 1 0\n0 2 0\n1 2 0\n10 0 1 2 3 -1 2 3 4 5 -1\n"
    )
    surfaces, _ = read_ply(write(tmp_path / "a.ply", content))
    a, b, c = (surfaces[0].vertices[surfaces[0].faces[:, i]] for i in range(3))
    np.testing.assert_allclose(np.cross(b - a, c - a)[:, 2], [1, 1, 1, 1])


def test_normals_are_read(tmp_path):
    content = text(with_values(0, 0, 2), vertex="float nx;float ny;float nz")
    np.testing.assert_allclose(read_ply(write(tmp_path / "a.ply", content))[0][0].normals, [[0, 0, 1]] * 6)


HUGE = table(form="binary_little_endian 1.0", count=2_000_000_000).encode() + bytes(100)
BAD = {
    "empty": ("", "is empty; copy it again"),
    "no ply": ("solid cube", "is not a PLY file"),
    "header": ("ply\nformat ascii 1.0\nelement vertex 3\n", "cut short in its header"),
    "format": (text().replace("ascii", "gzip"), "has a line 'format gzip 1.0' that is not understood"),
    "type": (text().replace("float x", "quad x"), "'property quad x' that is not understood"),
    "count": (text().replace("vertex 6", "vertex -6"), "'element vertex -6' that is not understood"),
    "vertices": (HUGE, "fewer than the 2000000000 of vertex that its header counts"),
    "list": (binary()[:-24].replace(b"uchar int", b"uint int") + b"\xff\xff\xff\x7f", "is cut short or damaged"),
    "cut": (binary()[:-3], "is cut short or damaged: it holds fewer than the 1 of face"),
    "cut, unequal": (binary("<", ((0, 1, 2), (0, 2, 3, 4, 5)))[:-3], "is cut short or damaged"),
    "cut text": (text()[:-8], "is cut short or damaged"),
    "words": (text().replace("2 1 0", "2 x 0"), "has values that are not numbers"),
    "beyond": (text(faces=("3 0 1 9",)), "names a vertex that does not exist"),
    "below": (text(faces=("3 0 1 -1",)), "names a vertex that does not exist"),
    "nan": (text().replace("2 1 0", "nan 1 0"), "not finite numbers"),
    "points": (text(faces=()), "has no triangles; it is a cloud of 6 points; a surface is needed"),
    "axes": (text().replace("float z", "float w"), "has no vertices with x, y and z"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_file_is_named_in_one_line(tmp_path, case):
    content, message = BAD[case]
    with pytest.raises(MeshError, match=message) as caught:
        read_mesh(write(tmp_path / "bad.ply", content))
    assert "\n" not in str(caught.value) and str(tmp_path / "bad.ply") in str(caught.value)
