"""The phases that fused planes are fitted by: what learns, from what, how fast, for how long."""

from dataclasses import replace

from manyfields.fitting.phases import BACKGROUNDS, Phase


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
