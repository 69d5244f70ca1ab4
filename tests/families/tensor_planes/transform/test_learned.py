"""Runs of tensor fields by a codec that is learned from the scenes of other runs."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from manyfields.collection import open_collection
from manyfields.commands import main
from manyfields.errors import ConfigError
from manyfields.families.tensor_planes.transform.stream import part_sizes
from manyfields.runs import RunRecord, add, compress, evaluate, fit, size_breakdown

LEARNED = {"codec": "transform", "learn_steps": 8, "changes": {"latent": 6, "hidden": 5, "rays": 32}}


@pytest.fixture(scope="module")
def others(tmp_path_factory, shapes, tensor_settings) -> Path:
    """Another run, of a scene that `tensor_run` lacks."""
    folder = tmp_path_factory.mktemp("others")
    fit(shapes.write_set(folder / "views", ["box_wide"]), folder / "run", config=tensor_settings, report=False)
    return folder / "run"


def test_a_codec_that_is_learned_from_other_scenes(tensor_run, others, tmp_path, new_data):
    made = compress(tensor_run, tmp_path / "out", learn_from=[others], **LEARNED)
    assert made.verify() == [] and len(made) == 4
    name = made.ids[0]
    sizes = part_sizes(made.layers(name)[0])
    assert "decoder" not in sizes and "tables" not in sizes
    codec = next((tmp_path / "out").glob("codec-*.safetensors")).stat().st_size
    assert size_breakdown(made)["codec"] == codec / 4 and len(list((tmp_path / "out").glob("encoder-*"))) == 1
    figures = evaluate(tmp_path / "out")
    assert figures["objects"][name]["psnr"] == pytest.approx(made.entry(name).metrics["psnr"], abs=1e-4)
    # New scenes take the same codec, and so do other collections.
    added = add(tmp_path / "out", new_data, report=False)
    assert "decoder" not in part_sizes(added.layers("box_wide")[0])
    again = compress(tensor_run, tmp_path / "again", report=False, learn_from=[tmp_path / "out"], **LEARNED)
    assert [again.layers(each) for each in again.ids] == [made.layers(each) for each in again.ids]


def test_latents_learn_against_a_codec_that_is_given(tensor_run, others, tmp_path):
    fast = {**LEARNED, "variants": ("no-mask",), "changes": {**LEARNED["changes"], "latent_rate": 2.0}}
    once = compress(tensor_run, tmp_path / "once", report=False, learn_from=[others], **fast)
    learn_from = [tmp_path / "once"]
    some = compress(tensor_run, tmp_path / "some", report=False, learn_from=learn_from, **{**fast, "steps": 3})
    name = once.ids[0]
    before, after = (made.codec.scenes([made.layers(name)])[0] for made in (once, some))
    assert not all(torch.equal(*pair) for pair in zip(before.latents, after.latents, strict=True))
    assert after.common and torch.equal(after.tables.frequencies, before.tables.frequencies)
    assert (tmp_path / "some" / "importance").is_dir() and not (tmp_path / "once" / "importance").exists()


def test_no_views_are_needed_without_steps(tensor_run, others, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tensor_run, run)
    record = RunRecord.load(run)
    record.data = [str(tmp_path / "gone")]
    record.save(run)
    made = compress(run, tmp_path / "out", report=False, learn_from=[others], **LEARNED)
    assert len(made) == 4
    with pytest.raises(ConfigError, match="learns from the views that objects were fitted to"):
        compress(run, tmp_path / "more", report=False, learn_from=[others], **{**LEARNED, "steps": 2})


def test_scenes_that_cannot_be_learned_from(tensor_run, others, tensor_settings, tmp_path, data):
    def attempt(message, **choices):
        with pytest.raises(ConfigError, match=message):
            compress(tensor_run, tmp_path / "out", **{**LEARNED, "learn_from": [others], **choices})
        assert not (tmp_path / "out").exists()

    attempt("a codec is learned from other scenes than those that it is for", learn_from=[tensor_run])
    attempt("hyperprior: not with a codec", variants=("hyperprior",))
    attempt("end_to_end: not with a codec", variants=("end-to-end",))
    attempt("starts at its encoder", variants=("gaussian",))
    attempt("steps: a number of at least 0, not -1", steps=-1)
    attempt("codec 'vq': of the family tensorf", codec="vq")
    wide = json.loads(tensor_settings.read_text())
    wide["tensorf"] |= {"density_components": 2, "mask_at": []}
    (tmp_path / "wide.json").write_text(json.dumps(wide))
    fit(data, tmp_path / "wide", config=tmp_path / "wide.json", report=False)
    attempt(r"wide: its planes have 2 \+ 4 channels, those of .* 4 \+ 4", learn_from=[others, tmp_path / "wide"])


def test_the_command_learns_from_other_runs(tensor_run, others, tmp_path, capsys):
    flags = ["--codec", "transform", "--learn-from", str(others), "--learn-steps", "2"]
    assert main(["compress", str(tensor_run), str(tmp_path / "out"), *flags]) == 0
    assert "codec " in capsys.readouterr().out.split("bytes of a scene: ")[1]
    made = open_collection(tmp_path / "out").properties["compressed"]
    assert (made["steps"], made["transform"]["steps"], len(made["learned_from"])) == (0, 2, 1)
    assert main(["info", str(tmp_path / "out")]) == 0


def test_fused_planes_have_no_codec_to_learn_from_others(others, tmp_path, data, rgb_settings):
    fit(data, tmp_path / "planes", config=rgb_settings, stage1_objects=2, report=False)
    for codec in (None, "transform"):
        with pytest.raises(ConfigError, match="codec 'transform' has no setting 'learn_from': it has price"):
            compress(tmp_path / "planes", tmp_path / "out", codec=codec, learn_from=[others])
    assert not (tmp_path / "out").exists()
