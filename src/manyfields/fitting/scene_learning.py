"""What learns of a scene: its grids, with an optimizer that is rebuilt whenever they change size."""

from dataclasses import replace
from typing import Any, Generic, TypeVar, cast

import torch
from torch import Tensor

from manyfields.fields import SceneGrids
from manyfields.fitting import checkpoints

BETAS = (0.9, 0.99)


G = TypeVar("G", bound=SceneGrids)


class LearnedScene(Generic[G]):
    """The grids of one scene as leaves of the graph, and their Adam."""

    def __init__(self, grids: G) -> None:
        self.replace(grids)

    def replace(self, grids: G) -> None:
        """Go on with other grids, such as upsampled ones, and with a fresh optimizer."""
        self.grids = grids.with_tensors([tensor.detach().clone().requires_grad_() for tensor in grids.tensors])
        self.optimizer = torch.optim.Adam(self.grids.tensors, betas=BETAS, fused=True)

    def update(self, rate: float) -> None:
        """One step of Adam on the gradients at hand, which are then gone."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def stored(self) -> G:
        """The grids as they are now, without gradients."""
        return self.grids.with_tensors([tensor.detach() for tensor in self.grids.tensors])

    def state(self) -> dict[str, Tensor]:
        named = {str(number): tensor.detach() for number, tensor in enumerate(self.grids.tensors)}
        return {
            "box": self.grids.box,
            "mask": self.grids.mask,
            **checkpoints.pack("grid", named),
            **checkpoints.pack("optimizer", checkpoints.optimizer_tensors(self.optimizer)),
        }

    def load(self, tensors: dict[str, Tensor], optimizer: bool = True) -> None:
        """Inverse of `state`, whatever the size of the grids is."""
        held = checkpoints.unpack("grid", tensors)
        grids = self.grids.with_tensors([held[str(number)] for number in range(len(held))])
        self.replace(cast(G, replace(cast(Any, grids), box=tensors["box"], mask=tensors["mask"])))
        if optimizer:
            checkpoints.load_optimizer(self.optimizer, checkpoints.unpack("optimizer", tensors))
