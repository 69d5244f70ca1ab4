"""run.json: what a resumed run must not decide anew."""

import json

import pytest

from manyfields.errors import RunError
from manyfields.evaluation.origin import current_command, current_commit
from manyfields.families.registry import presets
from manyfields.runs.record import FILE, RunRecord


def new_record() -> RunRecord:
    settings = presets()["m25"]
    held_out = {"ä/b": {"source": 0, "views": ["rgba/001"], "trained": 9}}
    record = RunRecord(settings, ["/data"], (128, 96), ["ä/b"], [], held_out)
    record.phases1 = [phase.planned(4, 100) for phase in settings.stage1]
    record.seconds = {"stage1": 0.1 + 0.2}
    return record


def test_round_trip(tmp_path):
    record = new_record()
    record.save(tmp_path)
    assert RunRecord.load(tmp_path) == record


def test_a_run_says_how_it_was_trained_and_of_which_views(tmp_path):
    record = new_record()
    with pytest.raises(RunError, match="does not say what code trained it: fit it again"):
        record.trained  # noqa: B018
    record.trained_here()
    record.trained_here()
    (origin,) = record.trained
    assert origin.command == current_command() and origin.commit == current_commit()
    record.held_out["ä/b"]["digest"] = "f00d"
    assert record.trained[0].views != origin.views
    record.save(tmp_path)
    assert RunRecord.load(tmp_path).trained == record.trained


def test_no_run(tmp_path):
    with pytest.raises(RunError, match=r"is not a run folder \(no run.json\)"):
        RunRecord.load(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: json.dumps({**json.loads(text), "surprise": 1}),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "stage1"}),
        lambda text: json.dumps({**json.loads(text), "phases1": [{"name": "a", "wings": 2}]}),
        lambda text: json.dumps({**json.loads(text), "phases1": [{"name": "a"}]}),
        lambda text: json.dumps({**json.loads(text), "settings": {"wave": "x"}}),
        lambda text: json.dumps({**json.loads(text), "size": 3}),
    ],
)
def test_damage(tmp_path, damage):
    new_record().save(tmp_path)
    path = tmp_path / FILE
    path.write_text(damage(path.read_text()))
    with pytest.raises(RunError, match=r"run\.json is damaged") as caught:
        RunRecord.load(tmp_path)
    assert "\n" not in str(caught.value)
