"""Steps train exactly what they should, bring losses down, and repeat bit by bit after a restart."""

from dataclasses import replace

import pytest
import torch

from manyfields.errors import ConfigError, RunError
from manyfields.families.fused_planes.fitter import PlaneFitter, roughness
from manyfields.fitting import ray_fitter
from manyfields.fitting import set_fitter as module
from manyfields.fitting.checkpoints import load_checkpoint, save_checkpoint
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler
from manyfields.views import composite

SMALL = {"objects_per_step": 2, "views_per_object": 2, "rays_per_object": 32}
WARM_UP = Phase("warm-up", 8, latent=1.0, base_rate=1e-2, fields_rate=5e-3, **SMALL)
JOINT = replace(WARM_UP, name="joint", rgb=1.0, autoencoder=0.1, decoder_rate=1e-3, encoder_rate=1e-3)
CODES = Phase("codes", 8, latent=1.0, **SMALL)
ALIGN = Phase("align", 8, rgb=1.0, **SMALL)
HULLS = Phase("rays", 40, rgb=1.0, emptiness=0.01, base_rate=1e-2, fields_rate=5e-3, **SMALL)
RAYS = Phase("rays", 8, rgb=1.0, base_rate=1e-2, fields_rate=5e-3, **SMALL)
# Micro planes alone learn: the fitter keeps the planes of all objects in a table.
ALONE = Phase("alone", 8, rgb=1.0, smoothness=0.0, emptiness=0.01, weights_rate=0.0, coarse_share=0.0, **SMALL)
ALONE_LATENT = replace(ALONE, name="alone, latent", rgb=0.0, latent=1.0, smoothness=0.01)


def snapshot(fitter: PlaneFitter) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in fitter.state().items() if not name.startswith("optimizer")}


def changed(fitter: PlaneFitter, before: dict[str, torch.Tensor]) -> set[str]:
    """The parts of the shared part, and the codes, that differ from `before`."""
    parts = set()
    for name, tensor in snapshot(fitter).items():
        group, _, inner = name.partition("/")
        if group == "codes" and not inner.startswith("code."):
            continue
        if not torch.equal(tensor, before[name]):
            parts.add(inner.rsplit(".", 1)[0] if group == "codes" else inner)
    return parts


def run(fitter: PlaneFitter, phase: Phase, start: int = 0, stop: int | None = None) -> list[dict[str, float]]:
    losses = []
    for index in range(start, phase.steps if stop is None else stop):
        losses.append(fitter.step(phase, index))
    return losses


def names(fitter: PlaneFitter, *prefixes: str) -> set[str]:
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


@pytest.mark.parametrize("space", ["rgb", "hulls"])
def test_the_white_that_views_are_composited_on_does_not_learn(make_fitter, space):
    fitter = make_fitter(space)
    before = snapshot(fitter)
    fitter.begin(RAYS)
    run(fitter, RAYS)
    moved = changed(fitter, before) - {""}  # the guides
    assert moved == names(fitter, "family.") | {"code"}
    assert fitter.shared.background.tolist() == [1.0, 1.0, 1.0] and fitter.shared.background.grad is None


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
    [
        ("latent", CODES, "latent"),
        ("latent", JOINT, "rgb"),
        ("rgb", RAYS, "rgb"),
        ("hulls", HULLS, "rgb"),
        ("hulls", replace(ALONE, codes_rate=0.2), "rgb"),
    ],
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
    real = ray_fitter.color_error

    def watched(field, rays, colors, *arguments, **options):
        seen.update(rays=rays, target=colors)
        return real(field, rays, colors, *arguments, **options)

    monkeypatch.setattr(ray_fitter, "color_error", watched)
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


CASES = [
    *(("latent", WARM_UP), ("latent", JOINT), ("latent", CODES), ("latent", ALIGN), ("latent", ALONE_LATENT)),
    *(("rgb", RAYS), ("hulls", HULLS), ("hulls", ALONE)),
]


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


def test_guides_are_carried_from_phase_to_phase(make_fitter, tmp_path):
    """What a phase has found out of where things are, the next one need not find out again."""
    fitter, again = make_fitter("hulls"), make_fitter("hulls")
    start = fitter.guides.values.clone()
    fitter.begin(HULLS)
    run(fitter, HULLS)
    learned = fitter.guides.values.clone()
    assert not torch.equal(learned, start)
    save_checkpoint(tmp_path / "c", fitter.state(), {})
    fitter.begin(ALONE)
    assert torch.equal(fitter.guides.values, learned)
    expected = run(fitter, ALONE)
    tensors, _ = load_checkpoint(tmp_path / "c")
    again.load_shared(tensors)
    again.begin(ALONE)
    again.load(tensors, optimizer=False)
    assert run(again, ALONE) == expected  # a run that was stopped between the two


@pytest.mark.parametrize(("grow", "counts"), [(True, [2, 4, 6, 6]), (False, [6, 6, 6, 6])])
def test_only_what_is_learned_first_has_fewer_samples(make_fitter, monkeypatch, grow, counts):
    fitter, seen = make_fitter("hulls"), []
    fitter.sampler = Sampler(guided=6)

    def error(fields, rays, colors, sampler, **_):
        seen.append(sampler.guided)
        return fields.planes.sum()

    monkeypatch.setattr(ray_fitter, "color_error", error)
    phase = replace(HULLS, steps=4, samples_grow=grow)
    fitter.begin(phase)
    run(fitter, phase)
    assert seen == counts


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_steps_composite_on_colours_drawn_at_random_as_often_as_stated(make_fitter, monkeypatch, share):
    """On white alone nothing tells a white surface from a hole."""
    fitter, seen = make_fitter("hulls"), []

    def error(fields, rays, colors, sampler, background, **_):
        seen.append((background, colors))
        return fields.planes.sum()

    monkeypatch.setattr(ray_fitter, "color_error", error)
    phase = replace(HULLS, steps=60, backgrounds=share)
    fitter.begin(phase)
    run(fitter, phase)
    white = [bool((background == 1.0).all()) for background, _ in seen]
    assert abs(1.0 - sum(white) / 60 - share) < 0.2 and (share not in (0.0, 1.0) or len(set(white)) == 1)
    for (background, colors), is_white in zip(seen, white, strict=True):
        # What lies beyond the object has the colour that is composited on.
        beyond = (colors - background).abs().amax(-1) < 1e-5
        assert 0.02 < float(beyond.float().mean()) < 0.98 or is_white


def test_objects_without_transparency_stay_on_white(make_fitter, monkeypatch):
    fitter, seen = make_fitter("hulls"), []
    fitter.data.objects[1].alpha = None
    monkeypatch.setattr(
        ray_fitter, "color_error", lambda fields, *_, background, **__: seen.append(background) or fields.planes.sum()
    )
    phase = replace(HULLS, steps=5, backgrounds=1.0)
    fitter.begin(phase)
    run(fitter, phase)
    assert all(bool((background == 1.0).all()) for background in seen)


@pytest.mark.parametrize(("backgrounds", "costs"), [(0.0, False), (1.0, True)])
def test_a_white_thing_on_white_that_is_not_there_costs_something(make_fitter, backgrounds, costs):
    """Its pixels are the white of what is behind it: on white alone, an empty field shows it without an error."""
    fitter = make_fitter("hulls")
    for item in fitter.data.objects:
        item.images.fill_(255)
    fitter.shared.family.output.bias.data[0] = -1000.0
    phase = replace(HULLS, steps=8, emptiness=0.0, smoothness=0.0, backgrounds=backgrounds)
    fitter.begin(phase)
    assert (fitter.step(phase, 0)["rgb"] > 0.01) == costs


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


TABLES = {
    "rgb": ("rgb", ALONE, {}),
    "hulls": ("hulls", ALONE, {}),
    "directions": ("hulls", ALONE, {"view_degree": 1}),
    "smooth": ("hulls", replace(ALONE, smoothness=0.01), {}),
    "decoder learns": ("hulls", replace(ALONE, fields_rate=5e-3), {}),
    "latent": ("latent", ALONE_LATENT, {}),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_planes_changes_nothing_but_time(make_fitter, name):
    space, phase, changes = TABLES[name]
    phase = replace(phase, steps=20)
    fitters = [make_fitter(space, **changes), make_fitter(space, **changes)]
    losses = []
    for fitter, with_table in zip(fitters, (True, False), strict=True):
        before = snapshot(fitter)
        fitter.begin(phase)
        assert fitter._table is not None
        if not with_table:
            fitter._table = None
        losses.append(run(fitter, phase))
        assert torch.equal(fitter.store.codes["weights"], before["codes/code.weights"])
        assert not torch.equal(fitter.store.codes["micro"], before["codes/code.micro"])
    for one, other in zip(*losses, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    found, wanted = (fitter.store.codes["micro"] for fitter in fitters)
    assert float((found - wanted).abs().max()) < 1e-3
    with torch.no_grad():
        planes = fitters[0].shared.family.planes(fitters[0].store.all())
    torch.testing.assert_close(fitters[0]._table, planes)


@pytest.mark.parametrize("changed", ["weights_rate", "base_rate", "coarse_share"])
def test_no_table_is_kept_where_more_than_micro_planes_learns(make_fitter, changed):
    fitter = make_fitter("hulls")
    fitter.begin(ALONE)
    fitter.begin(replace(ALONE, **{changed: 0.01}))
    assert fitter._table is None
    fitter.step(ALONE, 0)


@pytest.mark.parametrize("sizes", [{"micro_features": 0}, {"macro_features": 0, "base_planes": 0}])
def test_no_table_is_kept_of_planes_of_one_kind(make_fitter, sizes):
    fitter = make_fitter("hulls", **sizes)
    fitter.begin(ALONE)
    assert fitter._table is None


def test_crops_of_the_whole_image_are_the_image(make_fitter):
    """A window as large as the latent image is no window; a smaller one trains the same parts."""
    losses = []
    for crop in (0, 4):  # the latent image has 4 pixels a side
        fitter = make_fitter()
        phase = replace(ALIGN, crop=crop)
        fitter.begin(phase)
        losses.append(run(fitter, phase))
    assert losses[0] == losses[1]
    fitter = make_fitter()
    phase = replace(ALIGN, crop=3, steps=60)
    fitter.begin(phase)
    before = snapshot(fitter)
    seen = run(fitter, phase)
    assert changed(fitter, before) == {"code"} or all(name.startswith("code") for name in changed(fitter, before))
    first, last = seen[:12], seen[-12:]
    assert sum(step["rgb"] for step in last) < sum(step["rgb"] for step in first)


def test_crop_window_shows_what_the_whole_view_shows(make_fitter):
    """Latents rendered in a window are the same numbers as those of the whole view there."""
    fitter = make_fitter()
    fitter.begin(CODES)
    batch = fitter.data.draw([0, 1], 2, torch.Generator().manual_seed(0))
    window = batch.cropped(1, 0, 3, fitter.shared.stride)
    field = fitter.shared.family.field(fitter.store.all()[torch.tensor([0, 1])])
    with torch.no_grad():
        whole = fitter.shared.pictures_of(field, batch.cameras, batch.bounds, fitter.sampler, decode=False).latents
        part = fitter.shared.pictures_of(field, window.cameras, window.bounds, fitter.sampler, decode=False).latents
    torch.testing.assert_close(part, whole[..., 0:3, 1:4], atol=1e-4, rtol=1e-4)
    assert window.images.shape[-2:] == (12, 12) and window.latents.shape[-2:] == (3, 3)


def test_a_fit_that_diverged_says_so(make_fitter):
    fitter = make_fitter("hulls")
    fitter.begin(HULLS)
    with torch.no_grad():
        fitter.shared.family.hidden.weight[0, 0] = float("nan")
    with pytest.raises(RunError, match=r"phase 'rays' diverged before step 0: .*lower rates"):
        fitter.step(HULLS, 0)


def test_crops_are_refused_where_they_cannot_be():
    with pytest.raises(ConfigError, match="crop 2 needs at least 3"):
        Phase("align", 8, rgb=1.0, crop=2)
    with pytest.raises(ConfigError, match="no encoder that learns"):
        Phase("joint", 8, rgb=1.0, crop=8, encoder_rate=1e-3)


def test_every_step_tells_of_the_same_losses(make_fitter):
    """Curves average them over steps; places outside the hull are looked at in every fourth step only."""
    fitter = make_fitter("hulls")
    fitter.begin(HULLS)
    losses = run(fitter, HULLS, stop=8)
    assert {frozenset(step) for step in losses} == {frozenset({"rgb", "smoothness", "emptiness"})}
    assert [step["emptiness"] > 0 for step in losses] == [True, False, False, False] * 2
