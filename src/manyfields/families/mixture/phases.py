"""The phases that mixtures are fitted by: latent vectors, and the networks that are averaged."""

from dataclasses import replace

from manyfields.fitting.phases import Phase


def mixtures(epochs: float, shared: bool = True) -> tuple[Phase, ...]:
    """Latent vectors of objects, and with `shared` the networks that are averaged and the projection, together.

    Rates are those of principal vectors, the first numbers of which are several times as large as the others.
    """
    phase = Phase("mixture", epochs=epochs, rgb=1.0, smoothness=0.0, emptiness=0.1, code_decay=1e-5, codes_rate=0.5)
    phase = replace(phase, rays_per_object=512, final_rate=0.01, coarse_share=0.0)
    learn = replace(phase, codes_rate=2e-3, code_noise=0.1, base_rate=5e-4, fields_rate=3e-4, final_rate=0.03)
    return (learn if shared else phase,)


def instances(epochs: float, shared: bool = True) -> tuple[Phase, ...]:
    """Likewise of images and voxels. Without `shared` an epoch is a step: all instances of a wave are in each.

    Second derivatives through inner steps are steep where a step has gone too far: gradients are kept short.
    """
    phase = Phase("instances", epochs=epochs, rgb=1.0, smoothness=0.0, codes_rate=1e-2, code_decay=1e-6)
    phase = replace(phase, views_per_object=1, objects_per_step=16, rays_per_object=512, coarse_share=0.0)
    shared_too = replace(phase, base_rate=3e-4, fields_rate=1e-3, gradient_norm=0.1)
    return (shared_too if shared else replace(phase, objects_per_step=256),)
