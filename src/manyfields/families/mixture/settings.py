"""The presets of mixtures: scenes, images and voxels, each for a CPU and as in the paper."""

from dataclasses import replace
from typing import TYPE_CHECKING

from manyfields.families.mixture.adaptation import SignalSettings, Way
from manyfields.families.mixture.config import MixtureConfig
from manyfields.fitting.phases import Phase
from manyfields.rendering import Sampler

if TYPE_CHECKING:
    from manyfields.runs.settings import FitSettings

VIEWS, PIXELS, POINTS = 32, 512, 32  # of an object in a step of the paper, of a view, and of a pixel's ray


def mixture_presets(base: "FitSettings") -> dict[str, "FitSettings"]:
    """By name, on top of what is the same for all fits. Both have the paper's sizes for scenes."""
    guided = replace(
        base,
        preset="mixture",
        mixture=MixtureConfig(w0=20.0, start_spread=0.1),
        start="principal",
        sampler=Sampler(guided=18),
        final_sampler=Sampler(guided=24),
        wave=16,
        stage1=mixtures(epochs=60),
        stage2=mixtures(epochs=60, shared=False),
    )
    paper = replace(
        mixtures(epochs=2000)[0],
        emptiness=0.0,
        code_decay=1e-4,
        code_noise=0.0,
        codes_rate=1e-4,
        base_rate=1e-4,
        fields_rate=1e-4,
        final_rate=0.01,
        views_per_object=VIEWS,
        rays_per_object=VIEWS * PIXELS,
    )
    spread = Sampler(stratified=POINTS, importance=0)
    return {
        "mixture": guided,
        "mixture-paper": replace(
            guided,
            preset="mixture-paper",
            mixture=MixtureConfig(guide_side=0),
            start="average",
            hull=0,
            sampler=spread,
            final_sampler=spread,
            stage1=(paper,),
            stage2=(replace(paper, epochs=200, base_rate=0.0, fields_rate=0.0),),
        ),
        **_signal_presets(base),
    }


def suited(settings: "FitSettings", way: Way) -> "FitSettings":
    """Settings of images or voxels for a way of adaptation: how far apart vectors start, what learns how fast."""
    assert settings.signals is not None
    epochs = settings.stage1[0].epochs
    if way != "principal":
        chosen = SignalSettings(side=settings.signals.side, adaptation=way, refine=True)
        return replace(settings, signals=chosen, stage1=signals(epochs), stage2=signals(150, False))
    # Vectors that mean something from the first step on bear higher rates of the bases than random ones do.
    learn = replace(signals(epochs)[0], objects_per_step=32, base_rate=5e-4, fields_rate=2e-4, codes_rate=1e-3)
    chosen = SignalSettings(side=settings.signals.side, adaptation="principal", start_spread=0.1)
    refine = replace(signals(1000, False)[0], codes_rate=0.2)
    return replace(settings, signals=chosen, stage1=(replace(learn, final_rate=0.05),), stage2=(refine,))


def _signal_presets(base: "FitSettings") -> dict[str, "FitSettings"]:
    plain = replace(base, hull=0, wave=256)
    paper = replace(signals(800)[0], base_rate=1e-4, fields_rate=1e-4, final_rate=0.01)
    learned = (replace(paper, objects_per_step=32, rays_per_object=4096),)
    return {
        "mixture-images": suited(
            replace(
                plain,
                preset="mixture-images",
                mixture=MixtureConfig("images", 4, 64, 256, 1024, w0=20.0),
                signals=SignalSettings(side=64),
                stage1=signals(60),
            ),
            "principal",
        ),
        "mixture-voxels": suited(
            replace(
                plain,
                preset="mixture-voxels",
                mixture=MixtureConfig("voxels", 4, 64, 256, 512, w0=15.0),
                signals=SignalSettings(side=32),
                stage1=signals(400),
            ),
            "principal",
        ),
        "mixture-images-paper": replace(
            plain,
            preset="mixture-images-paper",
            mixture=MixtureConfig("images", 5, 128, 384, 512),
            signals=SignalSettings(side=64),
            stage1=learned,
            stage2=signals(200, False),
        ),
        "mixture-voxels-paper": replace(
            plain,
            preset="mixture-voxels-paper",
            mixture=MixtureConfig("voxels", 5, 128, 512, 1024),
            signals=SignalSettings(side=64),
            stage1=(replace(learned[0], epochs=400),),
            stage2=signals(200, False),
        ),
    }


def mixtures(epochs: float, shared: bool = True) -> tuple[Phase, ...]:
    """Latent vectors of objects, and with `shared` the networks that are averaged and the projection, together.

    Rates are those of principal vectors, the first numbers of which are several times as large as the others.
    """
    phase = Phase("mixture", epochs=epochs, rgb=1.0, smoothness=0.0, emptiness=0.1, code_decay=1e-5, codes_rate=0.5)
    phase = replace(phase, rays_per_object=512, final_rate=0.01, coarse_share=0.0)
    learn = replace(phase, codes_rate=2e-3, code_noise=0.1, base_rate=5e-4, fields_rate=3e-4, final_rate=0.03)
    return (learn if shared else phase,)


def signals(epochs: float, shared: bool = True) -> tuple[Phase, ...]:
    """Likewise of images and voxels. Without `shared` an epoch is a step: all instances of a wave are in each.

    Second derivatives through inner steps are steep where a step has gone too far: gradients are kept short.
    """
    phase = Phase("instances", epochs=epochs, rgb=1.0, smoothness=0.0, codes_rate=1e-2, code_decay=1e-6)
    phase = replace(phase, views_per_object=1, objects_per_step=16, rays_per_object=512, coarse_share=0.0)
    shared_too = replace(phase, base_rate=3e-4, fields_rate=1e-3, gradient_norm=0.1)
    return (shared_too if shared else replace(phase, objects_per_step=256),)
