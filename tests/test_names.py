import json

import pytest

from manyfields.names import FILE_BYTES, ID_BYTES, fit_name, fit_text, id_fault, printable, same_name

UNFIT = [
    "02958343/1a2b",
    "a\\b",
    "tab\there",
    "line\nbreak",
    "\x1b[31m",
    "schlo\udcdf",  # byte 0xDF of a folder's name
    "\ud800",
    "x" * 600,
    "\u2028",
    "a\x85b",
    "..",
    "",
]


@pytest.mark.parametrize("name", UNFIT)
def test_a_fit_name_is_taken_by_a_store_and_by_a_file_system(tmp_path, name):
    fit = fit_name(name)
    assert fit == "" or id_fault(fit) is None
    assert fit == fit_name(fit)
    assert len(fit.encode()) <= FILE_BYTES
    if fit:
        (tmp_path / f"{fit}.png").write_bytes(b"")


def test_a_fit_name_stays():
    for name in ("car 1", "Dübel", "a.b", "椅子", "x" * FILE_BYTES, "-a"):
        assert fit_name(name) == name and id_fault(name) is None


def test_what_fit_names_look_like():
    assert fit_name("02958343/1a2b") == "02958343-1a2b"
    assert fit_name("schlo\udcdf") == "schlo%DF"
    assert fit_name(" a\tb ") == "a-b"
    assert fit_name("/.. -") == ""
    long = [fit_name("ü" * 300 + end) for end in "ab"]
    assert long[0] != long[1] and all(name.startswith("ü" * 95) for name in long)


def test_what_a_store_refuses():
    assert id_fault("x" * ID_BYTES) is None
    for name in ("", "x" * (ID_BYTES + 1), "a/b", "a\\b", "a\x00", "a\x7f", ".", "..", "\udcdf"):
        assert id_fault(name)


def test_text_is_printable_and_can_be_stored():
    assert printable("schlo\udcdf\n\x1b[1m\ud800") == "schlo\\xdf\\n\\x1b[1m\\ud800"
    assert printable("Größe 椅子") == "Größe 椅子"
    assert len(fit_text("ü" * 999).encode()) <= ID_BYTES
    json.dumps(printable("\ud800")).encode()


def test_names_that_file_systems_take_for_the_same():
    assert same_name("Cafe\u0301") == same_name("CAFÉ") != same_name("cafe")
