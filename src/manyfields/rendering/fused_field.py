"""Fields that the fused kernels can march through: a table of texels, and one small network that all objects share.

A family says where its texels lie and what its network is (`texels`, `tiny_decoder`), and gets the compiled forms of
all that rays ask. Where these cannot run (other devices, other numbers, gradients that a form lacks) the plain forms
of `Field` do.
"""

from abc import abstractmethod

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from manyfields.compiled import compiled_for
from manyfields.fields import Field
from manyfields.rendering import fused_cpu
from manyfields.rendering.texels import Texels
from manyfields.rendering.tiny_decoder import TinyDecoder


class FusedField(Field):
    """Fields of B objects in one table."""

    table: Tensor

    @property
    @abstractmethod
    def is_compiled(self) -> bool:
        """Whether the kernels have all that this field's sizes and activations ask for."""

    @abstractmethod
    def texels(self) -> Texels:
        """Where the features of these objects lie."""

    @abstractmethod
    def tiny_decoder(self, directions: Float[Tensor, "*rays 3"]) -> TinyDecoder:
        """The network, for rays in these directions."""

    @property
    def learned_texels(self) -> Tensor:
        """What gets the gradients of `march_error`: the table of octrees, planes of these objects."""
        return self.table

    def takes(self, *tensors: Tensor) -> bool:
        """Whether the compiled kernels can march through this field, along rays made of these tensors."""
        return self.is_compiled and compiled_for(self.table, *tensors)

    def in_one_go(self, samples: int, *tensors: Tensor) -> bool:
        return not torch.is_grad_enabled() and self.takes(*tensors)

    def density(self, points: Float[Tensor, "B N 3"]) -> Float[Tensor, "B N"]:
        if torch.is_grad_enabled() or not self.takes(points):
            return super().density(points)
        return fused_cpu.densities(self.texels(), self.tiny_decoder(points.new_zeros(3)), points)

    def march(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        distances: Float[Tensor, "B R S"],
        lengths: Float[Tensor, "B R S"],
    ) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]]:
        rays = (origins, directions, distances, lengths)
        if torch.is_grad_enabled() or not self.takes(*rays):
            return self.plain_march(*rays)
        return fused_cpu.march(self.texels(), self.tiny_decoder(directions), *rays)

    def march_error(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        distances: Float[Tensor, "B R S"],
        lengths: Float[Tensor, "B R S"],
        colors: Float[Tensor, "B R C"],
        scales: Float[Tensor, "B R"],
        background: Float[Tensor, " C"],
    ) -> Float[Tensor, ""]:
        rays = (origins, directions, distances, lengths, colors, scales, background)
        if not self.takes(*rays):
            return super().march_error(*rays)
        return fused_cpu.march_error(self.texels(), self.tiny_decoder(directions), *rays, learned=self.learned_texels)

    def walk(
        self,
        origins: Float[Tensor, "B R 3"],
        directions: Float[Tensor, "B R 3"],
        bounds: Float[Tensor, "B 2 3"],
        leaps: UInt8[Tensor, "B G G G"],
        of_cell: int,
        seen_through: float,
    ) -> tuple[Float[Tensor, "B R C"], Float[Tensor, "B R"], Float[Tensor, "B R"]] | None:
        if not self.takes(origins, directions):
            return None
        decoder = self.tiny_decoder(directions)
        return fused_cpu.walk(self.texels(), decoder, origins, directions, bounds, leaps, of_cell, seen_through)
