"""Steps train exactly what they should, bring losses down, and repeat bit by bit after a restart."""

from dataclasses import replace

import pytest
import torch

from manyfields.fitting import fitter as module
from manyfields.fitting.checkpoints import load_checkpoint, save_checkpoint
from manyfields.fitting.fitter import Fitter, roughness
from manyfields.fitting.phases import Phase
from manyfields.views import composite

SMALL = {"objects_per_step": 2, "views_per_object": 2, "rays_per_object": 32}
WARM_UP = Phase("warm-up", 8, latent=1.0, base_rate=1e-2, fields_rate=5e-3, **SMALL)
JOINT = replace(WARM_UP, name="joint", rgb=1.0, autoencoder=0.1, decoder_rate=1e-3, encoder_rate=1e-3)
CODES = Phase("codes", 8, latent=1.0, **SMALL)
ALIGN = Phase("align", 8, rgb=1.0, **SMALL)
HULLS = Phase("rays", 40, rgb=1.0, emptiness=0.01, base_rate=1e-2, fields_rate=5e-3, **SMALL)
RAYS = Phase("rays", 8, rgb=1.0, base_rate=1e-2, fields_rate=5e-3, **SMALL)


def snapshot(fitter: Fitter) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in fitter.state().items() if not name.startswith("optimizer")}


def changed(fitter: Fitter, before: dict[str, torch.Tensor]) -> set[str]:
    """The parts of the shared part, and the codes, that differ from `before`."""
    parts = set()
    for name, tensor in snapshot(fitter).items():
        group, _, inner = name.partition("/")
        if group == "codes" and not inner.startswith("code."):
            continue
        if not torch.equal(tensor, before[name]):
            parts.add(inner.rsplit(".", 1)[0] if group == "codes" else inner)
    return parts


def run(fitter: Fitter, phase: Phase, start: int = 0, stop: int | None = None) -> list[dict[str, float]]:
    losses = []
    for index in range(start, phase.steps if stop is None else stop):
        losses.append(fitter.step(phase, index))
    return losses


def names(fitter: Fitter, *prefixes: str) -> set[str]:
    return {name for name, _ in fitter.shared.named_parameters() if name.startswith(prefixes)}


FIELDS = ("family.hidden", "family.output", "background")
LEARNING = {
    "warm-up": (WARM_UP, ("family.base", *FIELDS)),
    "joint": (JOINT, ("family.base", *FIELDS, "autoencoder.")),
    "codes": (CODES, ()),
    "align": (ALIGN, ()),
    "decoder": (replace(ALIGN, decoder_rate=1e-3), ("autoencoder.decoder",)),
    "base": (replace(CODES, base_rate=1e-2), ("family.base",)),
}


@pytest.mark.parametrize("name", LEARNING)
def test_a_phase_trains_the_parts_with_a_rate_and_no_bit_of_the_rest(make_fitter, name):
    phase, learning = LEARNING[name]
    fitter = make_fitter()
    before = snapshot(fitter)
    fitter.begin(phase)
    run(fitter, phase)
    assert changed(fitter, before) == (names(fitter, *learning) if learning else set()) | {"code"}


def test_frozen_codes_stay(make_fitter):
    fitter = make_fitter()
    before = snapshot(fitter)
    phase = replace(WARM_UP, codes_rate=0.0, weights_rate=0.0)
    fitter.begin(phase)
    run(fitter, phase)
    assert changed(fitter, before) == names(fitter, "family.base", *FIELDS)


def test_a_part_that_was_frozen_learns_again(make_fitter):
    fitter = make_fitter()
    fitter.begin(CODES)
    run(fitter, CODES, stop=2)
    before = snapshot(fitter)
    fitter.begin(JOINT)
    run(fitter, JOINT, stop=2)
    assert names(fitter, "autoencoder.", "family.") <= changed(fitter, before)


@pytest.mark.parametrize(
    ("space", "phase", "loss"),
    [("latent", CODES, "latent"), ("latent", JOINT, "rgb"), ("rgb", RAYS, "rgb"), ("hulls", HULLS, "rgb")],
)
def test_losses_fall(make_fitter, space, phase, loss):
    fitter = make_fitter(space)
    phase = replace(phase, steps=60, objects_per_step=3, views_per_object=6, final_rate=0.5)
    fitter.begin(phase)
    losses = [step[loss] for step in run(fitter, phase)]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_only_the_objects_of_a_step_change(make_fitter):
    fitter = make_fitter()
    fitter.begin(CODES)
    run(fitter, CODES, stop=2)
    before = snapshot(fitter)
    phase = replace(CODES, objects_per_step=1)
    fitter.step(phase, 1)
    moved = [
        row
        for row in range(len(fitter.data))
        if not torch.equal(fitter.store.codes["micro"][row], before["codes/code.micro"][row])
    ]
    assert moved == module.rows_of_step(3, 1, 1, module.stable_seed(0, "codes"))
    for row in {0, 1, 2} - set(moved):
        for name, tensor in fitter.store.state().items():
            assert torch.equal(tensor[row], before[f"codes/{name}"][row]), name


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_levels_are_drawn_as_often_as_stated(make_fitter, share):
    fitter = make_fitter()
    generator = torch.Generator().manual_seed(0)
    level = fitter._draw_level(4000, replace(CODES, coarse_share=share), generator)
    if share == 0:
        assert level is None
    else:
        assert set(level.tolist()) <= {1, 2}
        assert float((level == 1).float().mean()) == pytest.approx(share, abs=0.03)


def test_a_code_of_one_layer_has_no_levels_to_draw(make_fitter):
    fitter = make_fitter(micro_features=0)
    assert fitter._draw_level(4, replace(CODES, coarse_share=0.5), torch.Generator()) is None


def test_coarse_steps_leave_the_fine_layer_alone(make_fitter):
    """Where every object is drawn with layer 0 alone, micro planes only feel the smoothness."""
    fitter = make_fitter()
    before = snapshot(fitter)
    phase = replace(CODES, coarse_share=1.0, smoothness=0.0)
    fitter.begin(phase)
    run(fitter, phase)
    assert torch.equal(fitter.store.codes["micro"], before["codes/code.micro"])
    assert not torch.equal(fitter.store.codes["weights"], before["codes/code.weights"])


def test_targets_of_rays_are_the_pixels_they_go_through(make_fitter, tiny_views, monkeypatch):
    fitter = make_fitter("rgb")
    seen = {}
    real_render, real_loss = module.render, module.functional.mse_loss
    monkeypatch.setattr(
        module, "render", lambda field, rays, *a, **k: seen.update(rays=rays) or real_render(field, rays, *a, **k)
    )
    monkeypatch.setattr(module.functional, "mse_loss", lambda a, b: seen.update(target=b) or real_loss(a, b))
    fitter.begin(RAYS)
    fitter.step(RAYS, 0)
    rows = module.rows_of_step(3, 2, 0, module.stable_seed(0, "rays"))
    for place, row in enumerate(rows):
        views = tiny_views[row]
        images = torch.from_numpy(composite(views.images()))
        poses = views.cameras.camera_to_world[:, :3, 3]
        rays, target = seen["rays"], seen["target"][place]
        assert len(target) == 32
        for number in range(32):
            origin, direction = rays.origins[place, number], rays.directions[place, number]
            view = int((poses - origin).abs().sum(1).argmin())
            pixel, depth = views.cameras[view].project((origin + 2 * direction)[None])
            column, line = pixel[0].tolist()
            assert depth > 0 and column % 1 == pytest.approx(0.5, abs=1e-3) and line % 1 == pytest.approx(0.5, abs=1e-3)
            assert (target[number] * 255).round().tolist() == images[view, int(line), int(column)].tolist()


CASES = [("latent", WARM_UP), ("latent", JOINT), ("latent", CODES), ("latent", ALIGN), ("rgb", RAYS), ("hulls", HULLS)]


@pytest.mark.parametrize(("space", "phase"), CASES, ids=[phase.name for _, phase in CASES])
@pytest.mark.parametrize("half", [False, True])
def test_a_restart_in_the_middle_changes_no_bit(make_fitter, tmp_path, space, phase, half):
    whole, first, second = make_fitter(space), make_fitter(space), make_fitter(space)
    whole.half = first.half = second.half = half
    whole.begin(phase)
    expected = run(whole, phase)
    first.begin(phase)
    losses = run(first, phase, stop=3)
    save_checkpoint(tmp_path / "c", first.state(), {})
    tensors, _ = load_checkpoint(tmp_path / "c")
    second.load_shared(tensors)
    second.begin(phase)
    second.load(tensors)
    losses += run(second, phase, start=3)
    assert losses == expected
    state = second.state()
    assert state.keys() == whole.state().keys()
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, state[name]), name


def test_another_seed_gives_another_fit(make_fitter):
    one, two = make_fitter(), make_fitter()
    two.seed = 1
    for fitter in (one, two):
        fitter.begin(CODES)
        run(fitter, CODES, stop=2)
    assert not torch.equal(one.store.codes["micro"], two.store.codes["micro"])


def test_roughness_equals_a_plain_loop():
    planes = torch.randn(2, 3, 4, 5, 2, generator=torch.Generator().manual_seed(0))
    down = [(planes[:, :, y + 1] - planes[:, :, y]) ** 2 for y in range(3)]
    across = [(planes[:, :, :, x + 1] - planes[:, :, :, x]) ** 2 for x in range(4)]
    expected = torch.stack(down).mean() + torch.stack(across).mean()
    torch.testing.assert_close(roughness(planes), expected)
