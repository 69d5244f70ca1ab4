import os

import numpy as np
import pytest
from PIL import Image

from manyfields.errors import MeshError
from manyfields.views.mesh import srgb_to_linear
from manyfields.views.meshes import read_mesh
from manyfields.views.obj import read_obj

SQUARE = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n"
FACE = "f 1/1 2/2 3/3 4/4\n"


def write(path, text):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def picture(path, color=(10, 200, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((2, 2, len(color)), color, dtype=np.uint8)).save(path)


def with_material(folder, mtl, face=FACE, name="a.mtl"):
    write(folder / name, f"newmtl one\n{mtl}\n")
    return write(folder / "a.obj", f"mtllib {name}\n{SQUARE}usemtl one\n{face}")


def area(surfaces):
    total = 0.0
    for surface in surfaces:
        a, b, c = (surface.vertices[surface.faces[:, i]] for i in range(3))
        total += 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1).sum()
    return total


def test_concave_faces_keep_their_notch(tmp_path):
    text = "v 0 0 0\nv 2 0 0\nv 2 1 0\nv 1 1 0\nv 1 2 0\nv 0 2 0\nf 1 2 3 4 5 6\n"
    for number in range(6):
        order = " ".join(str((number + i) % 6 + 1) for i in range(6))
        surfaces, remarks = read_obj(write(tmp_path / "l.obj", text.replace("1 2 3 4 5 6", order)))
        assert area(surfaces) == pytest.approx(3) and remarks == []


NAMES = {
    "backslashes": (r"map_Kd tex\a.png", "tex/a.png"),
    "absolute, Windows": (r"map_Kd C:\Users\me\art\a.png", "tex/a.png"),
    "absolute": ("map_Kd /home/me/a.png", "a.png"),
    "case": ("map_Kd Tex/A.PNG", "tex/a.png"),
    "spaces": ("map_Kd my wood.png", "my wood.png"),
    "quotes": ('map_Kd "my wood.png"', "my wood.png"),
    "per cent": ("map_Kd my%20wood.png", "my wood.png"),
    "dot": (r"map_Kd .\tex\.\a.png", "tex/a.png"),
    "tabs": ("\tmap_Kd\ta.png  ", "a.png"),
    "case of key": ("MAP_KD a.png", "a.png"),
    "options": ("map_Kd -blendu on -s 1 1 1 -o 0 0 -bm 0.4 -clamp on -mm 0 1 -texres 512 my a.png", "my a.png"),
    "up": (r"map_Kd ..\shared\a.png", "../shared/a.png"),
    "utf-8": ("map_Kd hölz.png", "hölz.png"),
}


@pytest.mark.parametrize("case", NAMES)
def test_a_texture_is_found_however_its_path_was_written(tmp_path, case):
    line, place = NAMES[case]
    folder = tmp_path / "mesh"
    folder.mkdir()
    picture(folder / place)
    surfaces, remarks = read_obj(with_material(folder, line))
    assert remarks == [] and surfaces[0].material.base_image is not None
    np.testing.assert_array_equal(surfaces[0].material.base_image[0, 0], (10, 200, 30))


@pytest.mark.parametrize("place", ["hölz.png".encode(), "hölz.png".encode("latin-1")])
def test_names_of_old_windows_programs_are_understood(tmp_path, place):
    picture(tmp_path / "a.png")
    try:
        os.rename(tmp_path / "a.png", os.path.join(os.fsencode(tmp_path), place))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    write(tmp_path / "a.mtl", "newmtl größe\nmap_Kd hölz.png\n".encode("latin-1"))
    text = f"mtllib a.mtl\n{SQUARE}usemtl größe\n{FACE}".encode("latin-1")
    surfaces, remarks = read_obj(write(tmp_path / "a.obj", text))
    assert surfaces[0].material.base_image is not None and remarks == []


@pytest.mark.parametrize("line", ["map_Kd .", "map_Kd", "map_Kd   "])
def test_no_name_is_no_texture(tmp_path, line):
    surfaces, remarks = read_obj(with_material(tmp_path, line))
    assert remarks == [] and surfaces[0].material.base_image is None


def test_what_is_not_found_is_said_with_its_name(tmp_path):
    _, remarks = read_obj(with_material(tmp_path, "map_Kd gone.png\nKd 1 0 0"))
    assert remarks == ["material one: its texture gone.png is not there; put it beside the mesh"]
    write(tmp_path / "gone.png", "no picture")
    assert "its texture gone.png cannot be read" in read_obj(tmp_path / "a.obj")[1][0]
    _, remarks = read_obj(write(tmp_path / "b.obj", f"mtllib none.mtl\n{SQUARE}usemtl x\n{FACE}"))
    assert remarks == ["its materials none.mtl are not there; put them beside the mesh"]
    _, remarks = read_obj(write(tmp_path / "b.obj", f"mtllib a.mtl\n{SQUARE}usemtl x\n{FACE}"))
    assert "material x is in none of its material files; shown white" in remarks
    _, remarks = read_obj(write(tmp_path / "c.obj", f"{SQUARE}usemtl x\n{FACE}"))
    assert remarks == ["it names materials, but no file of them (mtllib)"]


def test_remarks_come_with_the_mesh(tmp_path):
    assert "gone.png is not there" in read_mesh(with_material(tmp_path, "map_Kd gone.png")).remarks[0]


@pytest.mark.parametrize(
    "statement",
    [
        "mtllib a.mtl b.mtl",
        "mtllib a.mtl\nmtllib b.mtl",
        r"mtllib .\A.MTL b.mtl",
        "mtllib a.mtl b",
        "mtllib two of.mtl",
    ],
)
def test_several_material_files_in_any_form(tmp_path, statement):
    write(tmp_path / "a.mtl", "newmtl one\nKd 1 0 0\n")
    write(tmp_path / "b.mtl", "newmtl two two\nKd 0 1 0\n")
    write(tmp_path / "two of.mtl", "newmtl one\nKd 1 0 0\nnewmtl two two\nKd 0 1 0\n")
    text = f"{statement}\n{SQUARE}usemtl one\nf 1 2 3\nusemtl Two two \nf 1 3 4\n"
    surfaces, remarks = read_obj(write(tmp_path / "x.obj", text))
    assert [s.material.base_color for s in surfaces] == [(1, 0, 0, 1), (0, 1, 0, 1)] and remarks == []


ALPHAS = {
    "d": ("d 0.25", 0.25),
    "Tr": ("Tr 0.75", 0.25),
    "d wins": ("Tr 1\nd 0.25", 0.25),
    "halo": ("d -halo 0.25", 0.25),
    "opaque": ("d 1.0\nTr 0.0", 1.0),
    "Tr as d": ("Tr 1.0", 1.0),
    "comment": ("d 0.25 # glass", 0.25),
}


@pytest.mark.parametrize("case", ALPHAS)
def test_dissolve_and_transparency(tmp_path, case):
    line, alpha = ALPHAS[case]
    material = read_obj(with_material(tmp_path, line))[0][0].material
    assert material.base_color[3] == pytest.approx(alpha)
    assert material.alpha_mode == ("BLEND" if alpha < 1 else "OPAQUE")


def test_map_d_becomes_alpha_by_its_own_alpha_or_its_grey(tmp_path):
    picture(tmp_path / "grey.png", (64, 64, 64))
    picture(tmp_path / "cut.png", (10, 200, 30, 40))
    picture(tmp_path / "wood.png")
    cases = {
        "map_d grey.png\nKd 1 0 0": (255, 0, 0, 64),
        "map_d cut.png\nmap_Kd cut.png": (10, 200, 30, 40),
        "map_Kd wood.png\nmap_d -imfchan g cut.png": (10, 200, 30, 200),
        "map_Kd wood.png\nmap_Tr grey.png": (10, 200, 30, 191),
        "map_Kd wood.png\nd 0\nmap_d grey.png": (10, 200, 30, 64),
    }
    for lines, expected in cases.items():
        material = read_obj(with_material(tmp_path, lines))[0][0].material
        assert material.alpha_mode == "BLEND"
        np.testing.assert_array_equal(material.base_image[0, 0], expected, err_msg=lines)


def test_textures_of_colour_and_alpha_may_differ_in_size(tmp_path):
    Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(np.full((4, 16), 30, np.uint8)).save(tmp_path / "b.png")
    image = read_obj(with_material(tmp_path, "map_Kd a.png\nmap_d b.png"))[0][0].material.base_image
    assert image.shape == (8, 16, 4) and (image == [90, 90, 90, 30]).all()


def test_texture_coordinates_are_scaled_and_shifted(tmp_path):
    picture(tmp_path / "a.png")
    plain = read_obj(with_material(tmp_path, "map_Kd a.png"))[0][0].uv
    moved = read_obj(with_material(tmp_path, "map_Kd -s 2 3 1 -o 0.25 0.5 a.png"))[0][0].uv
    up = np.stack([plain[:, 0], 1 - plain[:, 1]], axis=1) * [2, 3] + [0.25, 0.5]
    np.testing.assert_allclose(moved, np.stack([up[:, 0], 1 - up[:, 1]], axis=1))


def test_a_texture_that_is_clamped(tmp_path):
    picture(tmp_path / "a.png")
    material = read_obj(with_material(tmp_path, "map_Kd -clamp on a.png"))[0][0].material
    assert material.samplers["base"].wrap == ("clamp", "clamp")
    assert read_obj(with_material(tmp_path, "map_Kd -clamp off a.png"))[0][0].material.samplers == {}


def test_emission_and_metal(tmp_path):
    picture(tmp_path / "e.png")
    material = read_obj(with_material(tmp_path, "Ke 0 1 0\nPm 1\nPr 0.3"))[0][0].material
    assert (material.emissive, material.metallic, material.roughness) == ((0, 1, 0), 1.0, 0.3)
    material = read_obj(with_material(tmp_path, "Ke 0 0 0\nmap_Ke e.png"))[0][0].material
    assert material.emissive == (1, 1, 1) and material.emissive_image is not None


@pytest.mark.parametrize("line", ["Kd 1,0 0 0", "Kd spectral a.rfl 1", "d half", "Tr nan"])
def test_values_that_are_no_numbers_are_remarked(tmp_path, line):
    assert line.split()[1] in read_obj(with_material(tmp_path, line))[1][0]


def test_one_number_is_a_grey(tmp_path):
    color = read_obj(with_material(tmp_path, "Kd 0.5"))[0][0].material.base_color
    np.testing.assert_allclose(color, [*[float(srgb_to_linear(np.array(0.5)))] * 3, 1])


FORMS = {
    "backwards": SQUARE + "f -4/-4 -3/-3 -2/-2 -1/-1\n",
    "backwards, in between": "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf -4 -3 -2 -1\nv 9 9 9\nv 8 8 8\n",
    "continued": SQUARE.replace("v 1 0 0", "v 1 \\\n0 0") + "f 1/1 2/2 \\\n 3/3 4/4\n",
    "windows": (SQUARE + FACE).replace("\n", "\r\n"),
    "continued, windows": (SQUARE + "f 1/1 2/2 \\\n 3/3 4/4\n").replace("\n", "\r\n"),
    "old mac": (SQUARE + FACE).replace("\n", "\r"),
    "tabs": (SQUARE + FACE).replace(" ", "\t"),
    "comments": SQUARE + "f 1/1 2/2 3/3 4/4 # a square\n#f 1 2 3\n",
    "mark": ("\ufeff" + SQUARE + FACE).encode(),
    "utf-16": (SQUARE + FACE).encode("utf-16"),
    "w": SQUARE.replace("v 0 0 0", "v 0 0 0 1") + FACE,
    "uvw": SQUARE.replace("vt 0 0", "vt 0 0 0") + FACE,
    "exponents": SQUARE.replace("v 1 0 0", "v 1e0 0.0E-3 +0") + FACE,
    "groups": "o box\ng a b\ns 1\n" + SQUARE + "g c\n" + FACE,
    "two forms of corners": SQUARE + "f 1/1 2/2 3\nf 1//  3 4\n".replace("1//  3", "1 3"),
    "no end of line": (SQUARE + FACE).strip(),
    "lines and points": SQUARE + FACE + "l 1 2\np 1\n",
}


@pytest.mark.parametrize("case", FORMS)
def test_forms_of_one_square(tmp_path, case):
    surfaces, remarks = read_obj(write(tmp_path / "a.obj", FORMS[case]))
    assert area(surfaces) == pytest.approx(1) and remarks == []
    used = surfaces[0].vertices[np.unique(surfaces[0].faces)]
    np.testing.assert_allclose(used.max(0), [1, 1, 0])


def test_colours_of_vertices(tmp_path):
    text = "v 0 0 0 1 0 0\nv 1 0 0 0.5 0.5 0.5\nv 1 1 0 0 0 1\nf 1 2 3\n"
    colors = read_obj(write(tmp_path / "a.obj", text))[0][0].colors
    np.testing.assert_allclose(colors[1], [0.2140411, 0.2140411, 0.2140411, 1], atol=1e-6)
    bytes_ = text.replace("0.5", "128").replace("0 1 0 0\n", "0 255 0 0\n").replace("0 0 1\n", "0 0 255\n")
    np.testing.assert_allclose(read_obj(write(tmp_path / "a.obj", bytes_))[0][0].colors, colors, atol=2e-3)
    bare = text.replace("v 0 0 0 1 0 0", "v 0 0 0")
    np.testing.assert_allclose(read_obj(write(tmp_path / "a.obj", bare))[0][0].colors[0], [1, 1, 1, 1])


def test_normals_are_read_and_bad_ones_are_not(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvn 0 0 2\nf 1//1 2//1 3//1\n"
    np.testing.assert_allclose(read_obj(write(tmp_path / "a.obj", text))[0][0].normals, [[0, 0, 1]] * 3)
    for bad in ("vn 0 0 0", "vn nan 0 0", "vn 1"):
        assert read_obj(write(tmp_path / "a.obj", text.replace("vn 0 0 2", bad)))[0][0].normals is None


def test_smoothing_off_makes_facets(tmp_path):
    text = "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 1\nf 1 2 3\nf 2 4 3\n"
    smooth = read_obj(write(tmp_path / "a.obj", text))[0][0]
    assert smooth.normals is None and len(smooth.vertices) == 4 and not smooth.flat
    assert read_obj(write(tmp_path / "a.obj", "s off\n" + text))[0][0].flat
    mixed, _ = read_obj(write(tmp_path / "a.obj", text.replace("f 2", "s 0\nf 2")))
    assert [surface.flat for surface in mixed] == [False, True]


def test_corners_that_are_alike_are_one_vertex(tmp_path):
    surface = read_obj(write(tmp_path / "a.obj", SQUARE + "f 1/1 2/2 3/3\nf 1/1 3/3 4/4\n"))[0][0]
    assert len(surface.vertices) == 4
    seam = read_obj(write(tmp_path / "a.obj", SQUARE + "f 1/1 2/2 3/3\nf 1/2 3/3 4/4\n"))[0][0]
    assert len(seam.vertices) == 5


def test_references_to_coordinates_that_are_not_there_are_remarked(tmp_path):
    surfaces, remarks = read_obj(write(tmp_path / "a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1/1/1 2/2/2 3/3/3\n"))
    assert surfaces[0].uv is None and surfaces[0].normals is None
    assert remarks == [
        "some corners of faces name texture coordinates that do not exist",
        "some corners of faces name normals that do not exist",
    ]


def test_faces_with_and_without_coordinates_of_one_material(tmp_path):
    picture(tmp_path / "a.png")
    with_material(tmp_path, "Kd 1 0 0\nd 0.5\nmap_Kd a.png")
    text = f"mtllib a.mtl\n{SQUARE}vn 0 0 1\nusemtl one\nf 1/1/1 2/2/1 3/3/1\nf 1 3 4\n"
    surfaces, remarks = read_obj(write(tmp_path / "a.obj", text))
    assert remarks == ["material one has a texture, but faces without texture coordinates"]
    bare, textured = sorted(surfaces, key=lambda surface: surface.uv is not None)
    assert bare.material.base_image is None and bare.material.base_color == (1, 0, 0, 0.5)
    assert textured.material.base_image is not None and textured.normals is not None and bare.normals is None
    assert {bare.material.alpha_mode, textured.material.alpha_mode} == {"BLEND"}


def test_free_forms_and_faces_of_two_corners_are_left_out(tmp_path):
    _, remarks = read_obj(write(tmp_path / "a.obj", SQUARE + FACE + "f 1 2\ncurv 0 1 1 2\n"))
    assert remarks == ["curves are left out", "1 faces of fewer than three corners are left out"]


BAD = {
    "empty": ("", "is empty; copy it again"),
    "blank": ("\n \n", "is empty; copy it again"),
    "points": ("v 0 0 0\n", "has no triangles"),
    "binary": (b"\x00\x01\x02" * 50, "has no triangles"),
    "beyond": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 4\n", "a face names vertex 4 of 3, which does not exist"),
    "zero": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 0 1 2\n", "a face names vertex 0 of 3"),
    "backwards beyond": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf -1 -2 -9\n", "which does not exist"),
    "comma": ("v 0,5 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", "a vertex '0,5 0 0' that is not of numbers"),
    "short": ("v 0 0 0\nv 1 0\nv 1 1 0\nf 1 2 3\n", "vertex 2 is not three finite numbers"),
    "nan": ("v 0 0 0\nv nan 0 0\nv 1 1 0\nf 1 2 3\n", "not (three )?finite numbers"),
    "inf": ("v 0 0 0\nv inf 0 0\nv 1 1 0\nf 1 2 3\n", "not finite numbers"),
    "words": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf a b c\n", "faces that are not of whole numbers"),
    "parts": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1.5 2 3\n", "faces that are not of whole numbers"),
    "too large": ("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 8e61\n", "faces that are not of whole numbers"),
    "one point": ("v 1 1 1\nv 1 1 1\nv 1 1 1\nf 1 2 3\n", "all vertices lie on one point"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_broken_file_is_named_in_one_line(tmp_path, case):
    text, message = BAD[case]
    with pytest.raises(MeshError, match=message) as caught:
        read_mesh(write(tmp_path / "bad.obj", text))
    assert "\n" not in str(caught.value) and str(tmp_path / "bad.obj") in str(caught.value)


def test_a_number_missing_at_the_end_of_the_file_is_an_unused_vertex(tmp_path):
    surfaces, _ = read_obj(write(tmp_path / "a.obj", SQUARE + FACE + "v 0.1 0."))
    assert area(surfaces) == pytest.approx(1)
