"""One bad object never ends a set, whatever its files hold."""

import codecs
import json
import struct
import zlib

import pytest

from manyfields.errors import ViewError
from manyfields.views import check_views, read_views, usable_views
from manyfields.views.images import image_size, load_image


def png_that_says(width, height):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (11_000, 11_000), (9_000, 9_000)])
def test_an_image_that_says_it_is_huge_is_left_out(make, tmp_path, size):
    make.transforms(tmp_path, 5, w=None, h=None)
    (tmp_path / "rgba" / "001.png").write_bytes(png_that_says(*size))
    views = read_views(tmp_path)
    assert [(problem.view, problem.kind) for problem in check_views(views) if not problem.remark] == [
        ("rgba/001", "unreadable")
    ]
    assert (views[0].cameras.width, views[0].cameras.height) == (8, 8)


def test_a_huge_image_is_refused_by_its_header(tmp_path):
    (tmp_path / "a.png").write_bytes(png_that_says(11_000, 11_000))
    for read in (image_size, load_image):
        with pytest.raises(ViewError, match="says that it is 11000x11000, more than the 100,000,000 pixels"):
            read(tmp_path / "a.png")


def write_frames(folder, frame, **header):
    folder.mkdir()
    content = {"fl_x": 9, "w": 8, "h": 8, "frames": [frame] * 4, **header}
    (folder / "transforms.json").write_text(json.dumps(content))


POSE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 3], [0, 0, 0, 1]]


def test_whatever_a_file_holds_the_other_objects_are_read(make, tmp_path, monkeypatch):
    make.transforms(tmp_path / "good")
    for name, frame in {
        "no frame": 3,
        "null": None,
        "path is a number": {"file_path": 7, "transform_matrix": POSE},
        "long path": {"file_path": "x" * 5000, "transform_matrix": POSE},
        "nul": {"file_path": "a\0b", "transform_matrix": POSE},
        "half a character": {"file_path": "\ud800", "transform_matrix": POSE},
        "empty path": {"file_path": "", "transform_matrix": POSE},
        "outside": {"file_path": "../" * 90 + "dev/zero", "transform_matrix": POSE},
        "pose of text": {"file_path": "a.png", "transform_matrix": [["1"] * 4] * 4},
        "pose of objects": {"file_path": "a.png", "transform_matrix": {"a": 1}},
        "huge numbers": {"file_path": "a.png", "transform_matrix": [[1e308] * 4] * 4},
        "long integers": {"file_path": "a.png", "transform_matrix": [[10**400] * 4] * 4},
    }.items():
        write_frames(tmp_path / name, frame)
    write_frames(tmp_path / "lists", {"file_path": "a.png"}, train_filenames={"a": 1}, test_filenames=[[]])
    write_frames(tmp_path / "header", {"file_path": "a.png"}, aabb="big", object_id=[1], group={}, depth_unit="m")
    (tmp_path / "loop").mkdir()
    (tmp_path / "loop" / "again").symlink_to(tmp_path / "loop")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "srn" / "rgb").mkdir(parents=True)
    (tmp_path / "srn" / "pose").mkdir()
    (tmp_path / "srn" / "intrinsics.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "colmap" / "sparse").mkdir(parents=True)
    for name in ("cameras", "images"):
        (tmp_path / "colmap" / "sparse" / f"{name}.txt").write_bytes(b"\x00\xff" * 50)
    usable, problems = usable_views(read_views(tmp_path))
    assert usable.ids == ["good"] and check_views(usable) == []
    assert all("\n" not in problem.message for problem in problems)


def test_a_reader_that_fails_in_its_own_way_ends_one_object(make, tmp_path, monkeypatch):
    from manyfields.views.readers import transforms

    make.transforms(tmp_path / "a")
    make.transforms(tmp_path / "b")
    real = transforms.read_json

    def failing(path):
        if path.parent.name == "a":
            raise MemoryError
        return real(path)

    monkeypatch.setattr(transforms, "read_json", failing)
    views = read_views(tmp_path)
    assert views.ids == ["b"] and "cannot be read (MemoryError" in views.problems[0].message


def test_folders_that_may_not_be_looked_into(make, tmp_path, monkeypatch):
    from manyfields.views.readers import detect

    make.transforms(tmp_path / "a")
    make.transforms(tmp_path / "b")
    (tmp_path / "c").mkdir()
    real, real_folders = detect.find_reader, detect._folders

    def refused(folder):
        if folder.name == "a":
            raise PermissionError(13, "Permission denied", str(folder))
        return real(folder)

    def shut(folder):
        if folder.name == "c":
            raise PermissionError(13, "Permission denied", str(folder))
        return real_folders(folder)

    monkeypatch.setattr(detect, "find_reader", refused)
    monkeypatch.setattr(detect, "_folders", shut)
    views = read_views(tmp_path)
    assert views.ids == ["b"] and [problem.object for problem in views.problems] == ["a", "c"]
    assert all("Permission denied" in problem.message for problem in views.problems)


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_byte_order_marks_mean_nothing(make, tmp_path, mark):
    coding = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}[mark]
    make.transforms(tmp_path, object_id="Größe")
    file = tmp_path / "transforms.json"
    file.write_bytes(mark + file.read_text().encode(coding))
    assert read_views(tmp_path).ids == ["Größe"]


@pytest.mark.parametrize("ending", [".PNG", ".Png", ".JPG", ".TIFF"])
def test_endings_in_capitals(make, tmp_path, ending):
    make.transforms(tmp_path, extension="", w=None, h=None)
    for file in (tmp_path / "rgba").iterdir():
        make.save_picture(file.with_suffix(".tmp.png"), make.picture(int(file.stem))[..., :3])
        file.with_suffix(".tmp.png").rename(file.with_suffix(ending))
        file.unlink()
    assert len(read_views(tmp_path)[0].images()) == 6
    written = ending.lower()
    make.edit(
        tmp_path, lambda content: [frame.update(file_path=frame["file_path"] + written) for frame in content["frames"]]
    )
    (item,) = read_views(tmp_path)
    assert len(item.images()) == 6 and item.names[0] == "rgba/000"
