"""The compiled forms of `plain_march` and of the error of rays, between PyTorch's tensors and numba's arrays."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeGuard

import numpy as np
import torch
import torch.nn.functional as functional
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.compiled import compiled_for
from manyfields.families.fused_planes.field import PlaneField
from manyfields.families.octree.field import OctreeField
from manyfields.families.octree.morton import decode
from manyfields.families.octree.tree import Octree
from manyfields.rendering.tiny_decoder import TinyDecoder

FEATURES, HIDDEN = 16, 32  # sizes that the kernels work in, padded with zeros
CUBE = torch.tensor([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
AT_ONCE_IN_OCTREES = 2  # likewise: their tables are large, and most of a gradient is zeros
AT_ONCE = 4  # objects, or parts of them, whose gradients are collected side by side at least


def takes(field: object, *tensors: Tensor) -> TypeGuard[PlaneField | OctreeField]:
    """Whether the compiled kernels can march through this field, along rays made of these tensors."""
    if isinstance(field, OctreeField):
        config = field.family.config
        plain = config.combine == "concat" or config.density == "relu" or config.features % FEATURES
        return not plain and compiled_for(field.table, *tensors)
    return (
        isinstance(field, PlaneField)
        and field.family.config.activation == "relu"
        and field.table.shape[2] == field.table.shape[3]
        and compiled_for(field.table, *tensors)
    )


@torch.no_grad()
def march(
    field: PlaneField | OctreeField, origins: Tensor, directions: Tensor, distances: Tensor, lengths: Tensor
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """`plain_march` without gradients; a ray ends where less than 1e-4 passes."""
    from manyfields.rendering.fused_kernels import march as compiled

    prepared = _Prepared.of(field, _decoder_of(field, directions))
    channels = distances.new_zeros(*distances.shape[:2], field.channels)
    opacity, depth = distances.new_zeros(distances.shape[:2]), distances.new_zeros(distances.shape[:2])
    compiled(*prepared.arguments(), *_arrays(origins, directions, distances, lengths, channels, opacity, depth))
    return channels, opacity, depth


@torch.no_grad()
def walk(
    field: PlaneField | OctreeField,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    bounds: Float[Tensor, "B 2 3"],
    leaps: UInt8[Tensor, "B G G G"],
    of_cell: int,
    seen_through: float,
) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
    """`walking.walk` of fields that the kernels march through."""
    from manyfields.rendering.walking_kernels import walk as compiled

    prepared = _Prepared.of(field, _decoder_of(field, directions))
    channels = origins.new_zeros(*origins.shape[:2], field.channels)
    opacity, depth = origins.new_zeros(origins.shape[:2]), origins.new_zeros(origins.shape[:2])
    rays, written = _arrays(origins, directions, bounds, leaps), _arrays(channels, opacity, depth)
    compiled(*prepared.arguments(), *rays, of_cell, np.float32(seen_through), *written)
    return channels, opacity, depth


@torch.no_grad()
def densities(field: PlaneField | OctreeField, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]:
    """Densities alone, without gradients."""
    from manyfields.rendering.fused_kernels import densities as compiled

    prepared = _Prepared.of(field, _decoder_of(field, points.new_zeros(3)))
    *places, weight, bias, _, output_weight, output_bias, gain, _, _ = prepared.arguments()
    found = points.new_empty(points.shape[:2])
    inputs = *places, weight, bias, output_weight, output_bias, gain, *_arrays(points, found)
    compiled(*inputs)
    return found


def march_error(
    field: PlaneField | OctreeField,
    origins: Float[Tensor, "B R 3"],
    directions: Float[Tensor, "B R 3"],
    distances: Float[Tensor, "B R S"],
    lengths: Float[Tensor, "B R S"],
    colors: Float[Tensor, "B R C"],
    scales: Float[Tensor, "B R"],
    background: Float[Tensor, " C"],
) -> Float[Tensor, ""]:
    """Sum over rays of scale * squared error of their channels, with gradients to planes and decoder.

    The background does not learn here.
    """
    decoder = _decoder_of(field, directions)
    learned = field.table
    if isinstance(field, PlaneField) and field.learned is not None:
        learned = field.learned
    elif isinstance(field, PlaneField) and field.rows is not None:
        learned = field.planes  # gradients are those of these objects; they find their way into the table from there
    return _MarchError.apply(
        learned,
        decoder.hidden_weight,
        decoder.hidden_bias,
        decoder.output_weight,
        decoder.output_bias,
        field,
        decoder,
        (origins, directions, distances, lengths, colors, scales, background.detach()),
    )


class _MarchError(torch.autograd.Function):
    @staticmethod
    def forward(ctx, learned, hidden_weight, hidden_bias, output_weight, output_bias, field, decoder, rays):
        from manyfields.rendering.fused_loss_kernel import march_loss

        prepared = _Prepared.of(field, decoder)
        objects, features, in_octrees = len(field), learned.shape[-1], isinstance(field, OctreeField)
        parts = -(-(AT_ONCE_IN_OCTREES if in_octrees else AT_ONCE) // objects)
        jobs = objects * parts
        padded = -(-features // FEATURES) * FEATURES
        lines = learned.numel() // features
        # Lines of octrees are numbered through all objects.
        back_tables = torch.arange(objects) * (0 if in_octrees else lines // objects)
        back = functional.pad(hidden_weight.detach()[:, :features], (0, padded - features))
        back = functional.pad(back, (0, 0, 0, prepared.width - back.shape[0]))
        losses = torch.zeros(jobs, dtype=torch.float64)
        gradient = torch.zeros(parts, *learned.shape[:-1], padded)
        none = torch.zeros(0)
        hidden_gradient = output_gradient = bias_gradient = ray_gradient = none
        if any(ctx.needs_input_grad[1:5]):
            hidden_gradient = torch.zeros(jobs, prepared.size + 1, prepared.width)
            output_gradient = torch.zeros(jobs, len(output_bias), prepared.width)
            bias_gradient = torch.zeros(jobs, len(output_bias))
            if hidden_bias.dim() > 1:
                ray_gradient = torch.zeros(*hidden_bias.shape[:-1], prepared.width)
        flat = (back, losses, gradient, hidden_gradient, ray_gradient, output_gradient, bias_gradient)
        written = [_array(tensor).reshape(-1) for tensor in flat]
        march_loss(*prepared.arguments(), *_arrays(*rays), parts, back_tables.numpy(), lines, *written)
        gradient = gradient.sum(0) if parts > 1 else gradient[0]
        gradients = [gradient[..., :features].contiguous(), None, None, None, None]
        if len(hidden_gradient):
            hidden, width = hidden_gradient.sum(0), hidden_bias.shape[-1]
            gradients[1] = hidden[: hidden_weight.shape[1], :width].T
            gradients[2] = hidden[-1, :width] if hidden_bias.dim() == 1 else ray_gradient[..., :width]
            gradients[3] = output_gradient.sum(0)[:, :width]
            gradients[4] = bias_gradient.sum(0)
        ctx.gradients = gradients
        return losses.sum().float()

    @staticmethod
    def backward(ctx, upstream):  # type: ignore[override]
        if ctx.gradients is None:
            raise RuntimeError("gradients of march_error were taken already: call it once more")
        # Given away, not kept beside: PyTorch then takes them as they are and does not copy.
        gradients, ctx.gradients = ctx.gradients, None
        scaled = [None if gradient is None else gradient.mul_(upstream) for gradient in gradients]
        return *scaled, None, None, None


@dataclass(frozen=True)
class _Prepared:
    """A field and its decoder, laid out for the kernels: flat, and padded to whole vectors."""

    texels: Tensor
    places: tuple[Tensor, int, Tensor, Tensor, Tensor, int]
    """Where objects' texels begin, texels along a plane; grid, children and corners of octrees, and their levels."""
    bounds: Tensor
    decoder: TinyDecoder

    @staticmethod
    def of(field: PlaneField | OctreeField, decoder: TinyDecoder) -> "_Prepared":
        if isinstance(field, OctreeField):
            tables, side = torch.zeros(len(field), dtype=torch.int64), 2**field.family.config.first
            places = (tables, side, *_walkable(field.trees), field.level)
            return _Prepared(field.table, places, CUBE.expand(len(field), 2, 3), decoder)
        rows = torch.arange(len(field)) if field.rows is None else field.rows
        bounds = CUBE.expand(len(field), 2, 3) if field.bounds is None else field.bounds
        side, none = field.table.shape[2], torch.empty(0, dtype=torch.int32)
        return _Prepared(field.table, (rows * (3 * side * side), side, none, none, none, 0), bounds, decoder)

    @property
    def size(self) -> int:
        return -(-self.texels.shape[-1] // FEATURES) * FEATURES

    @property
    def width(self) -> int:
        return -(-self.decoder.hidden_bias.shape[-1] // HIDDEN) * HIDDEN

    def arguments(self) -> tuple:
        decoder, features, width = self.decoder, self.texels.shape[-1], self.decoder.hidden_bias.shape[-1]
        texels = functional.pad(self.texels, (0, self.size - features)) if self.size > features else self.texels
        wide = (0, self.width - width)
        tensors = (
            functional.pad(decoder.hidden_weight.T, (*wide, 0, self.size - features)),
            functional.pad(decoder.hidden_bias, wide),
            functional.pad(decoder.output_weight, wide),
            decoder.output_bias,
        )
        hidden_weight, hidden_bias, output_weight, output_bias = (_array(tensor).reshape(-1) for tensor in tensors)
        tables, side, grid, children, corners, levels = self.places
        return (
            _array(texels).reshape(-1),
            _array(tables),
            side,
            *(_array(each).reshape(-1) for each in (grid, children, corners)),
            levels,
            _array(self.bounds),
            hidden_weight,
            hidden_bias,
            self.width if decoder.hidden_bias.dim() == 3 else 0,
            output_weight,
            output_bias,
            decoder.gain,
            decoder.space == "rgb",
            (decoder.view_degree + 1) ** 2 - 1,
        )


def _decoder_of(field: PlaneField | OctreeField, directions: Tensor) -> TinyDecoder:
    return TinyDecoder.of_octree(field, directions) if isinstance(field, OctreeField) else TinyDecoder.of(field)


@lru_cache(maxsize=4)
def _walkable(trees: tuple[Octree, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Grid, children and corners of octrees, as `octree_steps` walks down them."""
    grids, children, corners, voxels, line = [], [], [], 0, 0
    for tree in trees:
        side, packed, count = 2**tree.first, tree.packed, len(torch.cat(tree.voxels))
        grid = torch.full((side, side, side), -1, dtype=torch.int32)
        roots = torch.arange(len(packed.roots), dtype=torch.int32) + voxels
        grid[decode(packed.roots).unbind(-1)] = roots
        links = functional.pad(packed.children, (0, 0, 0, count - len(packed.children)), value=-1)
        grids.append(grid)
        children.append(torch.where(links < 0, links, links + voxels))
        for places, found in zip(tree.corner_of, tree.corner_counts, strict=True):
            corners.append((places + line).to(torch.int32))
            line += found
        voxels += count
    return torch.stack(grids), torch.cat(children), torch.cat(corners)


def _array(tensor: Tensor):
    return tensor.detach().contiguous().numpy()


def _arrays(*tensors: Tensor) -> list:
    return [_array(tensor) for tensor in tensors]
