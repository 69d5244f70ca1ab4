"""Sizes, rates and variants of transform coding of one scene."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import tyro

from manyfields._checks import NATURAL, check_annotated, check_numbers
from manyfields.compression.network_bytes import BITS as NUMBER_BITS
from manyfields.compression.transform.decoder import DECODER_BITS, MOST_CHANNELS
from manyfields.errors import ConfigError

Start = Literal["zeros", "gaussian"]


@dataclass(frozen=True)
class TransformSettings:
    """Neural NeRF Compression (2024); the defaults are its L. Switches below are those of its tables."""

    latent: int = 384
    hidden: int = 192
    """Channels of latents, and of the decoder's hidden layer."""
    price: float = 0.001
    """Lambda: what a bit for each number of the planes is worth, in the mean squared error of colours."""
    steps: int = 30_000
    rays: int = 4096
    latent_rate: float = 0.02
    network_rate: float = 0.001
    entropy_rate: float = 0.001
    """Of the density of latents and of masks: the paper's is that of networks."""
    color_rate: float = 0.001
    """Of the colour network that starts anew: TensoRF's. One that goes on learning has a quarter of it."""
    final_rate: float = 0.1
    """Share of the rates that is left at the end, after exponential decay."""
    hottest: float = 10.0
    coldest: float = 0.1
    """Temperature of masks, first and last."""
    rounded: float = 0.2
    """Share of the steps, at the end, that render rounded latents in the place of noisy ones."""
    planes_first: float = 0.0
    """Share of the steps, at the start, that look at planes alone: they take a fifth of the time of a step with pixels.
    0 in the paper; a single stage has no planes to look at, and skips none."""
    plane_weight: float = 1.0
    """Of the mean squared error of planes beside that of colours."""
    decoder_bits: int = 8
    vector_bits: int = 8
    network_bits: int = 8
    """Of a network that is stored with a scene."""
    mask: bool = True
    """Latents may be left out (spike and slab); else every latent is coded by the factorised prior."""
    importance: bool = True
    """Errors of planes count where training rays see them; else everywhere alike."""
    start: Start = "zeros"
    """Of latents."""
    encoder: bool = False
    """Latents are what an encoder of two convolutions, which is not stored, makes of the planes."""
    hyperprior: bool = False
    """Latents are coded by widths that hyper-latents at a quarter of their resolution tell."""
    hyper_latent: int = 48
    hyper_hidden: int = 48
    """Channels of hyper-latents, and of the hidden layer of their decoder."""
    vectors: bool = False
    """The vectors beside the planes learn, too."""
    network: bool = False
    """The network of the run learns, too, and is stored with each scene."""
    end_to_end: bool = False
    """A single stage: vectors and network start anew, and nothing is known of the planes that the run has."""

    def __post_init__(self) -> None:
        check_numbers(self)
        for name in ("latent", "hidden", "hyper_latent", "hyper_hidden"):
            if not 1 <= getattr(self, name) <= MOST_CHANNELS:
                raise ConfigError(f"{name} {getattr(self, name)}: from 1 to {MOST_CHANNELS} channels")
        if self.price < 0 or self.plane_weight < 0:
            raise ConfigError(f"lambda {self.price}, plane_weight {self.plane_weight}: not below 0")
        if self.steps < 1 or self.rays < 1:
            raise ConfigError(f"steps {self.steps}, rays {self.rays}: at least 1")
        rates = self.latent_rate, self.network_rate, self.entropy_rate, self.color_rate, self.final_rate
        if min(*rates, self.coldest) <= 0:
            raise ConfigError("rates and temperatures must be above 0")
        if self.decoder_bits not in DECODER_BITS:
            raise ConfigError(f"decoder_bits {self.decoder_bits}: 4 to 12")
        for name in ("vector_bits", "network_bits"):
            if getattr(self, name) not in NUMBER_BITS:
                raise ConfigError(f"{name} {getattr(self, name)}: 8 or 16")
        if self.encoder and self.end_to_end:
            raise ConfigError(
                "an encoder needs planes to encode, and end-to-end learning has none: take one of the two"
            )
        if self.start not in ("zeros", "gaussian"):
            raise ConfigError(f"start {self.start!r}: either 'zeros' or 'gaussian'")
        if not 0.0 <= self.planes_first < 1.0:
            raise ConfigError(f"planes_first {self.planes_first}: a share of the steps, from 0 to below 1")
        if not 0.0 <= self.rounded <= 1.0:
            raise ConfigError(f"rounded {self.rounded}: a share of the steps, from 0 to 1")

    @property
    def vectors_learn(self) -> bool:
        return self.vectors or self.end_to_end

    @property
    def network_learns(self) -> bool:
        return self.network or self.end_to_end

    @property
    def words(self) -> str:
        """The most important of them, for reports."""
        sizes = f"{self.latent} channels of latents, {self.hidden} hidden"
        return f"{sizes}, lambda {self.price:g}, {self.steps} steps"

    def rate_factor(self, step: int) -> float:
        return self.final_rate ** (step / self.steps)

    def temperature(self, step: int) -> float:
        return self.hottest * (self.coldest / self.hottest) ** (step / self.steps)


PAPER_L = TransformSettings()
SIZES = {
    "S": replace(
        PAPER_L,
        latent=64,
        hidden=48,
        hyper_latent=8,
        hyper_hidden=8,
        steps=1000,
        rays=2048,
        planes_first=0.7,
        latent_rate=0.05,
        network_rate=0.005,
        entropy_rate=0.02,
    ),  # for CPUs: fewer steps, each a longer one
    "H": replace(PAPER_L, latent=192, hidden=96, hyper_latent=24, hyper_hidden=24),
    "L": PAPER_L,
}

Size = Literal["S", "H", "L"]
Variant = Literal["no-mask", "no-importance", "gaussian", "encoder", "hyperprior", "vectors", "network", "end-to-end"]
VARIANTS: dict[str, dict[str, Any]] = {
    "no-mask": {"mask": False},
    "no-importance": {"importance": False},
    "gaussian": {"start": "gaussian"},
    "encoder": {"encoder": True},
    "hyperprior": {"hyperprior": True},
    "vectors": {"vectors": True},
    "network": {"network": True},
    "end-to-end": {"end_to_end": True},
}
"""What the paper compares its codec with."""


@dataclass(frozen=True)
class TransformChoices:
    """Latents, an entropy model and a light decoder of each scene."""

    size: Size = "S"
    """Channels of latents and of the decoder's hidden layer: 64 and 48, for CPUs, or the paper's H (192 and 96) and L
    (384 and 192)."""
    price: Annotated[float | None, tyro.conf.arg(name="lambda", metavar="FLOAT"), NATURAL] = None
    """What a bit for each number that is coded is worth, in squared error of colours; more: smaller and worse. 0.001 if
    not given."""
    steps: Annotated[int | None, tyro.conf.arg(metavar="INT"), NATURAL] = None
    """Of each object; 1000 (size S) or the paper's 30000 if not given."""
    variants: tuple[Variant, ...] = ()
    """What the paper compares with: all latents coded (no-mask), errors that count alike everywhere (no-importance),
    latents that start at noise (gaussian), that an encoder makes, or that are coded by widths which hyper-latents tell
    (hyperprior); vectors, or the network, that go on learning beside latents; a single stage in which all of that
    starts anew (end-to-end). A network that learns is stored with each scene."""
    changes: Annotated[Mapping[str, Any], tyro.conf.Suppress] = field(default_factory=dict)
    """Other members of `TransformSettings`, from Python."""

    def __post_init__(self) -> None:
        check_annotated(self)

    def resolved(self, steps: int | None) -> TransformSettings:
        """All settings, with so many steps (those of the size when None). Raises ConfigError for what is not known."""
        if self.size not in SIZES:
            raise ConfigError(f"size {self.size!r}: one of {', '.join(SIZES)}")
        found = SIZES[self.size]
        for name in self.variants:
            if name not in VARIANTS:
                raise ConfigError(f"variant {name!r}: of {', '.join(VARIANTS)}")
            found = replace(found, **VARIANTS[name])
        try:
            found = replace(found, **self.changes)
        except TypeError as error:
            raise ConfigError(f"transform {dict(self.changes)}: {error}") from error
        named: dict[str, Any] = {"price": self.price, "steps": steps}
        return replace(found, **{name: value for name, value in named.items() if value is not None})
