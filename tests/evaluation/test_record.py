"""Results of record: replaced by name, refused when they cannot be trusted."""

import json
from dataclasses import replace

import pytest

from manyfields.errors import ConfigError
from manyfields.evaluation import record as module
from manyfields.evaluation.machine import describe_machine
from manyfields.evaluation.origin import Origin
from manyfields.evaluation.record import new_record, read_records, write_records

KEYS = {"name", "value", "unit", "command", "machine", "date", "commit", "trained", "note", "seal"}
TRAINED = Origin("manyfields fit views --out run", "0123456789ab", "a machine", "2026-11-30T20:00:00Z", "f00d")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """A checkout as committed, whatever is being edited."""
    monkeypatch.setattr(module, "current_commit", lambda: "abcdef012345")


def test_rows_are_replaced_in_place_and_others_appended(tmp_path):
    path = tmp_path / "results" / "vehicles.json"
    first = new_record("vehicles.fused_planes.psnr", 27.5, "dB", command="manyfields fit")
    second = new_record("vehicles.fused_planes.ssim", 0.9, "")
    write_records(path, [first, second])
    better = replace(first, value=28.1)
    third = new_record("vehicles.fused_planes.lpips", None, "", note="no weights")
    assert write_records(path, [third, better]) == [better, second, third]
    assert read_records(path) == [better, second, third]
    assert all(set(row) == KEYS for row in json.loads(path.read_text()))
    assert [p.name for p in path.parent.iterdir()] == ["vehicles.json"]


def test_untrustworthy_rows_are_refused_and_the_file_stays(tmp_path):
    path = tmp_path / "r.json"
    good = new_record("a.b", 1, "dB")
    write_records(path, [good])
    before = path.read_bytes()
    for bad, message in (
        ([replace(good, value=float("nan"))], "a.b has the value nan"),
        ([replace(good, name="Psnr")], "'Psnr' is not dotted"),
        ([good, good], "a.b stands there twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            write_records(path, bad)
        assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["{", "{}", '[{"name": "a.b"}]', "[3]"])
def test_a_damaged_file_is_named(tmp_path, text):
    path = tmp_path / "damaged.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="damaged.json"):
        read_records(path)


def test_a_file_with_a_name_twice_is_refused(tmp_path):
    path = tmp_path / "twice.json"
    write_records(path, [new_record("a.b", 1, "dB")])
    path.write_text(json.dumps(json.loads(path.read_text()) * 2))
    with pytest.raises(ConfigError, match="a.b stands there twice"):
        read_records(path)


def test_no_file_has_no_rows(tmp_path):
    assert read_records(tmp_path / "none.json") == []


def test_what_was_trained_is_kept_with_the_row(tmp_path):
    path = tmp_path / "r.json"
    write_records(path, [new_record("a.b", 1, "dB", trained=[TRAINED, TRAINED])])
    assert [row.trained for row in read_records(path)] == [(TRAINED,)]


@pytest.mark.parametrize(
    ("commit", "trained"),
    [("abcdef012345-dirty", "0123456789ab"), ("unknown", "0123456789ab"), ("abcdef012345", "0123456789ab-dirty")],
)
def test_rows_of_no_commit_are_drafts(tmp_path, commit, trained):
    path = tmp_path / "r.json"
    row = replace(new_record("a.b", 1, "dB", trained=[replace(TRAINED, commit=trained)]), commit=commit)
    with pytest.raises(ConfigError, match=f"a.b is not from a clean commit .*{commit}.*{trained}.*as a draft"):
        write_records(path, [row])
    assert not path.exists()
    write_records(path, [row], draft=True)
    assert not path.exists() and read_records(tmp_path / "r.draft.json") == [row]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "a.renamed"},
        {"value": 2},
        {"commit": "999999999999"},
        {"trained": []},
        {"note": "kinder"},
    ],
)
def test_a_row_that_was_changed_by_hand_is_refused(tmp_path, change):
    path = tmp_path / "r.json"
    write_records(path, [new_record("a.b", 1, "dB", trained=[TRAINED])])
    (row,) = json.loads(path.read_text())
    path.write_text(json.dumps([{**row, **change}]))
    with pytest.raises(ConfigError, match="was changed by hand: measure it again"):
        read_records(path)


def test_machine_is_one_line_that_names_what_matters():
    machine = describe_machine()
    assert machine.cores >= 1 and machine.cpu in machine.line and f"torch {machine.torch}" in machine.line
    assert "\n" not in machine.line and json.loads(json.dumps(machine.to_json()))["threads"] == machine.threads
