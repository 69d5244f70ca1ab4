"""The phases that presets fit by: what learns, from what, how fast, for how long."""

from dataclasses import replace

from manyfields.fitting.phases import Phase

RAYS_OF_OCTREES = 4096
BACKGROUNDS = 0.5
"""So many of the steps composite on colours drawn at random (docs/how/fitting.md): of planes, octrees, scenes."""


def rays_together(epochs: float) -> Phase:
    """Everything learns from rays, together."""
    return Phase(
        "rays",
        epochs=epochs,
        rgb=1.0,
        smoothness=0.0,
        emptiness=0.03,
        codes_rate=0.06,
        base_rate=0.03,
        fields_rate=0.01,
        final_rate=0.05,
        backgrounds=BACKGROUNDS,
    )


def micro_alone(epochs: float, rate: float) -> Phase:
    """Micro planes learn alone, against what then stays as it is: a step takes half the time, and none is coarse.

    Where views are few that soon brings nothing more.
    """
    micro = Phase("micro", epochs=epochs, rgb=1.0, smoothness=0.0, codes_rate=rate, weights_rate=0.0, coarse_share=0.0)
    return replace(micro, final_rate=0.05, stops=True, backgrounds=BACKGROUNDS)


def rays_stage1() -> tuple[Phase, ...]:
    """Micro planes go on alone where all parts together left them: near the rate at which these ended, with all samples
    from the first step on. At eight times that rate, or with few samples, they first lose what they had learned."""
    micro = replace(micro_alone(epochs=10, rate=0.04), samples_grow=False)
    return replace(rays_together(epochs=15), final_rate=0.3), micro


def rays_stage2() -> tuple[Phase, ...]:
    # Weights first, without micro planes, so that layer 0 is as good as it can be; then they stay as they are.
    weights = Phase("weights", epochs=1, rgb=1.0, smoothness=0.0, emptiness=0.1, codes_rate=0.0, coarse_share=1.0)
    return replace(weights, backgrounds=BACKGROUNDS), micro_alone(epochs=24, rate=0.25)


def octrees(indices: bool = False, fields_rate: float = 2e-3) -> tuple[Phase, ...]:
    """Features of each object, and the network that all share; then, if wanted, indices in the place of features.

    Both take the same steps, and their rates decay alike. Indices that start from features by k-means, one level after
    the other, end nearer to the features than those of all levels at once.
    """
    features = Phase("features", epochs=20, rgb=1.0, smoothness=0.0, codes_rate=0.03, fields_rate=fields_rate)
    features = replace(features, rays_per_object=RAYS_OF_OCTREES, objects_per_step=1, final_rate=0.05, coarse_share=0.0)
    features = replace(features, backgrounds=BACKGROUNDS)
    if not indices:
        return (features,)
    before = features.final_rate**0.3
    first = replace(features, epochs=6, final_rate=before)
    then = replace(first, name="indices", epochs=14, final_rate=features.final_rate / before, indices=True)
    return first, replace(then, codes_rate=before * features.codes_rate, fields_rate=before * fields_rate)


def tensors(epochs: float = 50, fields_rate: float = 1e-3) -> tuple[Phase, ...]:
    """Grids of each scene, and the network, together: TensoRF's rates."""
    phase = Phase("tensors", epochs=epochs, rgb=1.0, smoothness=0.0, codes_rate=0.02, fields_rate=fields_rate)
    phase = replace(phase, rays_per_object=4096, objects_per_step=1, final_rate=0.05, coarse_share=0.0)
    return (replace(phase, backgrounds=BACKGROUNDS),)


def factors(epochs: float = 50, fields_rate: float = 1e-3) -> tuple[Phase, ...]:
    """Basis grids and coefficients of each scene, and the networks, together: the authors' rates."""
    return (replace(tensors(epochs, fields_rate)[0], name="factors"),)


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


def latent_stage1() -> tuple[Phase, ...]:
    warm_up = Phase("warm-up", epochs=4, latent=1.0, codes_rate=0.08, base_rate=0.03, fields_rate=0.01, final_rate=0.5)
    joint = replace(
        warm_up,
        name="joint",
        epochs=60,
        latent=0.02,
        rgb=1.0,
        autoencoder=0.1,
        decoder_rate=2e-3,
        encoder_rate=2e-4,
        final_rate=0.03,
    )
    return warm_up, joint


def latent_stage2() -> tuple[Phase, ...]:
    return (
        Phase("latent", epochs=4, latent=1.0, codes_rate=0.08, final_rate=0.5),
        Phase("align", epochs=26, rgb=1.0, codes_rate=0.08, final_rate=0.05),
    )
