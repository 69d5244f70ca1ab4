"""A family of one's own: a network that all objects share, and a vector of each. No file of the package changes.

    python examples/new_family.py OUT     (a few minutes on one core)

The oldest family of neural fields: one network gets a place and the vector of an object, and says density and colour
(DeepSDF, Park et al. 2019; of radiance CodeNeRF, Jang and Agapito 2021). Its row joins the table; then `fit` learns
network and vectors from some objects, `add` finds the vectors of others, and pictures and figures are made of what is
stored: 16-bit numbers, a hundred bytes an object. Any of the five built-in families is better; none is shorter.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

import manyfields
from manyfields.cameras import orbit
from manyfields.families.family import Family
from manyfields.families.float16 import Float16Codec
from manyfields.families.parts import whole_codes
from manyfields.families.registry import register
from manyfields.fields import Codes, Field, Samples
from manyfields.fields.directions import encode_directions
from manyfields.fitting.code_store import CodeStore
from manyfields.fitting.data import FittingData, stable_seed
from manyfields.fitting.phases import Phase
from manyfields.fitting.progress import Progress
from manyfields.fitting.ray_fitter import RayFitter
from manyfields.fitting.set_fitter import Seen, Step
from manyfields.fitting.settings import StagedSettings, values_of
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart
from manyfields.views.inventory import make_inventory
from manyfields.views.render_set import render_set


@dataclass(frozen=True)
class Sizes:
    """What one may choose: settings of a fit, and stored in the shared file."""

    latent: int = 48
    """Numbers of an object's vector."""
    width: int = 96
    octaves: int = 5
    """Of sines and cosines of a place."""


@dataclass(frozen=True)
class VectorConfig(Sizes):
    """The sizes, and what follows from them."""

    space: ClassVar[str] = "rgb"
    channels: ClassVar[int] = 3
    layers: ClassVar[tuple[tuple[str, ...], ...]] = (("latent",),)
    coarse_levels: ClassVar[range] = range(1, 1)  # a vector shows nothing in part
    guide_side: ClassVar[int] = 0  # rays are sampled all along: nothing says where objects are

    def code_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"latent": (self.latent,)}


class VectorNetwork(nn.Module):
    """What objects share. Codes are `{"latent": (B, H)}`."""

    start: Tensor

    def __init__(self, config: VectorConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        sizes = (3 + 6 * config.octaves + config.latent, config.width, config.width, config.width, 4)
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in zip(sizes, sizes[1:], strict=False))
        self.register_buffer("start", torch.zeros(config.latent))
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.normal_(0.0, (2.0 / layer.in_features) ** 0.5, generator=generator)
                layer.bias.zero_()

    def new_codes(self, count: int, generator: torch.Generator | None = None) -> Codes:
        return Codes({"latent": 0.1 * torch.randn(count, self.config.latent, generator=generator)})

    def average_codes(self, count: int) -> Codes:
        return Codes({"latent": self.start.expand(count, -1).clone()})

    @torch.no_grad()
    def remember_average(self, codes: Codes) -> None:
        self.start.copy_(codes.tensors["latent"].mean(0))

    def balance(self, codes: Codes) -> Codes:
        return codes

    def field(self, codes: Codes, level: Any = None, bounds: Tensor | None = None) -> "VectorField":
        return VectorField(self, codes.tensors["latent"])

    def hull(self, codes: Codes, bounds: Tensor, level: Any = None) -> None:
        return None


class VectorField(Field):
    """Fields of B objects. All else that rays ask has a plain default; a faster form would be a method here."""

    channels = 3

    def __init__(self, network: VectorNetwork, latents: Tensor) -> None:
        self.network, self.latents = network, latents

    def __call__(self, points: Tensor, directions: Tensor | None = None) -> Samples:
        config, layers = self.network.config, list(self.network.layers)
        places = encode_directions(points, config.octaves)
        values = torch.cat([places, self.latents.unsqueeze(1).expand(-1, points.shape[1], -1)], -1)
        for layer in layers[:-1]:
            values = torch.relu(layer(values))
        values = layers[-1](values).float()
        return Samples(15.0 * nn.functional.softplus(values[..., 0] - 1.0), values[..., 1:].sigmoid())


class VectorFitter(RayFitter):
    """What learns, how fast, and from what: here the colours of random rays alone."""

    def parts(self, phase: Phase) -> dict[str, tuple[list[nn.Parameter], float]]:
        return {"fields": (list(self.shared.family.parameters()), phase.fields_rate)}

    def look(self, step: Step) -> Seen:
        fields = self.shared.family.field(step.codes)
        return Seen(fields, {"rgb": self.ray_error(step, fields)}, dict(enumerate(step.rows)))


@dataclass(frozen=True)
class VectorSettings(Sizes, StagedSettings):
    """Those of all fits, and the sizes."""

    family: ClassVar[str] = "vectors"

    preset: str = "vectors"
    hull: int = 0
    sampler: Sampler = Sampler(stratified=24, importance=24)
    final_sampler: Sampler = Sampler(stratified=32, importance=32)
    stage1: tuple[Phase, ...] = (Phase("together", epochs=30, rgb=1.0, codes_rate=5e-3, fields_rate=3e-3),)
    stage2: tuple[Phase, ...] = (Phase("vectors", epochs=10, rgb=1.0, codes_rate=2e-2),)

    def config(self, objects: int = 4) -> VectorConfig:
        return VectorConfig(**values_of(self, Sizes))

    def code_shapes(self, objects: int) -> dict[str, tuple[int, ...]]:
        return self.config().code_shapes()


def new_shared(settings: VectorSettings, objects: Sequence[Any], generator: torch.Generator) -> SharedPart:
    return SharedPart(VectorNetwork(settings.config(), generator), None)


def new_fitter(
    settings: VectorSettings, shared: SharedPart, data: FittingData, average: bool, progress: Progress
) -> VectorFitter:
    shared, network = shared.to(data.device), shared.family
    draw = torch.Generator().manual_seed(stable_seed(settings.seed, *(item.id for item in data.objects)))
    codes = network.average_codes(len(data)) if average else network.new_codes(len(data), draw)
    return VectorFitter(shared, data, CodeStore(codes.to(data.device)), settings.sampler, settings.seed)


ROW = Family(
    name="vectors",
    config=VectorConfig,
    network=VectorNetwork,
    settings=VectorSettings,
    presets={"vectors": VectorSettings()},
    shares="set",
    new_shared=new_shared,
    fitter=new_fitter,
    codecs=(Float16Codec,),
    parts=whole_codes,
)


def main(out: Path, objects: int = 8, views: int = 40, size: int = 64, **settings: Any) -> dict[str, Any]:
    """Fit three quarters of some vehicles, add the others, render one, and measure all."""
    register(ROW)
    make_inventory(out / "meshes", "vehicle", objects)
    render_set(out / "meshes", out / "views", views=views, size=size, depth=False)
    names = sorted(path.name for path in (out / "views").iterdir() if path.is_dir())
    first = names[: objects * 3 // 4]
    manyfields.fit(out / "views", out / "run", family="vectors", objects=first, report=False, say=print, **settings)
    collection = manyfields.add(out / "run", out / "views")
    added = collection[names[-1]]
    images = added.render(orbit(1, width=size, height=size)).images
    print(f"{added.id} was added: {added.bytes} bytes, rendered as {tuple(images.shape)}")
    scores = manyfields.evaluate(out / "run")
    for name, values in scores["objects"].items():
        print(f"{name}: {values['psnr']:.2f} dB on views that were held out")
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    main(parser.parse_args().out)
