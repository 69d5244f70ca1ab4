"""The fitting loop of octree distance fields: a mesh to a network, and features or indices round its surface.

    mesh ──► voxels round its surface ──► features ──► after a share of the steps: indices that start from them
             pools of points with their distances ──► steps

A step draws how many levels are present (the finest twice as often as the one before it, as octrees are fitted from
views), so that every first few levels are a surface.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from manyfields._checks import PART, POSITIVE, check_numbers
from manyfields.errors import ConfigError, RunError
from manyfields.families.octree.building import octree_of_points
from manyfields.families.octree.codebooks.indices import IndexOptions, quantise_levels
from manyfields.families.octree.fitter import FINER
from manyfields.families.octree.learning import BETAS, OctreeCode
from manyfields.families.octree.tree import Octree
from manyfields.fitting.data import stable_seed
from manyfields.shapes.field import DistanceConfig, DistanceFamily, DistanceField
from manyfields.views.signed_distance import SignedDistance, truncated_samples
from manyfields.views.surface_samples import Triangles

REACH = 0.25  # voxels of the finest level round the surface: what is fitted strays less from it
POINTS_OF_A_VOXEL = 20  # that voxels are found by, about
MOST_POINTS = 20_000_000
FINER_RATE = 1.0  # distances have no noise, and points reach all corners: finer levels need not learn more slowly


@dataclass(frozen=True)
class DistanceSettings:
    """How a distance field is fitted."""

    steps: int = 600
    points: int = 1 << 14
    """Points of a step."""
    pool: int = 1 << 18
    """Points whose distances are computed at once; steps draw from them."""
    steps_of_pool: int = 150
    """Steps after which the pool is drawn afresh."""
    bits: int | None = 6
    """Bits of each corner's index into the codebook of its level; None: features stay what they are."""
    as_features: float = 0.3
    """Share of the steps after which indices begin to take over from features, level by level."""
    codes_rate: float = 1e-2
    network_rate: float = 2e-3
    final_rate: float = 0.05
    """Rates decay exponentially to this share of their start."""

    def __post_init__(self) -> None:
        check_numbers(self, as_features=PART, codes_rate=POSITIVE, network_rate=POSITIVE, final_rate=POSITIVE)
        if min(self.steps, self.points, self.pool, self.steps_of_pool) < 1:
            raise ConfigError("steps, points, pool and steps_of_pool of a fit of distances must be at least 1")
        self.indices()

    def indices(self) -> IndexOptions | None:
        """How indices learn. Raises ConfigError for bits that none can have."""
        return None if self.bits is None else IndexOptions(self.bits)


@dataclass
class DistanceFitter:
    """Fits the distance field of one mesh, which lies in the cube [-1, 1]^3.

    Every random choice comes from the seed and the number of the step. A fit takes minutes and has no checkpoints: one
    that was interrupted begins anew. Raises MeshError where the mesh has holes, unless they are allowed.
    """

    triangles: Triangles
    config: DistanceConfig
    settings: DistanceSettings = DistanceSettings()
    seed: int = 0
    holes_allowed: bool = False
    family: DistanceFamily = field(init=False)
    code: OctreeCode = field(init=False)

    def __post_init__(self) -> None:
        self.distance = SignedDistance(self.triangles, holes_allowed=self.holes_allowed)
        generator = self._generator("start")
        self.family = DistanceFamily(self.config, generator)
        self.code = OctreeCode.of_features(
            octree_round(self.triangles, self.config, self.seed), self.config.features, generator, FINER_RATE
        )
        self.optimizer = torch.optim.Adam(self.family.parameters(), betas=BETAS, eps=1e-15)
        self._pool: tuple[int, Tensor, Tensor] | None = None

    def run(self, after_step: Callable[[int, float], None] | None = None) -> None:
        """All steps; `after_step(steps done, loss)`."""
        for index in range(self.settings.steps):
            loss = self.step(index)
            if after_step is not None:
                after_step(index + 1, loss)

    def step(self, index: int) -> float:
        """One optimisation step; returns its loss, in units of the truncation."""
        settings, options = self.settings, self.settings.indices()
        share = index / settings.steps if index < settings.steps - 1 else 1.0
        if options is not None and share >= settings.as_features:
            part = (share - settings.as_features) / (1.0 - settings.as_features)
            quantise_levels(self.code, part, options, lambda level: self._generator("indices", level))
        generator = self._generator("step", index)
        level = 1 + int(
            torch.multinomial(FINER ** torch.arange(len(self.config.levels)).float(), 1, generator=generator)
        )
        points, distances = self._draw(index, generator)
        found, inside = self.family.field(self.code.tree, self.code.table, level).relative(points)
        loss = truncated_error(found[inside], distances[inside] / self.config.truncation)
        loss.backward()
        if not bool(torch.isfinite(loss)):
            raise RunError(f"the fit diverged before step {index}: its network is no numbers any more; use lower rates")
        factor = min(1.0, (index + 1) / 50) * settings.final_rate ** (index / settings.steps)
        self.optimizer.param_groups[0]["lr"] = settings.network_rate * factor
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.code.update(factor * settings.codes_rate)
        return loss.item()

    def field(self, level: int | None = None) -> DistanceField:
        return self.family.field(self.code.tree, self.code.table.detach(), level)

    def _draw(self, index: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random points of the step's pool, and their distances."""
        number = index // self.settings.steps_of_pool
        if self._pool is None or self._pool[0] != number:
            random = np.random.default_rng(stable_seed(self.seed, "pool", number))
            self._pool = number, *truncated_samples(self.distance, self.settings.pool, self.config.truncation, random)
        _, points, distances = self._pool
        rows = torch.randint(len(points), (self.settings.points,), generator=generator)
        return points[rows], distances[rows]

    def _generator(self, *what: str | int) -> torch.Generator:
        return torch.Generator().manual_seed(stable_seed(self.seed, "distances", *what))


def truncated_error(found: Float[Tensor, " N"], wanted: Float[Tensor, " N"]) -> Float[Tensor, ""]:
    """Mean absolute error of distances in units of the truncation; beyond it, any value on the right side will do."""
    excess = torch.where(wanted >= 1, (wanted - found).relu(), (found - wanted).abs())
    return torch.where(wanted <= -1, (found - wanted).relu(), excess).mean()


def octree_round(triangles: Triangles, config: DistanceConfig, seed: int = 0) -> Octree:
    """The voxels that the surface passes through, or nearly so, with their parents at all levels."""
    voxels = float(triangles.areas.sum()) * 4.0 ** (config.last - 1)
    count = min(MOST_POINTS, max(100_000, round(POINTS_OF_A_VOXEL * voxels)))
    points, _ = triangles.sample(count, np.random.default_rng(stable_seed(seed, "octree")))
    return octree_of_points(torch.from_numpy(points).float().clamp(-1, 1), config, reach=REACH)
