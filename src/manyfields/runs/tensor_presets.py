"""The presets of tensor fields: sizes for CPUs, and the paper's."""

from dataclasses import replace
from typing import TYPE_CHECKING

from manyfields.rendering import Sampler
from manyfields.runs.schedules import tensors
from manyfields.runs.tensor_settings import TensorSettings

if TYPE_CHECKING:
    from manyfields.runs.settings import FitSettings

# Masks come late: after a tenth of so few steps fields are still empty in places where they will not be.
SMALL = TensorSettings(hidden=64, first=64, last=128, upsample_at=(0.1, 0.2, 0.3), mask_at=(0.4, 0.7))
SMALL_CP = replace(SMALL, kind="cp", density_components=96, appearance_components=288, last=256)


def tensor_presets(base: "FitSettings") -> dict[str, "FitSettings"]:
    """By name, on top of what is the same for all fits."""
    small = replace(
        base,
        preset="tensorf",
        tensorf=SMALL,
        sampler=Sampler(guided=24, bins=64),
        final_sampler=Sampler(guided=32, bins=96),
        wave=1,
        stage1=tensors(epochs=50),
        stage2=tensors(epochs=50, fields_rate=0.0),
    )
    paper = replace(tensors()[0], steps=30_000, final_rate=0.1, backgrounds=0.0)
    many = Sampler(guided=128, bins=256)
    return {
        "tensorf": small,
        "tensorf-cp": replace(small, preset="tensorf-cp", tensorf=SMALL_CP),
        "tensorf-paper": replace(
            small,
            preset="tensorf-paper",
            tensorf=TensorSettings(),
            sampler=many,
            final_sampler=many,
            stage1=(paper,),
            stage2=(replace(paper, fields_rate=0.0),),
        ),
    }
