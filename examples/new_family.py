"""A family of one's own: objects made of soft blobs that are linear in a few numbers. No file of the package changes.

    python examples/new_family.py DATA OUT

DATA is a folder of views of several objects (`manyfields inventory meshes; manyfields views render meshes DATA`). The
family joins the table, and then is fitted, stored, rendered and measured as any other.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

import manyfields
from manyfields.cameras import orbit
from manyfields.families.family import Family
from manyfields.families.float16 import Float16Codec
from manyfields.families.parts import whole_codes
from manyfields.families.registry import FAMILIES, register
from manyfields.fields import Codes, Field, Samples
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress
from manyfields.fitting.ray_fitter import RayFitter
from manyfields.fitting.set_fitter import Seen, Step
from manyfields.fitting.settings import StagedSettings, values_of
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

TOGETHER = Phase("blobs", epochs=20, rgb=1.0, smoothness=0.0, codes_rate=2e-2, fields_rate=5e-3, coarse_share=0.0)
ALONE = Phase("blobs", epochs=20, rgb=1.0, smoothness=0.0, codes_rate=2e-2, coarse_share=0.0)


@dataclass(frozen=True)
class BlobSizes:
    """Sizes of the family: settings have them, and the config that is stored."""

    blobs: int = 64
    """Blobs of an object."""
    latent: int = 16
    """Numbers of an object's code."""


@dataclass(frozen=True)
class BlobConfig(BlobSizes):
    """What the house asks of sizes (`fields.FamilyConfig`)."""

    space: ClassVar[Literal["rgb"]] = "rgb"
    channels: ClassVar[int] = 3
    layers: ClassVar[tuple[tuple[str, ...], ...]] = (("latent",),)
    coarse_levels: ClassVar[range] = range(1, 1)
    guide_side: ClassVar[int] = 0

    def code_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"latent": (self.latent,)}


@dataclass(frozen=True)
class BlobSettings(BlobSizes, StagedSettings):
    """Of a fit of blobs. Each field is a setting by name; its docstring is its help."""

    family: ClassVar[str] = "blobs"

    preset: str = "blobs"
    sampler: Sampler = Sampler(stratified=24, importance=0)
    final_sampler: Sampler = Sampler(stratified=24, importance=0, across=48)
    stage1: tuple[Phase, ...] = (TOGETHER,)
    stage2: tuple[Phase, ...] = (ALONE,)

    def config(self, objects: int = 4) -> BlobConfig:
        return BlobConfig(**values_of(self, BlobSizes))

    def code_shapes(self, objects: int) -> dict[str, tuple[int, ...]]:
        return self.config().code_shapes()


class BlobField(Field):
    """Fields of B objects: (B, K) blobs, each with a centre, a width, a density and a colour."""

    channels = 3

    def __init__(self, numbers: Tensor) -> None:
        self.centres, self.colours = numbers[..., :3].tanh(), numbers[..., 3:6].sigmoid()
        self.densities, self.widths = 30.0 * functional.softplus(numbers[..., 6] - 2.0), 0.15 * numbers[..., 7].exp()

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> Samples:
        near = torch.exp(-((torch.cdist(points, self.centres) / self.widths[:, None]) ** 2)) * self.densities[:, None]
        density = near.sum(-1)
        return Samples(density, near @ self.colours / density.clamp(min=1e-6).unsqueeze(-1))


class BlobNetwork(nn.Module):
    """The shared part: from a code to blobs, by one matrix."""

    start: Tensor

    def __init__(self, config: BlobConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.mean = nn.Parameter(0.5 * torch.randn(config.blobs, 8, generator=generator))
        self.basis = nn.Parameter(0.1 * torch.randn(config.latent, config.blobs * 8, generator=generator))
        self.register_buffer("start", torch.zeros(config.latent))

    def new_codes(self, count: int, generator: torch.Generator | None = None) -> Codes:
        return Codes({"latent": torch.randn(count, self.config.latent, generator=generator)})

    def average_codes(self, count: int) -> Codes:
        return Codes({"latent": self.start.expand(count, -1).clone()})

    def remember_average(self, codes: Codes) -> None:
        self.start.copy_(codes.tensors["latent"].mean(0))

    def balance(self, codes: Codes) -> Codes:
        return codes

    def field(self, codes: Codes, level: Any = None, bounds: Tensor | None = None) -> BlobField:
        return BlobField(self.mean + (codes.tensors["latent"] @ self.basis).view(-1, *self.mean.shape))

    def hull(self, codes: Codes, bounds: Tensor, level: Any = None) -> None:
        return None


class BlobFitter(RayFitter):
    """A step renders random rays of some objects."""

    def parts(self, phase: Phase) -> dict[str, tuple[list[nn.Parameter], float]]:
        return {"fields": (list(self.shared.family.parameters()), phase.fields_rate)}

    def look(self, step: Step) -> Seen:
        fields = self.shared.family.field(step.codes)
        return Seen(fields, {"rgb": self.ray_error(step, fields)}, {})


def new_shared(settings: BlobSettings, objects: Sequence[FittingObject], generator: torch.Generator) -> SharedPart:
    return SharedPart(BlobNetwork(settings.config(), generator), None)


def new_fitter(
    settings: BlobSettings, shared: SharedPart, data: FittingData, average: bool, progress: Progress
) -> BlobFitter:
    family, draw = shared.family, torch.Generator().manual_seed(stable_seed(settings.seed, "codes"))
    codes = family.average_codes(len(data)) if average else family.new_codes(len(data), draw)
    return BlobFitter(shared.to(data.device), data, CodeStore(codes.to(data.device)), settings.sampler, settings.seed)


BLOBS = Family(
    name="blobs",
    config=BlobConfig,
    network=BlobNetwork,
    settings=BlobSettings,
    presets={"blobs": BlobSettings()},
    shares="set",
    new_shared=new_shared,
    fitter=new_fitter,
    codecs=(Float16Codec,),
    parts=whole_codes,
)


def main(data: Path, out: Path, **settings: Any) -> dict[str, Any]:
    """Fit, store, render and measure."""
    if "blobs" not in FAMILIES:
        register(BLOBS)
    collection = manyfields.fit(data, out, family="blobs", **settings)
    print(f"{len(collection)} objects, {collection.sizes()['per_object']['layers']:,.0f} bytes each")
    images = collection[collection.ids[0]].render(orbit(1, width=64, height=64)).images
    print(f"{collection.ids[0]} renders from them: {tuple(images.shape)}, mean {float(images.mean()):.3f}")
    measured = manyfields.evaluate(out)
    print(f"held-out views: {measured['mean']['psnr']:.2f} dB")
    return measured


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    main(given.data, given.out)
