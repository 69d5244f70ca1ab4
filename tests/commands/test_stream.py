"""`info`, `verify`, `stream` and `render` on a small collection of octrees, by the command line."""

import numpy as np
import pytest
from PIL import Image

from manyfields.commands import main
from manyfields.families.octree.stream.stream import read_header


@pytest.fixture
def run(tmp_path, octrees):
    codes = octrees.quantised_codes(octrees.ball(0), octrees.ball(1))
    octrees.write_collection(tmp_path / "run", codes, ("mug", "cup"))
    return tmp_path / "run"


@pytest.fixture
def file(run, tmp_path, capsys):
    words = ["stream", str(run), "--object", "mug", "--out", str(tmp_path / "sub" / "mug.vq"), "--network-bits", "16"]
    assert main(words) == 0
    capsys.readouterr()
    return tmp_path / "sub" / "mug.vq"


def rendered(words: list[str], out) -> np.ndarray:
    assert main(["render", *words, "--out", str(out), "--size", "12"]) == 0
    return np.asarray(Image.open(out))


def test_info_counts_the_bytes_of_levels(run, capsys):
    assert main(["info", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "Octrees: mean bytes of 2 objects" in shown
    rows = {line.strip().split("  ")[0]: line.split() for line in shown.splitlines() if line.strip()}
    assert [rows[f"level {level}"][2] for level in (2, 3, 4)] == ["3", "3", "3"]
    assert int(rows["all, and the network"][-1].replace(",", "")) > int(
        rows["all, and the network"][-2].replace(",", "")
    )
    assert "times fewer than float16 features by the paper's count" in shown


def test_verify(run, capsys):
    assert main(["verify", str(run)]) == 0
    assert "every checksum is right" in capsys.readouterr().out


def test_stream_tells_where_levels_end(run, tmp_path, capsys):
    out = tmp_path / "cup.vq"
    assert main(["stream", str(run), "--object", "cup", "--out", str(out), "--level", "2"]) == 0
    shown = capsys.readouterr().out.splitlines()
    ends = read_header(out.read_bytes()).ends()
    assert shown[-1] == str(out) and len(ends) == 3
    last = [line.split()[-1] for line in shown if line.strip().startswith("level")]
    assert [int(cell.replace(",", "")) for cell in last] == ends[1:]


def test_first_bytes_of_a_file_render_as_levels_of_the_run(run, file, tmp_path):
    ends = read_header(file.read_bytes()).ends()
    pictures = []
    for level in (1, 2, 3):
        of_run = rendered([str(run), "--object", "mug", "--level", str(level)], tmp_path / "run.png")
        assert np.array_equal(of_run, rendered([str(file), "--bytes", str(ends[level])], tmp_path / "file.png"))
        assert np.array_equal(of_run, rendered([str(file), "--level", str(level)], tmp_path / "file.png"))
        pictures.append(of_run)
    assert not np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[1], pictures[2])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bytes", "1000000", "--object", "cup"], "holds the object 'mug', not 'cup'"),
        (["--bytes", "40"], "the header is cut short"),
        (["--bytes", "0"], "bytes: a number of at least 1, not 0"),
        (["--level", "0"], "level: a number of at least 1, not 0"),
    ],
)
def test_render_says_what_is_wrong(file, tmp_path, capsys, words, message):
    assert main(["render", str(file), "--out", str(tmp_path / "a.png"), *words]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and error.count("\n") == 1
    assert not (tmp_path / "a.png").exists()


def test_too_few_bytes_for_a_level(file, tmp_path, capsys):
    end = read_header(file.read_bytes()).ends()[1]
    assert main(["render", str(file), "--out", str(tmp_path / "a.png"), "--bytes", str(end - 1)]) == 1
    expected = f"error: {file}: its first {end - 1:,} bytes hold no whole level; the first level ends at byte {end:,}\n"
    assert capsys.readouterr().err == expected


def test_a_file_that_is_cut_short_names_the_level(file, tmp_path, capsys):
    file.write_bytes(file.read_bytes()[:-1])
    assert main(["render", str(file), "--out", str(tmp_path / "a.png")]) == 1
    assert f"error: {file}: indices of level 4: cut short" in capsys.readouterr().err
    assert main(["render", str(file), "--out", str(tmp_path / "a.png"), "--bytes", "1000000"]) == 0


def test_what_is_for_files_and_what_for_runs(run, tmp_path, capsys):
    out = ["--out", str(tmp_path / "a.png")]
    assert main(["render", str(run), *out]) == 1
    assert f"--object: say which one; `manyfields info {run}` lists them" in capsys.readouterr().err
    assert main(["render", str(run), *out, "--object", "mug", "--bytes", "9"]) == 1
    assert "--bytes is for a file of `manyfields stream`" in capsys.readouterr().err
    assert main(["render", str(run / "collection.json"), *out]) == 1
    assert "it does not start with MFVQ" in capsys.readouterr().err


def test_only_quantised_octrees_stream(tmp_path, octrees, capsys):
    octrees.write_collection(tmp_path / "plain", octrees.plain_codes(octrees.ball()), ("mug",))
    assert main(["stream", str(tmp_path / "plain"), "--object", "mug", "--out", str(tmp_path / "mug.vq")]) == 1
    assert "has features without codebooks: fit with bits (--bits 6) to stream it" in capsys.readouterr().err
    assert not (tmp_path / "mug.vq").exists()
