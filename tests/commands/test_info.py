"""`info` and `verify` on a small collection made here, whole, damaged and missing."""

from pathlib import Path

import pytest
import torch

from manyfields.collection import ObjectRecord, create_collection, open_collection
from manyfields.commands import main

LAYERS = [b"weights" * 10, b"planes" * 1000]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    collection = create_collection(
        folder, shared={"base": torch.zeros(50, 4)}, config={"family": {"name": "fused-planes", "M": 50}}
    )
    collection.append(
        [
            ObjectRecord("truck [red]", LAYERS, label="vehicle", group="a", metrics={"psnr": 28.0, "ssim": 0.9}),
            ObjectRecord("bus", LAYERS, label="vehicle", group="b", metrics={"psnr": 30.0}),
        ]
    )
    return folder


def test_info_shows_config_bytes_and_quality(run, capsys):
    assert main(["info", str(run)]) == 0
    shown = capsys.readouterr().out
    lines = {line.split("  ")[1 if line.startswith("  ") else 0].strip(): line for line in shown.splitlines() if line}
    shared = open_collection(run).sizes()["shared"]
    assert "with the shared part, N = 2" in shown and "for each object, N = 2" in shown
    assert lines["family.M"].split()[-1] == "50"
    assert lines["objects: layer 0"].split() == ["objects:", "layer", "0", "140", "140", "B", "70", "B"]
    assert lines["objects: finer layers"].split()[3] == "12,000"
    assert lines["truck [red]"].split()[-4:] == ["6,070", f"{round(6070 + shared / 2):,}", "28.00", "0.9000"]
    assert lines["bus"].split()[-2:] == ["30.00", "-"]
    assert lines["mean"].split()[-2:] == ["29.00", "0.9000"]


def test_the_foreground_stands_right_after_each_psnr(tmp_path, capsys):
    collection = create_collection(tmp_path / "run", shared={"base": torch.zeros(5, 4)}, config={"family": {}})
    metrics = {"ssim": 0.5, "foreground_psnr": 21.0, "layer0_foreground_psnr": 11.0, "layer0_psnr": 12.0, "psnr": 22.0}
    collection.append([ObjectRecord("bus", LAYERS, metrics={**metrics, "holes": 0.25, "stage": 1.0})])
    assert main(["info", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().out.splitlines()
    titles, row = (next(line.split() for line in lines if f" {word} " in line) for word in ("layer0_psnr", "bus"))
    assert titles[-6:] == ["psnr", "foreground", "holes", "ssim", "layer0_psnr", "foreground"]
    assert row[-6:] == ["22.00", "21.00", "0.2500", "0.5000", "12.00", "11.00"]


def test_the_served_bytes_are_those_on_disk(run, capsys):
    main(["info", str(run)])
    line = next(line for line in capsys.readouterr().out.splitlines() if "served in all" in line)
    on_disk = sum(path.stat().st_size for path in run.iterdir() if not path.name.startswith("."))
    assert int(line.split()[3].replace(",", "")) == on_disk


def test_info_lists_the_first_objects_of_many(run, capsys, monkeypatch):
    monkeypatch.setattr("manyfields.commands.info.OBJECTS_SHOWN", 1)
    main(["info", str(run)])
    shown = capsys.readouterr().out
    assert "bus" not in shown and "and 1 more (--all lists them)" in shown
    main(["info", str(run), "--all"])
    assert "bus" in capsys.readouterr().out


def test_info_forecasts_totals(run, capsys, monkeypatch):
    from manyfields.evaluation.costs import CostAccount
    from manyfields.runs import record, reporting

    account = CostAccount(
        stage1_seconds=60.0,
        stage1_objects=10,
        shared_bytes=1_000_000,
        encoder_bytes=0,
        object_layer_bytes=(100.0, 900.0),
        object_seconds_mean=2.0,
    )
    monkeypatch.setattr(reporting, "cost_account", lambda *_: account)
    monkeypatch.setattr(record.RunRecord, "load", lambda folder: None)
    assert main(["info", str(run), "--totals", "10", "1000"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["10", "60.0", "s", "1.01", "MB", "101", "kB"] in rows
    assert ["1,000", "34.0", "min", "2.00", "MB", "2.00", "kB"] in rows
    assert main(["info", str(run), "--totals", "0"]) == 1


def test_verify_a_sound_collection(run, capsys):
    assert main(["verify", str(run)]) == 0
    assert "2 objects" in capsys.readouterr().out


def test_verify_names_the_damaged_layer(run, capsys):
    codes = run / "codes-00000.safetensors"
    data = bytearray(codes.read_bytes())
    at = data.index(b"planes")
    data[at] ^= 1
    codes.write_bytes(data)
    assert main(["verify", str(run)]) == 1
    shown = capsys.readouterr().err
    assert all(line.startswith("error: ") for line in shown.splitlines())
    assert "codes-00000.safetensors" in shown


@pytest.mark.parametrize("command", ["info", "verify"])
def test_a_folder_that_is_no_run(command, tmp_path, capsys):
    assert main([command, str(tmp_path / "nowhere")]) == 1
    assert "no such folder" in capsys.readouterr().err
    assert main([command, str(tmp_path)]) == 1
    assert "holds no collection" in capsys.readouterr().err
    (tmp_path / "checkpoints").mkdir()
    assert main([command, str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert "--resume" in error and error.count("\n") == 1
