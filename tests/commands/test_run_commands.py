"""Commands over a run pass on what the user said, in the words of the functions in `manyfields.runs`."""

import inspect
import json
from pathlib import Path

import pytest

from manyfields import runs
from manyfields.commands import main


@pytest.fixture
def recorded(monkeypatch):
    """Replace a function of `runs`: what it is called with must fit its real signature, and is kept."""

    def replace(name: str, result):
        signature, calls = inspect.signature(getattr(runs, name)), []

        def stand_in(*args, **kwargs):
            calls.append(signature.bind(*args, **kwargs).arguments)
            return result

        monkeypatch.setattr(runs, name, stand_in)
        return calls

    return replace


def said(call: dict, **expected):
    assert {name: call.get(name) for name in expected} == expected


def test_fit(recorded):
    calls = recorded("fit", None)
    assert (
        main(["fit", "data", "--out", "run", "--minutes", "3", "--seed", "5", "--stage1-objects", "4", "--resume"]) == 0
    )
    said(calls[0], data=Path("data"), out=Path("run"), minutes=3.0, resume=True, report=True, objects=())
    said(calls[0]["changes"], seed=5, stage1_objects=4)


def test_fit_of_octrees(recorded):
    calls = recorded("fit", None)
    assert main(["fit", "octree", "data", "--out", "run", "--bits", "6", "--seed", "3"]) == 0
    said(calls[0], data=Path("data"), family="octree", preset=None)
    said(calls[0]["changes"], bits=6, seed=3, density=None)


def test_fit_without_report(recorded):
    calls = recorded("fit", None)
    assert main(["fit", "data", "--out", "run", "--no-report", "--preset", "tri-planes"]) == 0
    said(calls[0], report=False, preset="tri-planes")


def test_add(recorded, monkeypatch, capsys):
    monkeypatch.setattr("manyfields.commands._run_folder.open_run", lambda folder: ["truck"])
    calls = recorded("add", ["truck", "bus", "tram"])
    assert main(["add", "run", "new", "--minutes", "1"]) == 0
    assert capsys.readouterr().out == "2 objects added to run\n"
    assert [str(value) for value in list(calls[0].values())[:2]] == ["run", "new"]
    said(calls[0], minutes=1.0)


def test_eval_prints_a_table_and_writes_json(recorded, tmp_path, capsys):
    figures = {
        "mean": {"psnr": 29.0, "lpips": None},
        "objects": {"truck": {"psnr": 29.0, "lpips": None}},
        "notes": ["lpips: no weights"],
    }
    calls = recorded("evaluate", figures)
    assert main(["eval", "run", "--level", "1", "--json", str(tmp_path / "figures.json")]) == 0
    said(calls[0], level=1)
    assert json.loads((tmp_path / "figures.json").read_text()) == figures
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == "lpips: no weights"
    rows = [line.split() for line in shown]
    assert ["truck", "29.00", "-"] in rows and ["mean", "29.00", "-"] in rows


def test_compare_prints_a_row_a_variant(recorded, capsys):
    calls = recorded("compare", [{"variant": "fused-planes", "psnr": 28.5}, {"variant": "tri-planes", "psnr": 24.5}])
    assert main(["compare", "data", "--minutes", "2", "--variants", "fused-planes", "tri-planes"]) == 0
    said(calls[0], minutes=2.0, variants=("fused-planes", "tri-planes"))
    assert ["tri-planes", "24.50"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_compare_of_codecs(recorded, capsys):
    calls = recorded("compare_codecs", [{"method": "vq6", "psnr": 30.5, "bytes": 1234}])
    assert main(["compare", "data", "--codecs", "--steps", "200", "--methods", "vq6", "--objects", "Avocado"]) == 0
    said(calls[0], steps=200, methods=("vq6",), objects=("Avocado",), seed=0)
    assert ["vq6", "30.50", "1,234"] in [line.split() for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(("asked", "families"), [(["all"], ()), (["octree", "mixture"], ("octree", "mixture"))])
def test_compare_of_families(recorded, capsys, asked, families):
    row = {"family": "octree", "stored_as": "vq", "psnr": 30.5, "foreground_psnr": 24.5, "object_bytes": 1234.0}
    row |= {"shared_bytes": 4000, "bytes_with_shared": 2234.0, "objects": 4, "fps": None, "steps": 77}
    calls = recorded("compare_families", [row])
    assert main(["compare", "data", "--families", *asked, "--minutes", "2", "--objects", "a", "b"]) == 0
    said(calls[0], minutes=2.0, families=families, objects=("a", "b"), seed=0)
    shown = capsys.readouterr().out.splitlines()
    cells = ["octree", "vq", "30.50", "24.50", "-", "-", "1234.00", "4,000", "2234.00", "-", "-", "-"]
    assert cells in [line.split() for line in shown]
    assert "bytes an object, with the shared part, N = 4" in " ".join(" ".join(shown).split())
    assert "families.png" in shown[-1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--codecs", "--minutes", "2"], "--codecs goes by --steps"),
        (["--steps", "9", "--minutes", "2"], "--methods and --steps are of --codecs"),
        (["--objects", "a", "--minutes", "2"], "--objects is of --families and --codecs"),
        (["--families", "all", "--codecs"], "are comparisons of three kinds"),
        (["--families", "all", "--variants", "m1", "--minutes", "2"], "are comparisons of three kinds"),
        (["--families", "all"], "--minutes says how long"),
        ([], "--minutes says how long each variant is fitted"),
    ],
)
def test_flags_of_compare_that_do_not_go_together(flags, message, capsys):
    assert main(["compare", "data", *flags]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("file", "views"), [("a.png", 1), ("a.MP4", 72)])
def test_render_chooses_the_number_of_views_by_the_file(recorded, file, views):
    calls = recorded("render_object", None)
    assert main(["render", "run", "--object", "truck", "--out", file]) == 0
    said(calls[0], views=views, size=256, level=None)


def test_demo(recorded, tmp_path, capsys):
    calls = recorded("demo", tmp_path / "report.html")
    assert main(["demo", "--out", str(tmp_path), "--minutes", "1"]) == 0
    said(calls[0], minutes=1.0)
    assert "report.html" in capsys.readouterr().out
