"""The ablations of mixtures: the paper's sizes and orders, and rows of a tiny run that can be gone on with."""

import json

import pytest

from benchmarks.mixture import ablation_tables as tables
from benchmarks.mixture import ablations
from manyfields.errors import RunError


@pytest.fixture(scope="module")
def views(shapes, tmp_path_factory):
    return shapes.write_set(tmp_path_factory.mktemp("views"), ["ball_red", "ball_blue"], views=2)


# Learnable numbers of the paper's table 4, in thousands as it rounds them.
@pytest.mark.parametrize(
    ("name", "thousands"),
    [("shared", 557.2), ("layers", 557.2), ("m64", 623.0), ("m16", 155.8), ("m256", 2500), ("m1024", 10000)],
)
def test_sizes_are_the_papers(name, thousands):
    config = ablations.record_of(tables.TRAININGS[name], 0).settings.config()
    assert config.learnable / 1e3 == pytest.approx(thousands, abs=50 if thousands > 1000 else 0.05)
    assert config.network == 8707
    assert config.coefficients == {"shared": "shared", "layers": "layers"}.get(name, "latent")
    assert config.code_size == {"shared": 64, "layers": 256}.get(name, 256)


def test_rows_of_one_table_differ_in_what_it_is_about_alone():
    def settings(name):
        training = tables.TRAININGS[name]
        found = ablations.record_of(training, 0).settings
        return (*training.sizes, training.coefficients, found.adaptation, found.inner_steps)

    base = settings("m256")
    assert [settings(name)[2] for name in ("m16", "m64", "m256", "m1024")] == [16, 64, 256, 1024]
    assert all(settings(name)[:2] + settings(name)[3:] == base[:2] + base[3:] for name in ("m16", "m64", "m1024"))
    assert settings("first_order") == (*base[:5], "meta-first-order", 3)
    assert settings("inner_5") == (*base[:6], 5)
    assert settings("auto") == settings("auto_long") and settings("auto")[:6] == (*base[:5], "auto-decoding")
    assert settings("half") == settings("long") == base


def words(views, results, *more):
    settings = ["--steps", "2", "--refine", "2", "--unseen", "1", "--images", "2", "--results"]
    return ["--data", str(views), *settings, str(results), "--draft", *more]


def rows(results):
    return {
        row["name"].removeprefix("mixture_ablations."): row
        for row in json.loads(results.with_suffix(".draft.json").read_text())
    }


def test_from_images_to_rows_and_on(views, tmp_path, capsys, monkeypatch):
    results = tmp_path / "rows.json"
    ablations.main(words(views, results, "--only", "coefficients"))
    found = rows(results)
    assert {name.split(".")[0] for name in found} == {"shared", "layers", "m64"}
    assert found["m64.network"]["value"] == 8707 and found["m64.psnr_unseen"]["unit"] == "dB"
    assert "2 images, 2 of unseen designs; meta, 3 inner steps" in found["m64.psnr_train"]["note"]
    assert found["m64.psnr_unseen_refined"]["value"] > found["m64.psnr_unseen"]["value"]
    assert "table 4 (a), coefficients, psnr_unseen: " in capsys.readouterr().out

    trained = []

    def diverges(training, *others):
        trained.append(training)
        raise RunError("diverged")

    monkeypatch.setattr(ablations, "measured", diverges)
    ablations.main(words(views, results, "--only", "coefficients", "--keep"))
    assert not trained and rows(results) == found
    assert "m64          is there" in capsys.readouterr().out
    ablations.main(words(views, results, "--only", "coefficients", "bases", "--keep"))
    assert [training.sizes[2] for training in trained] == [16, 256, 1024]
    lost = rows(results)["m16.psnr_train"]
    assert lost["value"] is None and lost["note"].endswith("diverged")
    assert "table 4 (b), bases, psnr_train: not known: no figure of m16, m256, m1024" in capsys.readouterr().out
    # What was learned in another number of steps does not count.
    ablations.main([*words(views, results, "--only", "coefficients", "--keep"), "--steps", "3"])
    assert len(trained) == 6


def test_vectors_of_auto_decoding_learn_from_the_average(views, tmp_path, monkeypatch):
    results = tmp_path / "rows.json"
    monkeypatch.setitem(ablations.TRAININGS, "auto", tables.Training((1, 8, 4, 6), adaptation="auto-decoding"))
    monkeypatch.setattr(ablations, "trainings_of", lambda parts: ["auto"])
    ablations.main(words(views, results))
    found = rows(results)
    assert found["auto.psnr_unseen"]["value"] == found["auto.psnr_unseen_refined"]["value"]
    assert not any("similarity" in name for name in found) and not (tmp_path / ablations.PICTURE).exists()


def test_bases_are_drawn_beside_the_rows(views, tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setitem(ablations.TRAININGS, ablations.SHOWN, tables.Training((1, 8, 4, 6)))
    monkeypatch.setattr(ablations, "trainings_of", lambda parts: [ablations.SHOWN])
    results = tmp_path / "rows.json"
    ablations.main(words(views, results))
    means = [rows(results)[f"{ablations.SHOWN}.similarity_{layer}"]["value"] for layer in range(3)]
    assert all(0.0 < mean < 1.0 for mean in means)
    assert Image.open(tmp_path / ablations.PICTURE).width == 12 + (4 * 32 + 2) + 12  # the one hidden layer
