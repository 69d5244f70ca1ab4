"""The presets of mixtures of scenes: sampled by guides for a CPU, and as in the paper."""

from dataclasses import replace
from typing import TYPE_CHECKING

from manyfields.fields import MixtureConfig
from manyfields.rendering import Sampler
from manyfields.runs.schedules import mixtures

if TYPE_CHECKING:
    from manyfields.runs.settings import FitSettings

VIEWS, PIXELS, POINTS = 32, 512, 32  # of an object in a step of the paper, of a view, and of a pixel's ray


def mixture_presets(base: "FitSettings") -> dict[str, "FitSettings"]:
    """By name, on top of what is the same for all fits. Both have the paper's sizes for scenes."""
    guided = replace(
        base,
        preset="mixture",
        mixture=MixtureConfig(),
        sampler=Sampler(guided=18),
        final_sampler=Sampler(guided=24),
        wave=16,
        stage1=mixtures(epochs=60),
        stage2=mixtures(epochs=20, shared=False),
    )
    paper = replace(
        mixtures(epochs=2000)[0],
        emptiness=0.0,
        code_decay=1e-4,
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
            hull=0,
            sampler=spread,
            final_sampler=spread,
            stage1=(paper,),
            stage2=(replace(paper, epochs=200, base_rate=0.0, fields_rate=0.0),),
        ),
    }
