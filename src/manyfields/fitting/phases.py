"""Phases of fitting: which losses, which parts learn, how fast, for how many steps."""

import math
from dataclasses import dataclass, replace

from manyfields._checks import COUNT, NATURAL, PART, Bounds, check_numbers
from manyfields.errors import ConfigError
from manyfields.rendering import Sampler

MARGIN = 1
"""Latent pixels along the rim of a crop that do not count: the decoder has not seen what is beyond."""

LOSSES = ("latent", "rgb", "autoencoder", "smoothness", "emptiness", "code_decay")
RATES = ("codes_rate", "weights_rate", "base_rate", "fields_rate", "decoder_rate", "encoder_rate")
BOUNDS = {
    **dict.fromkeys((*LOSSES, *RATES, "epochs", "code_noise", "gradient_norm"), NATURAL),
    "final_rate": Bounds(above=0, most=1),
    "rays_per_object": COUNT,
    "encoder_share": PART,
    "coarse_share": PART,
    "backgrounds": PART,
}


BACKGROUNDS = 0.5
"""So many of the steps composite on colours drawn at random (docs/how/fitting.md): of planes, octrees, scenes."""


@dataclass(frozen=True)
class Phase:
    """One stretch of training with fixed losses and rates. A rate of 0 freezes its part."""

    name: str
    """As progress and reports call it."""
    steps: int = 0
    """Optimisation steps; 0: from `epochs`, once the number of views is known."""
    epochs: float = 0.0
    """How often every training view is seen."""
    latent: float = 0.0
    """Weight of the error of latent images, in latent space."""
    rgb: float = 0.0
    """Weight of the error of colours."""
    autoencoder: float = 0.0
    """Weight of the error of images that go through encoder and decoder, in latent space."""
    smoothness: float = 0.01
    """Weight of the mean squared difference of neighbouring samples of fused planes."""
    emptiness: float = 0.0
    """Weight of the opacity outside the hull, for families whose codes have hulls."""
    code_decay: float = 0.0
    """Weight of the mean square of latent vectors, for families whose codes they are."""
    code_noise: float = 0.0
    """Standard deviation of noise that latent vectors learn with, which keeps what is near them alike."""
    codes_rate: float = 1e-2
    """Of codes: micro planes, features, grids, latent vectors."""
    weights_rate: float = 3e-2
    """Of weights and bias of fused planes."""
    base_rate: float = 0.0
    """Of base planes, or of the networks that mixtures average."""
    fields_rate: float = 0.0
    """Of the tiny decoder, or of another network that all share; in latent space also of the background (that of RGB is
    the white of the views)."""
    decoder_rate: float = 0.0
    """Of the image decoder, in latent space."""
    encoder_rate: float = 0.0
    """Of the image encoder, in latent space."""
    final_rate: float = 0.1
    """Rates decay exponentially to this share of their start."""
    gradient_norm: float = 0.0
    """To which gradients of what objects share are shortened where they are longer; 0: never."""
    objects_per_step: int = 8
    """How many objects a step takes, at most."""
    views_per_object: int = 2
    """Whole views that a step takes of each, in latent space; in RGB space epochs are counted by them."""
    rays_per_object: int = 512
    """In RGB space a step takes random rays of all views in the place of whole views."""
    crop: int = 0
    """Latent pixels along one side of the random window of a view that a step renders and decodes; 0: whole views."""
    encoder_share: float = 0.125
    """Share of a step's views that also go through the encoder (latent loss with gradient, autoencoder loss)."""
    coarse_share: float = 0.2
    """How often an object of a step is drawn with layer 0 alone."""
    samples_grow: bool = True
    """Whether rays have fewer samples in the first half of the phase (`Sampler.at`): not where a phase goes on with
    what an earlier one has learned, which is no longer coarse."""
    backgrounds: float = 0.0
    """How often a step's rays are composited on a colour drawn at random, and not on white: on white alone nothing
    tells a white surface from a hole. Heeded where all objects have views with transparency."""
    stops: bool = False
    """Whether the phase ends early where it brings nothing more, and is undone where it brings less than nothing: by
    views that are set aside for this (`fitting.plateaus`)."""
    indices: bool = False
    """Octrees that learn indices: whether features become indices when the phase begins."""

    def __post_init__(self) -> None:
        try:
            check_numbers(self, **BOUNDS)
        except ConfigError as error:
            raise ConfigError(f"phase {self.name!r}: {error}") from error
        if self.steps < 0 or self.objects_per_step < 1 or self.views_per_object < 1:
            raise ConfigError(f"phase {self.name!r}: steps, objects and views of a step must be positive")
        if self.crop and (self.crop < MARGIN * 2 + 1 or self.trains_encoder):
            raise ConfigError(
                f"phase {self.name!r}: crop {self.crop} needs at least {MARGIN * 2 + 1} latent pixels, "
                "and no encoder that learns: it reads whole views"
            )
        if not (self.latent or self.rgb):
            raise ConfigError(f"phase {self.name!r} has no loss: set latent or rgb above 0")

    @property
    def rates_of_codes(self) -> dict[str, float]:
        """By tensor of a code, of all families that learn as a set."""
        weights, codes = self.weights_rate, self.codes_rate
        return {"weights": weights, "bias": weights, "micro": codes, "latent": codes}

    @property
    def trains_encoder(self) -> bool:
        return self.encoder_rate > 0

    def views_of_a_step(self, objects: int) -> int:
        """Views of each object in a step: more of them where there are fewer objects than a step could take."""
        return self.views_per_object * max(1, self.objects_per_step // objects)

    def rays_of_a_step(self, objects: int) -> int:
        """Rays of each object in a step, in RGB space: likewise."""
        return self.rays_per_object * max(1, self.objects_per_step // objects)

    def rate_factor(self, step: int) -> float:
        """What the rates are multiplied with at a step: a short linear warm-up, then exponential decay."""
        warm = min(1.0, (step + 1) / max(1.0, min(50.0, 0.1 * self.steps)))
        return warm * self.final_rate ** (step / max(1, self.steps))

    def sampler_of(self, sampler: Sampler, step: int) -> Sampler:
        """What `sampler` is at a step."""
        return sampler.at(step / max(1, self.steps)) if self.samples_grow else sampler

    def shortened(self, factor: float) -> "Phase":
        """The phase as settings have it, for a part of its time."""
        if self.steps:
            return replace(self, steps=max(1, round(self.steps * factor)))
        return replace(self, epochs=self.epochs * factor)

    def planned(self, objects: int, views: int, factor: float = 1.0) -> "Phase":
        """The phase with its number of steps: `epochs` over `views` training views of `objects`, times `factor`."""
        if self.steps:
            return self if factor == 1.0 else self.shortened(factor)
        per_step = min(self.objects_per_step, objects) * min(self.views_of_a_step(objects), max(1, views // objects))
        return replace(self, steps=max(1, math.ceil(factor * self.epochs * views / per_step)))


Shares = tuple[float, ...]


def falls_on(share: float, index: int, steps: int) -> bool:
    """Whether a share of the steps of a phase is over just before step `index`."""
    # Never before the first step: in a phase of a few steps shares round to 0.
    return index == max(1, round(share * steps))


def grids_together(epochs: float = 50, fields_rate: float = 1e-3) -> tuple[Phase, ...]:
    """The phases of scenes of grids: those of each scene, and the network, together: TensoRF's rates."""
    phase = Phase("tensors", epochs=epochs, rgb=1.0, smoothness=0.0, codes_rate=0.02, fields_rate=fields_rate)
    phase = replace(phase, rays_per_object=4096, objects_per_step=1, final_rate=0.05, coarse_share=0.0)
    return (replace(phase, backgrounds=BACKGROUNDS),)
