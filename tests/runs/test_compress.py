"""A run compressed by codebooks: as good to use as any other collection, in fewer bytes."""

import shutil
from pathlib import Path

import pytest
import torch

from manyfields.cameras import orbit
from manyfields.collection import create_collection, open_collection
from manyfields.commands import main
from manyfields.errors import CollectionError, ConfigError, ManyfieldsError, RunError
from manyfields.evaluation.units import format_bytes
from manyfields.families.fused_planes.codebooks.codec import VqMicroCodec
from manyfields.families.registry import codec_of
from manyfields.runs import RunRecord, add, compress, compression_waves, evaluate, fit

CHOICES = {"codec": "vq", "bits": (3,), "steps": 3}


@pytest.fixture(scope="session")
def _small(tmp_path_factory, _rgb_fitted) -> Path:
    out = tmp_path_factory.mktemp("compressed") / "out"
    compress(_rgb_fitted, out, **CHOICES)
    return out


@pytest.fixture
def small(tmp_path, _small) -> Path:
    shutil.copytree(_small, tmp_path / "small")
    return tmp_path / "small"


def test_objects_decode_and_render_from_fewer_bytes(rgb_run, small):
    before, after = open_collection(rgb_run), open_collection(small)
    assert after.ids == before.ids and after.shared_hash == before.shared_hash
    assert after.verify() == []
    assert isinstance(after.codec, VqMicroCodec) and not isinstance(before.codec, VqMicroCodec)
    for name in before:
        old, new = before.entry(name), after.entry(name)
        assert new.ranges[-1][1] - new.ranges[-1][0] < 0.2 * (old.ranges[-1][1] - old.ranges[-1][0])
        assert before.layers(name)[:-1] == after.layers(name)[:-1]
        assert (new.label, new.group) == (old.label, old.group) and (new.bounds == old.bounds).all()
        assert set(new.metrics) == set(old.metrics) and new.metrics["stage"] == old.metrics["stage"]
    seen = after[before.ids[0]].render(orbit(2, width=16, height=16))
    assert seen.images.shape == (1, 2, 3, 16, 16) and bool(torch.isfinite(seen.images).all())


def test_bytes_by_part(small, capsys):
    collection = open_collection(small)
    sizes = collection.sizes()
    assert sizes["codec"] == next(small.glob("codec-*")).stat().st_size
    assert sizes["per_object"]["codec"] == sizes["codec"] / 4
    parts = ("manifest", "shared", "codec", "encoder", "index", "codes_layer0", "codes_finer", "codes_tables")
    assert sizes["total"] == sum(sizes[part] for part in parts)
    on_disk = [path for path in small.iterdir() if path.suffix in (".safetensors", ".parquet")]
    assert sizes["total"] == sum(path.stat().st_size for path in (*on_disk, small / "collection.json"))
    assert main(["info", str(small), "--totals", "100"]) == 0
    shown = capsys.readouterr().out
    assert "vq-micro" in shown and "codec.bits" in shown and "float16" not in shown
    assert main(["verify", str(small)]) == 0


def test_eval_report_and_costs(small):
    figures = evaluate(small)
    collection = open_collection(small)
    for name, scores in figures["objects"].items():
        assert scores["psnr"] == pytest.approx(collection.entry(name).metrics["psnr"], abs=1e-4)
    report = (small / "report.html").read_text()
    assert "codebooks of the whole set" in report and "<dt>codec</dt>" in report
    record = RunRecord.load(small)
    assert record.finished and record.seconds["compress"] > 0


def test_added_objects_are_stored_in_the_same_codec(small, new_data, hashes):
    before = hashes(small)
    collection = add(small, new_data, report=False)
    assert hashes(small).items() >= {name: each for name, each in before.items() if name != "collection.json"}.items()
    assert collection.verify() == []
    sizes = [collection.entry(name).bytes for name in collection]
    assert sizes[-1] < 1.5 * max(sizes[:-1])
    assert open_collection(small)["box_wide"].code().tensors["micro"].any()


def test_the_same_call_twice_gives_the_same_bytes_and_goes_on(rgb_run, small, tmp_path, monkeypatch, hashes):
    stored = hashes(small)
    compress(rgb_run, small, **CHOICES)
    assert hashes(small) == stored
    monkeypatch.setattr(compression_waves, "OBJECTS_AT_ONCE", 3)
    made, calls = compression_waves.Waves.layers_of, []

    def once(self, ids):
        calls.append(ids)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return made(self, ids)

    monkeypatch.setattr(compression_waves.Waves, "layers_of", once)
    with pytest.raises(KeyboardInterrupt):
        compress(rgb_run, tmp_path / "cut", **CHOICES)
    assert len(open_collection(tmp_path / "cut")) == 3
    collection = compress(rgb_run, tmp_path / "cut", report=False, **CHOICES)
    assert [len(ids) for ids in calls] == [3, 1, 1]
    assert collection.ids == open_collection(rgb_run).ids


def test_without_views_nothing_is_fitted_or_measured(rgb_run, tmp_path):
    record = RunRecord.load(rgb_run)
    record.data = [str(tmp_path / "gone")]
    record.save(rgb_run)
    said = []
    collection = compress(rgb_run, tmp_path / "out", bits=(3,), report=False, say=said.append)
    assert "views are not at hand" in said[0] and "no fitting" in said[1]
    assert collection.properties["compressed"]["steps"] == 0
    assert set(collection.entry(collection.ids[0]).metrics) == {"stage"}
    (rgb_run / "run.json").unlink()
    again = compress(rgb_run, tmp_path / "plain", bits=(3,), report=False)
    assert again.layers(again.ids[0]) == collection.layers(collection.ids[0])
    assert not (tmp_path / "plain" / "run.json").exists()


def test_a_latent_family_takes_the_nearest_entries(run, tmp_path):
    said = []
    collection = compress(run, tmp_path / "out", bits=(2, 2), groups=1, report=False, say=said.append)
    assert "latent" in said[0] and collection.properties["compressed"]["steps"] == 0
    assert collection.encoder() is not None and collection.verify() == []
    assert collection.codec_config == {"bits": [2, 2], "classes": 5, "codec": "vq-micro", "groups": 1}
    assert evaluate(tmp_path / "out")["mean"]["psnr"] > 0


@pytest.mark.parametrize(
    ("choices", "kind", "message"),
    [
        ({"codec": "zip"}, ConfigError, "codec 'zip': of the family fused-planes one of transform, vq"),
        ({"groups": 2}, ConfigError, "groups 2 does not divide the 3 features of micro planes"),
        ({"bits": (13,)}, ConfigError, r"bits \[13\]: one number a stage, from 1 to 12 each"),
        ({"bits": ()}, ConfigError, r"bits \[\]: one number a stage"),
        ({"steps": -1}, ConfigError, "steps: a number of at least 0, not -1"),
    ],
)
def test_choices_without_meaning(rgb_run, tmp_path, choices, kind, message):
    with pytest.raises(kind, match=message) as caught:
        compress(rgb_run, tmp_path / "out", **{"codec": "vq", **choices})
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_folders_that_do_not_fit(rgb_run, run, small, tmp_path):
    for source, out, message in (
        (rgb_run, rgb_run, "give another folder than that of the run"),
        (rgb_run, run, "holds another collection: choose another folder"),
        (small, tmp_path / "out", "is compressed already: compress the run that it was made from"),
    ):
        with pytest.raises(RunError, match=message) as caught:
            compress(source, out, **CHOICES)
        assert "\n" not in str(caught.value)
    with pytest.raises(RunError, match="holds another collection"):
        compress(rgb_run, small, **{**CHOICES, "bits": (4,)})
    with pytest.raises(CollectionError, match="is not a collection"):
        compress(tmp_path, tmp_path / "out")


def test_a_family_without_micro_planes(data, rgb_settings, tmp_path):
    import json

    settings = tmp_path / "macro.json"
    settings.write_text(json.dumps({**json.loads(rgb_settings.read_text()), "micro_features": 0}))
    fit(data, tmp_path / "macro", config=settings, stage1_objects=4, report=False)
    with pytest.raises(ConfigError, match="no micro planes, which codec 'vq' is for"):
        compress(tmp_path / "macro", tmp_path / "out", codec="vq")
    with pytest.raises(ConfigError, match="no micro planes, which codec 'transform' is for"):
        compress(tmp_path / "macro", tmp_path / "out")


def test_changed_views_are_no_training_views(rgb_run, tmp_path):
    record = RunRecord.load(rgb_run)
    name = next(iter(record.held_out))
    record.held_out[name]["views"] = []
    record.save(rgb_run)
    with pytest.raises(ManyfieldsError, match=f"object {name} no longer has the views that it was fitted to"):
        compress(rgb_run, tmp_path / "out", **CHOICES)


def test_a_damaged_or_foreign_codec_file(small, tmp_path):
    path = next(small.glob("codec-*"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    collection = open_collection(small)
    assert any(path.name in problem for problem in collection.verify())
    with pytest.raises(CollectionError, match="codec-.*SHA-256 is not the one in the manifest"):
        collection[collection.ids[0]].code()


def test_codecs_that_are_not_known_or_do_not_fit(rgb_run, tmp_path):
    source = open_collection(rgb_run)
    for number, (config, message) in enumerate(
        (
            ({"codec": "later"}, "codec 'later' is not known here; use a newer version"),
            ({}, "codec None is not known here"),
            ({"codec": "vq-micro", "bits": [3], "groups": 1, "classes": 1}, "the codec cannot be built from its file"),
        )
    ):
        made = create_collection(
            tmp_path / str(number), shared=source.shared(), config=source.config, codec=({"w": torch.ones(2)}, config)
        )
        with pytest.raises(CollectionError, match=message) as caught:
            made.codec  # noqa: B018
        assert "\n" not in str(caught.value)


def test_old_collections_keep_their_manifest(rgb_run, small):
    for folder, version in ((rgb_run, '"version":"1.0"'), (small, '"version":"1.1"')):
        text = (folder / "collection.json").read_text()
        assert version in text and ('"codec"' in text) == (folder == small)


def test_the_command(rgb_run, tmp_path, capsys):
    assert main(["compress", str(rgb_run), str(tmp_path / "out"), "--codec", "vq", "--bits", "3", "--steps", "1"]) == 0
    said, sizes = capsys.readouterr().out, open_collection(tmp_path / "out").sizes()
    each = sizes["per_object"]
    whole = each["layers"] + (sizes["shared"] + sizes["codec"]) / 4
    assert f"4 objects, {format_bytes(each['layers'])} of their own each, before " in said
    assert f"with the shared part, N = 4: {format_bytes(whole)} each, before " in said
    assert main(["compress", str(rgb_run), str(tmp_path / "out"), "--codec", "vq", "--bits", "5"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "holds another collection: choose another folder" in error


def test_layers_of_the_plain_codec_are_unchanged(rgb_run):
    collection = open_collection(rgb_run)
    name = collection.ids[0]
    assert codec_of(collection.shared_part).encode(collection[name].code()) == [collection.layers(name)]
