"""Networks that mixtures are compared with: what they compute, what it costs, and rows of tiny fits."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.mixture import efficiency, modulations
from manyfields.errors import RunError
from manyfields.fitting.phases import Phase

TINY = {
    "mixture": {"hidden_layers": 1, "width": 8, "bases": 4, "latent": 6, "w0": 10.0},
    "signals": {"side": 8, "adaptation": "principal"},
}
PHASE = {"name": "instances", "rgb": 1.0, "smoothness": 0.0, "objects_per_step": 4, "rays_per_object": 30}
TINY["stage1"] = [{**PHASE, "steps": 60, "base_rate": 0.003, "fields_rate": 0.003}]
TINY["stage2"] = [{**PHASE, "steps": 10}]


@pytest.fixture(scope="module")
def drawn():
    return torch.Generator().manual_seed(0)


def test_film_is_one_network_with_shifted_angles(drawn):
    film = modulations.Film(modulations.Sizes(5, 2, 3, 7.0), drawn)
    latents, points = torch.randn(2, 3), torch.rand(2, 9, 2)
    shifts = (latents @ film.projection.weight.T).view(2, 3, 5)
    for row in range(2):
        for point, found in zip(points[row], film.values(latents, points)[row], strict=True):
            values = point
            for layer, (inputs, outputs) in enumerate(film.config.layers):
                matrix = film.bases[layer][0, : inputs * outputs].view(outputs, inputs)
                values = matrix @ values + film.bases[layer][0, inputs * outputs :]
                values = torch.sin(7.0 * values + shifts[row, layer]) if layer < 3 else values + 0.5
            torch.testing.assert_close(found, values, atol=1e-5, rtol=0)


def test_a_hypernetwork_puts_out_networks_around_a_mean_one(drawn):
    family = modulations.HyperNetwork(modulations.Sizes(6, 1, 4, 9.0), drawn, hidden=16)
    networks = family.networks(torch.randn(64, 4))
    for mean, numbers in zip(family.bases, networks, strict=True):
        spread = float(((numbers - mean).std() / mean.std()).detach())
        assert 0.01 < spread < 0.3, "instances differ by about a tenth of the mean's numbers"
    assert sum(numbers.shape[1] for numbers in networks) == family.network


@pytest.mark.parametrize("name", ["film_64x4", "film_128x5"])
def test_flops_are_those_of_the_products(drawn, name):
    from manyfields.fitting.instance_data import InstanceData
    from manyfields.views.instances import Instance

    kind, width, layers = efficiency.NETWORKS[name]
    values = np.zeros((1, 64, 3), np.uint8)
    one = InstanceData([Instance("a", values[0], 8)])
    found = efficiency.costs(kind(modulations.Sizes(width, layers, 4, 20.0), drawn), one)
    products = 2 * width + layers * width**2 + 3 * width
    assert found["gflops"] == pytest.approx(2 * 64 * products / 1e9)
    assert found["network"] == products + (layers + 1) * width * 2 + 3
    assert found["memory_mb"] > 4 * found["network"] / 1e6 and found["fps"] > 0


@pytest.mark.parametrize(
    ("unseen", "name", "words"),
    [
        ((26.0, 27.5, 29.0), "film_128x5", "reaches the PSNR of the mixture"),
        ((20.0, 21.0, 22.0), "film_256x6", "none reaches the PSNR of the mixture"),
    ],
)
@pytest.mark.parametrize("seen", [False, True])
def test_the_ratio_is_to_the_smallest_that_is_as_good(unseen, name, words, seen):
    costs = {"film_64x4": 0.1, "film_128x5": 0.5, "film_256x6": 2.0}
    figures = ("psnr_train", "psnr_unseen") if seen else ("psnr_unseen", "psnr_train")
    found = {
        film: {figures[0]: psnr, figures[1]: 1.0, "gflops": costs[film]}
        for film, psnr in zip(costs, unseen, strict=True)
    }
    found["mixture"] = {figures[0]: 27.0, figures[1]: 90.0, "gflops": 0.1}
    row = efficiency.ratio(found, "how", seen)
    assert row.name == f"mixture.flops_ratio_film{'_seen' if seen else ''}"
    assert row.value == pytest.approx(costs[name] / 0.1) and name in row.note and words in row.note


def test_rows_of_a_tiny_fit(tmp_path, monkeypatch):
    folder = tmp_path / "images"
    for number in range(10):
        (folder / f"d{number}").mkdir(parents=True)
        shade = np.add.outer(np.arange(16), np.arange(16) * number) * 8 % 256
        Image.fromarray(np.stack([shade, shade[::-1], shade.T], -1).astype(np.uint8)).save(folder / f"d{number}/0.png")
    monkeypatch.setattr(efficiency, "NETWORKS", {"film_few": (modulations.Film, 8, 1)})
    monkeypatch.setattr(efficiency, "TUNING", slice(0, 1))
    monkeypatch.setattr(efficiency, "TRIAL", 0.1)
    results, work = tmp_path / "rows.json", tmp_path / "w"
    words = ["efficiency.py", "--data", str(folder), "--work", str(work), "--changes", json.dumps(TINY)]
    monkeypatch.setattr(
        sys, "argv", [*words, "--minutes", "0.01", "--adapting", "10", "--results", str(results), "--draft"]
    )
    efficiency.main()
    found = {row["name"]: row for row in json.loads(results.with_suffix(".draft.json").read_text())}
    for name in ("mixture", "film_few"):
        assert found[f"efficiency.{name}.psnr_train"]["value"] > 8
        assert found[f"efficiency.{name}.psnr_unseen"]["value"] > 5
    assert found["efficiency.film_few.seconds"]["value"] > 0 and found["efficiency.mixture.seconds"]["value"] > 0
    ratio = found["mixture.flops_ratio_film"]["value"]
    assert ratio == pytest.approx(1.0, abs=0.1)

    monkeypatch.setattr(efficiency.Images, "trial", None)  # a network that is in the work folder does not learn again
    efficiency.main()
    again = {row["name"]: row["value"] for row in json.loads(results.with_suffix(".draft.json").read_text())}
    for figure in ("psnr_train", "psnr_unseen", "seconds"):
        assert again[f"efficiency.film_few.{figure}"] == found[f"efficiency.film_few.{figure}"]["value"]


@pytest.mark.parametrize(("trial", "steps"), [(1.0, 6), (4.0, 3)])
def test_a_network_learns_as_long_as_the_mixture(monkeypatch, tmp_path, trial, steps):
    """By the time of a step in the pilot, or in a trial that met less other work."""
    images, ran = object.__new__(efficiency.Images), []
    images.rates, images.seconds, images.seen, images.phase = None, 6.0, [], Phase("instances", rgb=1.0)
    family = SimpleNamespace(remember_average=lambda codes: None, state_dict=dict)
    store = SimpleNamespace(all=lambda: SimpleNamespace(tensors={"latent": None}))
    fitter = SimpleNamespace(store=store, shared=SimpleNamespace(family=family))
    monkeypatch.setattr(efficiency, "seconds_per_step", lambda make, phases, steps: [2.0])
    monkeypatch.setattr(efficiency, "run", lambda fitter, phase, told: ran.append(phase.steps) or 6.0)
    monkeypatch.setattr(efficiency, "quality", lambda *given: 20.0)
    monkeypatch.setattr(efficiency, "save_file", lambda *given: None)
    monkeypatch.setattr(images, "family", lambda name: family)
    monkeypatch.setattr(images, "fitter", lambda *given: fitter)
    monkeypatch.setattr(images, "trial", lambda name, phase: (20.0, trial))
    images.learn("film_64x4", tmp_path / "file", lambda *told: None)
    assert ran == [steps]


def test_what_diverges_at_all_rates_says_so(monkeypatch, tmp_path):
    images = object.__new__(efficiency.Images)
    images.rates = None
    images.seconds, images.seen, images.phase = 1.0, [], Phase("instances", rgb=1.0)
    monkeypatch.setattr(efficiency, "seconds_per_step", lambda make, phases, steps: [1.0])
    monkeypatch.setattr(images, "trial", lambda name, phase: (0.0, 0.0))
    with pytest.raises(RunError, match="film_64x4 diverges at all rates"):
        images.learn("film_64x4", tmp_path / "file", lambda *told: None)
