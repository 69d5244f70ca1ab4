"""Fused-Planes: an object's planes are its own micro planes beside a weighted sum of base planes that objects share.

    T_i = T_i^mic (+) (sum_k w_i^k B_k + b_i)        (Fused-Planes, ICLR 2026, section 3; the preprint's equation 2)

One family covers the variants of the paper by its sizes: micro features alone are Tri-Planes, macro features alone the
ultra-light variant, and `channels = 3` with `space = "rgb"` renders colours instead of a latent image.

Beyond the paper, planes may span each object's own box instead of the cube, and a code may hold the visual hull of its
object: one bit a cell, outside of which nothing is (`rendering.guided`).
"""

import torch
import torch.nn.functional as functional
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from manyfields.compiled import compiled_for
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.mixing import CompiledMix
from manyfields.families.fused_planes.plane_features import plane_features
from manyfields.fields.codes import Codes
from manyfields.fields.directions import harmonics
from manyfields.fields.samples import Samples
from manyfields.rendering import fused_triton
from manyfields.rendering.fused_field import FusedField
from manyfields.rendering.texels import CUBE, Texels
from manyfields.rendering.tiny_decoder import TinyDecoder


class FusedPlanes(nn.Module):
    """The shared part of the family: base planes and the tiny decoder from features to density and channels.

    >>> family = FusedPlanes(FusedPlanesConfig(3, 5, 4, resolution=16, hidden=8, channels=3, space="rgb"))
    >>> codes = family.new_codes(2)
    >>> samples = family.field(codes)(torch.zeros(2, 10, 3))
    >>> samples.density.shape, samples.channels.shape
    (torch.Size([2, 10]), torch.Size([2, 10, 3]))
    """

    start: Tensor

    def __init__(self, config: FusedPlanesConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        size = (config.base_planes, 3, config.resolution, config.resolution, config.macro_features)
        # Weights start at 1/sqrt(M), so that the mixed macro planes start as loud as the micro planes.
        self.base = nn.Parameter(START_NOISE * torch.randn(size, generator=generator)) if config.base_planes else None
        weights = config.base_planes * config.weight_groups
        self.register_buffer("start", torch.zeros(weights + 1 if weights else 0))
        features = config.micro_features + config.macro_features
        self.hidden = nn.Linear(features, config.hidden)
        self.output = nn.Linear(config.hidden, 1 + config.channels * (config.view_degree + 1) ** 2)
        with torch.no_grad():
            for layer in (self.hidden, self.output):
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    parameter.uniform_(-bound, bound, generator=generator)

    def new_codes(self, count: int, generator: torch.Generator | None = None) -> Codes:
        """Random codes, to learn together with the shared part: (B = count) of each tensor."""
        tensors: dict[str, Tensor] = {}
        for name, shape in self.config.code_shapes().items():
            if name == "hull":
                tensors[name] = torch.ones(count, *shape, dtype=torch.uint8)
                continue
            noise = torch.randn((count, *shape), generator=generator)
            scale = {"weights": max(self.config.base_planes, 1) ** -0.5, "bias": 0.0, "micro": START_NOISE}[name]
            tensors[name] = scale * noise
        return Codes(tensors)

    def average_codes(self, count: int) -> Codes:
        """Codes of the average object, from which a new object is fitted once the shared part is trained."""
        tensors: dict[str, Tensor] = {}
        if self.base is not None:
            tensors["weights"] = self.start[:-1].expand(count, -1).clone()
            tensors["bias"] = self.start[-1:].expand(count, -1).clone()
        if self.config.hull:
            shape = self.config.code_shapes()["hull"]
            tensors["hull"] = torch.ones(count, *shape, dtype=torch.uint8, device=self.start.device)
        if self.config.micro_features:
            tensors["micro"] = torch.zeros(count, *self.config.code_shapes()["micro"], device=self.start.device)
        return Codes(tensors)

    @torch.no_grad()
    def remember_average(self, codes: Codes) -> None:
        """Make the mean of fitted codes the start of later ones."""
        if self.base is not None:
            self.start.copy_(torch.cat([codes.tensors["weights"], codes.tensors["bias"]], -1).mean(0))

    @torch.no_grad()
    def balance(self, codes: Codes) -> Codes:
        """Turn and scale micro features so that the tiny decoder takes all of them in alike; nothing looks different.

        With U S V^T the singular values of the decoder's columns of micro features, the columns become U and features
        S V^T (both but for one factor). A step of Adam, which knows no directions, then goes as far in each: codes that
        are fitted later against a frozen decoder need about half the steps. Returns `codes` in the new features.
        """
        count = self.config.micro_features
        if not 0 < count <= self.config.hidden:
            return codes
        columns = self.hidden.weight[:, :count]
        left, values, right = torch.linalg.svd(columns, full_matrices=False)
        columns.copy_(left * values.mean())
        turned = codes.tensors["micro"] @ (values.unsqueeze(1) / values.mean() * right).T
        return Codes({**codes.tensors, "micro": turned})

    def planes(self, codes: Codes, level: Tensor | int | None = None) -> Float[Tensor, "B 3 H W C"]:
        """The fused planes of objects.

        `level` counts the layers present (1: macro alone), as one number or one per object; micro planes are the last.
        """
        if not self.config.micro_features:
            return self._macro(codes)
        micro = codes.tensors["micro"]
        if level is not None and len(self.config.layers) > 1:
            present = torch.as_tensor(level, device=micro.device).expand(len(codes)) >= len(self.config.layers)
            if not bool(present.all()):
                micro = micro * present.to(micro.dtype).view(-1, 1, 1, 1, 1)
        if self.base is None:
            return micro
        weights, bias = codes.tensors["weights"], codes.tensors["bias"]
        if compiled_for(micro, self.base, weights):
            per_feature = weights.view(-1, self.config.weight_groups, self.config.base_planes).transpose(1, 2)
            each = self.config.macro_features // self.config.weight_groups
            return CompiledMix.apply(micro, self.base, per_feature.repeat_interleave(each, -1), bias)
        return torch.cat([micro, self._macro(codes)], -1)

    def _macro(self, codes: Codes) -> Float[Tensor, "B 3 H W F"]:
        weights, bias = codes.tensors["weights"], codes.tensors["bias"]
        with torch.autocast(weights.device.type, enabled=False):
            return self._mixed(weights) + bias.view(-1, 1, 1, 1, 1)

    def _mixed(self, weights: Float[Tensor, "B GM"]) -> Float[Tensor, "B 3 H W F"]:
        """Sums of base planes; every group of features has weights of its own."""
        assert self.base is not None
        groups = self.config.weight_groups
        if groups == 1:
            return (weights @ self.base.flatten(1)).view(-1, *self.base.shape[1:])
        base = self.base.unflatten(-1, (groups, -1)).permute(4, 0, 1, 2, 3, 5)
        mixed = weights.view(-1, groups, len(self.base)).transpose(0, 1) @ base.flatten(2)
        return mixed.view(groups, -1, *base.shape[2:]).permute(1, 2, 3, 4, 0, 5).flatten(4)

    def field(
        self, codes: Codes, level: Tensor | int | None = None, bounds: Float[Tensor, "B 2 3"] | None = None
    ) -> "PlaneField":
        """The fields of objects, with only the first `level` layers of each code present (all when None).

        `bounds`: the objects' boxes, which planes that span them need. Raises ValueError where they are missing.
        """
        if self.config.span == "cube":
            bounds = None
        elif bounds is None:
            raise ValueError("planes that span the boxes of objects need their bounds")
        return PlaneField(self, self.planes(codes, level), bounds)

    def hull(
        self, codes: Codes, bounds: Float[Tensor, "B 2 3"], level: Tensor | int | None = None
    ) -> UInt8[Tensor, "B G G G"] | None:
        """The cells of each object's box outside of which it has nothing; None where `level` lacks that layer."""
        layer = self.config.layers.index(("hull",))
        known = level is None or int(torch.as_tensor(level).min()) > layer
        return codes.tensors["hull"] if known else None

    def decode(self, features: Float[Tensor, "B N F"], directions: Float[Tensor, "B N 3"] | None = None) -> Samples:
        """Tiny decoder: Linear, Softplus or ReLU, Linear; density = gain * softplus(x - 1) (authors' code).

        Density never depends on the direction; channels do where `view_degree` is above 0 and directions (unit length)
        are given: each is a sum of spherical harmonics, as in Plenoxels (Fridovich-Keil et al. 2022). The first C of
        the values after the density are the mean over directions, then come C for each harmonic.
        """
        activation = functional.relu if self.config.activation == "relu" else functional.softplus
        values = self.output(activation(self.hidden(features)))
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        density = self.config.density_gain * functional.softplus(values[..., 0] - 1.0)
        count = self.config.channels
        channels = values[..., 1 : 1 + count]
        if self.config.view_degree and directions is not None:
            waves = values[..., 1 + count :].unflatten(-1, (-1, count))
            channels = channels + (harmonics(directions, self.config.view_degree).unsqueeze(-1) * waves).sum(-2)
        if self.config.space == "rgb":
            # Sigmoid widened by 0.1 %: pure black and white stay reachable (MipNeRF, EG3D).
            channels = torch.sigmoid(channels) * 1.002 - 0.001
        return Samples(density, channels)


class PlaneField(FusedField):
    """Fields of B objects, given by their planes and one shared decoder.

    `rows` picks the planes of these objects from a table that holds those of more (all of them when None). `learned`
    are leading features of the planes that learn on their own, where the others do not (all of them when None).

    >>> family = FusedPlanes(FusedPlanesConfig(3, 5, 4, resolution=16, hidden=8, channels=3, space="rgb"))
    >>> field = PlaneField(family, torch.zeros(2, 3, 16, 16, 8))
    >>> len(field), field[0](torch.zeros(1, 5, 3)).density.shape
    (2, torch.Size([1, 5]))
    """

    def __init__(
        self,
        family: FusedPlanes,
        table: Float[Tensor, "N 3 H W C"],
        bounds: Float[Tensor, "B 2 3"] | None = None,
        rows: Int[Tensor, " B"] | None = None,
        learned: Float[Tensor, "B 3 H W G"] | None = None,
    ) -> None:
        self.family = family
        self.table = table
        self.bounds = bounds
        self.rows = rows
        self.learned = learned
        self.channels = family.config.channels

    def __len__(self) -> int:
        return len(self.table if self.rows is None else self.rows)

    @property
    def planes(self) -> Float[Tensor, "B 3 H W C"]:
        """The planes of these objects; a copy where they come from a table of more."""
        planes = self.table if self.rows is None else self.table[self.rows]
        return planes if self.learned is None else torch.cat([self.learned, planes[..., self.learned.shape[-1] :]], -1)

    def __getitem__(self, row: int) -> "PlaneField":
        """The field of one object (B = 1)."""
        if not 0 <= row < len(self):
            raise IndexError(f"object {row} of {len(self)}")
        at = row if self.rows is None else int(self.rows[row])
        bounds = None if self.bounds is None else self.bounds[row : row + 1]
        learned = None if self.learned is None else self.learned[row : row + 1]
        return PlaneField(self.family, self.table[at : at + 1], bounds, learned=learned)

    def __call__(self, points: Float[Tensor, "B N 3"], directions: Tensor | None = None) -> Samples:
        """Density and channels at points in the cube [-1, 1]^3, seen along `directions` (their mean when None)."""
        if self.bounds is not None:
            low, high = self.bounds[:, :1], self.bounds[:, 1:]
            points = (points - low) * (2.0 / (high - low)) - 1.0
        return self.family.decode(plane_features(self.planes, points), directions)

    @property
    def is_compiled(self) -> bool:
        return self.family.config.activation == "relu" and self.table.shape[2] == self.table.shape[3]

    def texels(self) -> Texels:
        rows = torch.arange(len(self)) if self.rows is None else self.rows
        bounds = CUBE.expand(len(self), 2, 3) if self.bounds is None else self.bounds
        side = self.table.shape[2]
        return Texels(self.table, rows * (3 * side * side), side, bounds)

    def tiny_decoder(self, directions: Float[Tensor, "*rays 3"] | None = None) -> TinyDecoder:
        """The same for all rays: directions come in after it, by harmonics."""
        config, hidden, output = self.family.config, self.family.hidden, self.family.output
        sizes = config.channels, config.view_degree, config.density_gain
        layers = hidden.weight, hidden.bias, output.weight, output.bias
        return TinyDecoder(*layers, *sizes, config.activation, config.space)

    @property
    def learned_texels(self) -> Tensor:
        """Planes of these objects, from where gradients find their way into the table; its first features if asked."""
        if self.learned is not None:
            return self.learned
        return self.table if self.rows is None else self.planes

    def in_one_go(self, samples: int, *tensors: Tensor) -> bool:
        return super().in_one_go(samples, *tensors) or self._takes_triton(samples, *tensors)

    def march(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        distances: Float[Tensor, "B R S"],
        lengths: Float[Tensor, "B R S"],
    ) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
        rays, samples = (origins, directions, distances, lengths), distances.shape[-1]
        if super().in_one_go(samples, *rays) or not self._takes_triton(samples, *rays):
            return super().march(*rays)
        # Products of rounded factors are exact enough to learn from; what is measured or looked at is not rounded.
        precision: fused_triton.Precision = "tf32" if torch.is_grad_enabled() else "ieee"
        return fused_triton.fused_march(self.planes, self.bounds, self.tiny_decoder(), *rays, precision=precision)

    def _takes_triton(self, samples: int, *tensors: Tensor) -> bool:
        available = fused_triton.available(self.table, *tensors)
        return available and fused_triton.fits(self.table, self.tiny_decoder(), samples)


START_NOISE = 0.1
