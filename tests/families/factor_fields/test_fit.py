"""Factor fields from views to a collection, its figures and its report."""

import json

import pytest

from manyfields.cameras import orbit
from manyfields.collection import open_collection
from manyfields.errors import ConfigError
from manyfields.families.factor_fields.grids import FactorCodes
from manyfields.families.registry import presets
from manyfields.runs import RunRecord, add, evaluate, fit
from manyfields.runs.settings import chosen_settings, settings_from_json, settings_to_json

PHASE = {"name": "factors", "steps": 6, "rgb": 1.0, "codes_rate": 0.1, "fields_rate": 0.01, "rays_per_object": 128}
TINY = {
    "factor": {
        "sides": [5, 8],
        "widths": [2, 1],
        "frequencies": [1.0, 2.5],
        "coefficients": 6,
        "projection": 8,
        "features": 6,
        "hidden": 16,
        "mask_at": [0.5],
    },
    "hull": 16,
    "sampler": {"guided": 6, "bins": 16},
    "final_sampler": {"guided": 6, "bins": 16},
    "checkpoint_seconds": 0.0,
    "stage1": [PHASE],
    "stage2": [{**PHASE, "fields_rate": 0.0}],
}


def test_from_views_to_a_report_and_back(data, tmp_path, new_data, hashes):
    (tmp_path / "tiny.json").write_text(json.dumps(TINY))
    run = tmp_path / "run"
    collection = fit(data, run, config=tmp_path / "tiny.json", family="factor-fields")
    record = RunRecord.load(run)
    assert record.finished and record.stage2 == [] and record.settings.preset == "factor-fields"
    assert collection.verify() == [] and collection.config["codec"] == "factor-fields"
    code = collection["box_flat"].code()
    assert isinstance(code, FactorCodes) and [len(basis) for basis in code.grids[0].bases] == [5, 8]
    assert collection["box_flat"].render(orbit(1, width=8, height=8)).images.shape == (1, 1, 3, 8, 8)
    assert "held_out_psnr" in record.curves[-1] and collection.ids[0] in (run / "report.html").read_text()
    assert evaluate(run)["objects"]["box_flat"]["psnr"] == pytest.approx(collection.entry("box_flat").metrics["psnr"])

    class Killed(BaseException):
        pass

    def killed(name, done, total, **_):
        if name == "stage 1: factors" and done == 4:
            raise Killed

    other = tmp_path / "killed"
    with pytest.raises(Killed):
        fit(data, other, report=False, progress=killed, config=tmp_path / "tiny.json", preset="factor-fields")
    fit(data, other, resume=True, report=False)
    assert hashes(other) == hashes(run)
    add(run, new_data, report=False)
    assert "box_wide" in open_collection(run)


def test_settings_go_through_json_and_are_checked():
    for name in ("factor-fields", "factor-fields-paper"):
        settings = presets()[name]
        assert settings_from_json(json.loads(json.dumps(settings_to_json(settings)))) == settings
    paper = presets()["factor-fields-paper"]
    assert (paper.stage1[0].steps, paper.coefficients, paper.sides[-1]) == (30_000, 32, 99)
    assert chosen_settings(None, {}, {}, "factor-fields").preset == "factor-fields"


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("tensorf", {"factor": {"coefficients": 9}}, "settings.factor: the preset 'tensorf' has no factor fields"),
        ("factor-fields", {"factor": {"sides": [3.5]}}, "settings.sides: .* is not a list of whole numbers"),
        ("factor-fields", {"stage1": [PHASE, {**PHASE, "name": "more"}]}, "its schedule is that of one phase"),
        ("factor-fields", {"space": "latent"}, "factor-fields: no setting is called 'space'"),
    ],
)
def test_wrong_settings_are_named(preset, changes, message):
    with pytest.raises(ConfigError, match=message):
        chosen_settings(preset, {}, changes)
