"""The presets of fused planes: the variants of the paper's tables."""

from dataclasses import replace
from typing import TYPE_CHECKING

from manyfields.families.fused_planes.phases import latent_stage1, latent_stage2, micro_alone, rays_together
from manyfields.rendering import Sampler

if TYPE_CHECKING:
    from manyfields.runs.settings import FitSettings


def plane_presets(base: "FitSettings") -> dict[str, "FitSettings"]:
    """By name; `base` is that of the family."""
    weights, micro = base.stage2
    # Nothing of the code is frozen beside these micro planes: they learn at the rate that such planes learned best at.
    alone = micro_alone(epochs=24, rate=0.05)
    all_micro = replace(
        base, micro_features=32, macro_features=0, base_planes=0, stage1=(rays_together(epochs=20),), stage2=(alone,)
    )
    return {
        "fused-planes": base,
        "latent": replace(
            base,
            preset="latent",
            space="latent",
            weight_groups=1,
            activation="softplus",
            span="cube",
            hull=0,
            view_degree=0,
            sampler=Sampler(16, 16),
            final_sampler=Sampler(32, 32),
            stage1=latent_stage1(),
            stage2=latent_stage2(),
        ),
        "tri-planes": replace(
            all_micro,
            preset="tri-planes",
            activation="softplus",
            span="cube",
            hull=0,
            view_degree=0,
            sampler=Sampler(32, 32),
            final_sampler=Sampler(48, 48),
        ),
        "micro-only": replace(all_micro, preset="micro-only"),
        "macro-only": replace(
            base,
            preset="macro-only",
            micro_features=0,
            macro_features=32,
            base_planes=50,
            stage1=(rays_together(epochs=20),),
            stage2=(replace(weights, epochs=micro.epochs, final_rate=micro.final_rate),),
        ),
        **{
            f"m{count}": replace(base, preset=f"m{count}", base_planes=count, weight_groups=1)
            for count in (1, 25, 50, 75)
        },
    }
