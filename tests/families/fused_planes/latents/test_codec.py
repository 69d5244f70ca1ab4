"""Runs of fused planes in transform coding: one codec for all objects, and collections like any other."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import manyfields
from manyfields.cameras import orbit
from manyfields.collection import ObjectRecord, create_collection, open_collection
from manyfields.commands import main
from manyfields.errors import CollectionError, ConfigError, ManyfieldsError, RunError
from manyfields.families.fused_planes.codebooks.codec import VqMicroCodec
from manyfields.families.fused_planes.latents.codec import TransformMicroCodec
from manyfields.fields import Codes
from manyfields.runs import RunRecord, add, compress, compression_waves, evaluate, fit

CHOICES = {"steps": 4, "visits": 3, "rays": 64}
LAYERS = 4


@pytest.fixture(scope="module")
def _small(tmp_path_factory, _rgb_fitted) -> Path:
    out = tmp_path_factory.mktemp("set") / "out"
    compress(_rgb_fitted, out, **CHOICES)
    return out


@pytest.fixture
def small(tmp_path, _small) -> Path:
    shutil.copytree(_small, tmp_path / "small")
    return tmp_path / "small"


def without_views(run: Path) -> None:
    record = RunRecord.load(run)
    record.data = [str(run / "gone")]
    record.save(run)


def test_objects_decode_and_render_from_fewer_bytes(rgb_run, small):
    before, after = open_collection(rgb_run), open_collection(small)
    assert after.ids == before.ids and after.properties["compressed"]["of"] == before.shared_hash
    assert after.verify() == [] and isinstance(after.codec, TransformMicroCodec)
    assert after.properties["compressed"]["steps"] == 4
    for name in before:
        old, new = before.entry(name), after.entry(name)
        assert new.bytes < 0.2 * old.bytes and len(new.ranges) == LAYERS
        assert (new.label, new.group) == (old.label, old.group) and (new.bounds == old.bounds).all()
        # One more layer than the family has, and its quality.
        assert set(new.metrics) == set(old.metrics) | {"layer2_psnr", "layer2_foreground_psnr"}
        assert new.metrics["stage"] == old.metrics["stage"]
        (one, other) = before[name].code().tensors, after[name].code().tensors
        assert torch.equal(one["hull"].float(), other["hull"].float())
    seen = after[before.ids[0]].render(orbit(2, width=16, height=16))
    assert seen.images.shape == (1, 2, 3, 16, 16) and bool(torch.isfinite(seen.images).all())


def test_every_level_renders(small):
    item, cameras = open_collection(small)["box_tall"], orbit(1, width=16, height=16)
    whole = item.render(cameras).images
    seen = {level: item.render(cameras, level=level).images for level in range(1, LAYERS + 1)}
    assert all(bool(images.isfinite().all()) for images in seen.values())
    assert torch.equal(seen[LAYERS], whole)
    assert not torch.equal(seen[1], seen[2])  # without a hull all of the box may be solid
    assert not item.code(2).tensors["micro"].any()
    codec, layers = item.collection.codec, item.collection.layers("box_tall")
    assert torch.equal(item.code(3).tensors["micro"], codec.decode([layers[:3]]).tensors["micro"])
    with pytest.raises(CollectionError, match="0 layers were asked for; ask for at least 1"):
        item.render(cameras, level=0)


def test_figures_of_every_level_are_those_of_the_index(small):
    collection = open_collection(small)
    for level, name in ((None, "psnr"), (4, "psnr"), (3, "layer2_psnr"), (2, "layer1_psnr"), (1, "layer0_psnr")):
        for object_id, scores in evaluate(small, level=level)["objects"].items():
            metrics, beside = collection.entry(object_id).metrics, name.replace("psnr", "foreground_psnr")
            assert scores["psnr"] == pytest.approx(metrics[name], abs=1e-4)
            assert scores["foreground_psnr"] == pytest.approx(metrics[beside], abs=1e-4)


def test_bytes_report_and_info(small, capsys):
    collection = open_collection(small)
    sizes = collection.sizes()
    assert sizes["codec"] == next(small.glob("codec-*")).stat().st_size
    assert sizes["total"] == sum(
        path.stat().st_size
        for path in small.iterdir()
        if path.suffix in (".safetensors", ".parquet") or path.name == "collection.json"
    )
    assert main(["info", str(small), "--totals", "100"]) == 0
    shown = capsys.readouterr().out
    assert "transform-micro" in shown and "float16" not in shown and "layer2_psnr" in shown
    assert main(["verify", str(small)]) == 0 and "every checksum is right" in capsys.readouterr().out
    assert main(["eval", str(small), "--level", "3"]) == 0
    assert main(["render", str(small), "--object", "box_tall", "--out", str(small / "seen.png"), "--level", "3"]) == 0
    report = (small / "report.html").read_text()
    expected = "one decoder of 4 levels and one set of tables for the whole set; lambda 0.08, 4 steps of each object"
    assert expected in report and "layer 3, mean an object" in report
    assert RunRecord.load(small).seconds["compress"] > 0


def test_added_objects_get_latents_alone(small, new_data, hashes):
    before, codec = hashes(small), next(small.glob("codec-*")).read_bytes()
    made = open_collection(small)
    layers = {name: made.layers(name) for name in made}
    collection = add(small, new_data)
    assert hashes(small).items() >= {name: each for name, each in before.items() if name != "collection.json"}.items()
    assert next(small.glob("codec-*")).read_bytes() == codec
    collection = open_collection(small)
    assert collection.verify() == [] and isinstance(collection.codec, TransformMicroCodec)
    assert {name: collection.layers(name) for name in layers} == layers
    entry = collection.entry("box_wide")
    assert len(entry.ranges) == LAYERS and entry.bytes < 2 * max(collection.entry(name).bytes for name in layers)
    assert {"psnr", "layer0_psnr", "layer1_psnr", "layer2_psnr"} <= set(entry.metrics)
    assert evaluate(small)["objects"]["box_wide"]["psnr"] == pytest.approx(entry.metrics["psnr"], abs=1e-4)
    assert "box_wide" in (small / "report.html").read_text()


def test_an_object_with_weights_beyond_all_others_says_so_in_the_version(small, shapes):
    """Format 1.2; what is stored, and objects within reach, need 1.1 alone."""
    made = open_collection(small)
    name = made.ids[0]
    entry, code = made.entry(name), made[name].code()

    def stored_as(id: str, weights: torch.Tensor) -> None:
        (layers,) = made.codec.encode(Codes({**code.tensors, "weights": weights}))
        made.append([ObjectRecord(id, layers, bounds=entry.bounds)])

    def version() -> str:
        return json.loads((small / "collection.json").read_text())["version"]

    stored_as("near", code.tensors["weights"])
    assert version() == "1.1"
    far = code.tensors["weights"] + 1000.0
    stored_as("far", far)
    stored_as("near again", code.tensors["weights"])
    assert version() == "1.2"
    again = open_collection(small)
    assert again.verify() == [] and torch.equal(again["far"].code().tensors["weights"], far)
    assert torch.equal(again[name].code().tensors["weights"], code.tensors["weights"])


def test_a_codec_of_one_object_takes_another_with_weights_of_its_own(data, rgb_settings, new_data, tmp_path):
    fit(data, tmp_path / "one", config=rgb_settings, objects=["ball_red"], report=False)
    compress(tmp_path / "one", tmp_path / "small", report=False, **CHOICES)
    add(tmp_path / "one", new_data, report=False)
    add(tmp_path / "small", new_data, report=False)
    plain, coded = (open_collection(tmp_path / name)["box_wide"].code().tensors["weights"] for name in ("one", "small"))
    first = open_collection(tmp_path / "small")["ball_red"].code().tensors["weights"]
    assert float((coded - plain).abs().max()) < 0.1 * float((plain - first).abs().max())


def test_an_added_object_is_the_one_that_compress_would_have_stored(small, new_data, rgb_run):
    """Its latents are fitted by the same steps, whoever asks for them."""
    from manyfields.runs.originals import fitted_objects
    from manyfields.runs.sources.loading import load_objects
    from manyfields.views import read_views

    collection = open_collection(rgb_run)
    add(rgb_run, new_data, report=False)
    code = open_collection(rgb_run)["box_wide"].code()
    target, record = open_collection(small), RunRecord.load(rgb_run)
    items = load_objects(list(read_views(new_data)), record)
    made = [target.codec.encode(code, fitted_objects(target.shared_part, items, record)) for _ in range(2)]
    assert made[0] == made[1] and len(made[0][0]) == LAYERS
    assert target.properties["compressed"]["of"] == collection.shared_hash


@pytest.mark.parametrize("when", ["learning", "compressing"])
def test_interrupted_it_goes_on_to_the_same_bytes(when, rgb_run, small, tmp_path, monkeypatch, hashes):
    monkeypatch.setattr(compression_waves, "OBJECTS_AT_ONCE", 3)

    class Cut(BaseException):
        pass

    def cut(name, done, total, **_):
        if name.startswith(when) and done == (5 if when == "learning" else 3):
            raise Cut

    with pytest.raises(Cut):
        compress(rgb_run, tmp_path / "cut", report=False, progress=cut, **CHOICES)
    if when == "compressing":
        assert len(open_collection(tmp_path / "cut")) == 3
    whole = compress(rgb_run, tmp_path / "cut", report=False, **CHOICES)
    stored = open_collection(small)
    assert [whole.layers(name) for name in whole.ids] == [stored.layers(name) for name in stored.ids]
    assert [path.name for path in (tmp_path / "cut").glob("codec-*")] == [path.name for path in small.glob("codec-*")]
    before = hashes(small)
    compress(rgb_run, small, report=False, **CHOICES)  # nothing is left to do
    assert hashes(small) == before


def test_what_is_taken_when_no_codec_is_named(rgb_run, run, tmp_path):
    """Transform for fused planes is in `small`; vq for fields in a latent space, and where views are gone."""
    said = []
    latent = compress(run, tmp_path / "latent", groups=1, report=False, say=said.append)
    assert isinstance(latent.codec, VqMicroCodec) and "latent" in said[0]
    without_views(rgb_run)
    gone = compress(rgb_run, tmp_path / "gone", bits=(3,), report=False, say=said.append)
    assert isinstance(gone.codec, VqMicroCodec) and any("views are not at hand" in text for text in said)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"variants": ("no-mask",)}, "codec 'transform' has no setting 'variants': it has price, steps, visits"),
        ({"groups": 2}, "codec 'transform' has no setting 'groups': .*; vq has: name that codec"),
        ({"price": -1.0}, "lambda: a number of at least 0, not -1.0"),
        ({"steps": -1}, "steps: a number of at least 0, not -1"),
        ({"levels": 9}, "levels 9: from 2 to 6"),
    ],
)
def test_choices_without_meaning(rgb_run, tmp_path, choices, message):
    with pytest.raises(ConfigError, match=message) as caught:
        compress(rgb_run, tmp_path / "out", **choices)
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


def test_runs_that_do_not_fit(rgb_run, run, small, tmp_path):
    with pytest.raises(ConfigError, match="its fields are in a latent space; codec 'vq' takes them"):
        compress(run, tmp_path / "out", codec="transform")
    with pytest.raises(RunError, match="is compressed already"):
        compress(small, tmp_path / "out", **CHOICES)
    with pytest.raises(RunError, match="holds another collection"):
        compress(rgb_run, small, **{**CHOICES, "price": 0.5})
    record = RunRecord.load(rgb_run)
    held = dict(record.held_out)
    record.held_out["box_tall"] = {**held["box_tall"], "views": []}
    record.save(rgb_run)
    with pytest.raises(ManyfieldsError, match="object box_tall no longer has the views .* restore them$"):
        compress(rgb_run, tmp_path / "changed", **CHOICES)
    record.held_out = held
    record.save(rgb_run)
    without_views(rgb_run)
    with pytest.raises(ConfigError, match="learns from the views that objects were fitted to, which are not at hand"):
        compress(rgb_run, tmp_path / "out", codec="transform")
    assert not (tmp_path / "out").exists()


def test_the_command(rgb_run, run, tmp_path, capsys):
    out = str(tmp_path / "out")
    for source, flags, message in (
        (rgb_run, ["--codec", "transform", "--variants", "no-mask"], "--variants is no setting of codec transform"),
        (rgb_run, ["--lambda", "1"], "--lambda is a setting of a codec: name it, as in --codec transform"),
        (run, ["--codec", "transform"], "its fields are in a latent space; codec 'vq' takes them"),
        (rgb_run, ["--codec", "transform", "--lambda", "-1"], "lambda: a number of at least 0, not -1.0"),
    ):
        assert main(["compress", str(source), out, *flags]) in (1, 2)
        error = capsys.readouterr().err.strip().splitlines()
        assert message in error[-1] and not Path(out).exists()


@pytest.mark.parametrize(("resolution", "levels"), [(2, None), (5, 3), (64, 4)])  # 64: that of the presets
def test_small_planes_have_fewer_levels(resolution, levels, data, rgb_settings, tmp_path):
    settings = tmp_path / "small.json"
    settings.write_text(json.dumps({**json.loads(rgb_settings.read_text()), "resolution": resolution}))
    fit(data, tmp_path / "run", config=settings, stage1_objects=4, report=False)
    if levels is None:
        with pytest.raises(ConfigError, match="planes of 2 samples a side are too small for 'transform'"):
            compress(tmp_path / "run", tmp_path / "out", **CHOICES)
    else:
        made = compress(tmp_path / "run", tmp_path / "out", report=False, **CHOICES)
        assert made.codec_config["levels"] == made.properties["compressed"]["set"]["levels"] == levels
        assert made["box_tall"].render(orbit(1, width=8, height=8), level=3).images.isfinite().all()


def test_another_process_with_more_threads_decodes_the_same_planes(small):
    program = (
        "import hashlib, sys, torch; torch.set_num_threads(2)\n"
        "from manyfields.cameras import orbit; from manyfields.collection import open_collection\n"
        "item = open_collection(sys.argv[1])['ball_red']\n"
        "print(hashlib.sha256(item.code().tensors['micro'].numpy().tobytes()).hexdigest())\n"
        "torch.save(item.render(orbit(1, width=16, height=16)).images, sys.argv[2])\n"
    )
    out = small.parent / "seen.pt"
    made = subprocess.run(
        [sys.executable, "-c", program, str(small), str(out)],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(manyfields.__file__).parents[1]), "OMP_NUM_THREADS": "2", "PATH": ""},
    )
    item = open_collection(small)["ball_red"]
    assert made.stdout.strip() == hashlib.sha256(item.code().tensors["micro"].numpy().tobytes()).hexdigest()
    images = item.render(orbit(1, width=16, height=16)).images
    torch.testing.assert_close(images, torch.load(out, weights_only=True), atol=1e-5, rtol=0)


def test_altered_bytes_are_refused_wherever_they_are(small):
    """Also those that would decode: the index has a CRC32C of every layer."""
    collection = open_collection(small)
    shards = {path.name: path for path in small.glob("codes-*")}
    codes = sorted(shards)[0]
    whole = shards[codes].read_bytes()
    name = collection.ids[0]
    decodes = 0
    for layer, (begin, end) in enumerate(collection.entry(name).ranges):
        for place in range(begin, end, 3):
            data = bytearray(whole)
            data[place] ^= 1 << place % 8
            shards[codes].write_bytes(data)
            with pytest.raises(CollectionError, match=f"object '{name}', layer {layer}: its CRC32C is not the one"):
                collection[name].code()
            cut = [bytes(data[first:last]) for first, last in collection.entry(name).ranges]
            try:
                collection.codec.decode([cut])  # which may not see it
                decodes += 1
            except CollectionError:
                pass
    assert decodes > 0
    shards[codes].write_bytes(whole)
    assert open_collection(small).verify() == []


def test_a_damaged_or_foreign_codec_file(small, run, tmp_path):
    source, latent = open_collection(small), open_collection(run)
    tensors = dict(source.codec_tensors())
    config = source.codec_config
    for number, (made, given, message) in enumerate(
        (
            ({**tensors, "weights": -tensors["weights"]}, config, "steps of weights are not all above 0"),
            ({**tensors, "classes": tensors["classes"].long() - 500}, config, "no tensor 'classes' of uint8"),
            ({"w": torch.ones(2)}, config, "no tensor 'classes' of uint8"),
            (tensors, {**config, "levels": 3}, "numbers do not fit its config"),
        )
    ):
        folder = tmp_path / str(number)
        opened = create_collection(folder, shared=source.shared(), config=source.config, codec=(made, given))
        with pytest.raises(CollectionError, match=f"the codec cannot be built from its file .*{message}") as caught:
            opened.codec  # noqa: B018
        assert "\n" not in str(caught.value)
    foreign = create_collection(
        tmp_path / "foreign", shared=latent.shared(), config=latent.config, codec=(tensors, config)
    )
    with pytest.raises(CollectionError, match="the codec cannot be built from its file"):
        foreign.codec  # noqa: B018
    path = next(small.glob("codec-*"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CollectionError, match="codec-.*SHA-256 is not the one in the manifest"):
        open_collection(small)["box_tall"].code()
