"""Ways to store the features of one octree field, side by side: VQ-AD's Tables 2 and 3.

    uncompressed ─┬─► low_rankK, kmeansB: other codes of the same features
                  └ its first steps ─► vqB: indices that learn;  vqB_from_noise: as in the paper, from the first step on
    hashB: codebooks of 2^B features, looked up by a hash of the corner: no indices to store

All of an object's methods take the same steps. Quality is that of decoded bytes, on held-out views.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from manyfields.cameras import Cameras
from manyfields.compression.halves import as_halves
from manyfields.compression.network_bytes import decode_network, encode_network
from manyfields.errors import ConfigError
from manyfields.evaluation.metrics import foreground_psnr, psnr
from manyfields.evaluation.scores import Scores, mean_scores
from manyfields.families.octree.baselines.hashed import LevelHashes, hashed_code
from manyfields.families.octree.baselines.quantisers import KMeans, LowRank, Quantiser, Uncompressed, through
from manyfields.families.octree.codebooks.indices import (
    IndexOptions,
    LevelIndices,
    indices_from_noise,
    levels_of_indices,
)
from manyfields.families.octree.codes import OctreeCodes
from manyfields.families.octree.field import OctreeConfig, OctreeFamily
from manyfields.families.octree.fitter import OctreeFitter
from manyfields.families.octree.growing import grown_octree
from manyfields.families.octree.learning import OctreeCode
from manyfields.families.octree.settings import octrees
from manyfields.families.octree.stream.sizes import size_table
from manyfields.families.octree.stream.stream import VqLevel, VqObject, decode_vq, encode_vq
from manyfields.families.octree.tree import Octree
from manyfields.fitting.data import FittingData, FittingObject, stable_seed
from manyfields.rendering import Occupancy, Sampler, guide_of
from manyfields.shared_part import SharedPart

FITTING, MEASURING = Sampler(guided=24), Sampler(guided=32, supersampling=2)
LATER = 0.3  # share of the steps after which features begin to become indices
NETWORK_BITS = 8  # of the network beside indices; that of the others has 16
AFTERWARDS: dict[str, Quantiser] = {
    **{f"kmeans{bits}": KMeans((bits,)) for bits in (6, 4)},
    **{f"low_rank{kept}": LowRank(kept) for kept in (8, 4, 2, 1)},
}
METHODS = ("uncompressed", "vq6", "vq4", "vq2", "vq1", "hash16", "hash14", "hash12", "hash10", "vq6_from_noise")
MEASURED = ("psnr", "foreground_psnr")
PATTERN = re.compile(r"uncompressed|vq(\d+)(_from_noise)?|hash(\d+)")


def check_methods(names: Sequence[str]) -> None:
    """Raises ConfigError for a name that is no method."""
    for name in names:
        found = PATTERN.fullmatch(name)
        bits = int(found[1] or found[3] or 1) if found else 0
        if not 1 <= bits <= (16 if name.startswith("hash") else 10):
            raise ConfigError(f"method {name!r}: uncompressed, vqB, vqB_from_noise (B 1 to 10) or hashB (B 1 to 16)")


@dataclass
class Trial:
    """One object, its octree, and held-out views (V, H, W, 3), with their alpha, that no method learns from."""

    item: FittingObject
    truth: Tensor
    alpha: Tensor
    cameras: Cameras
    config: OctreeConfig
    steps: int
    seed: int = 0

    @cached_property
    def tree(self) -> Octree:
        return grown_octree(self.item, self.config, FITTING, self.seed)

    def fit(
        self, method: str, after_step: Callable[[int, OctreeFitter], None] = lambda step, fitter: None
    ) -> tuple[OctreeFamily, OctreeCode, float]:
        """Network, code, and the seconds that a method's steps took; `after_step` is not counted."""
        draw = torch.Generator().manual_seed(stable_seed(self.seed, "octree", self.item.id))
        family = OctreeFamily(self.config, draw)
        match = PATTERN.fullmatch(method)
        assert match is not None
        bits, noise, hashed = match.groups()
        options = IndexOptions(int(bits)) if bits else None
        width = self.config.features
        if hashed:
            code = hashed_code(self.tree, width, int(hashed), draw)
        elif options is not None and noise:
            code = indices_from_noise(self.tree, width, options, draw)
        else:
            code = OctreeCode.of_features(self.tree, width, draw)
        item = replace(self.item)  # the fitter puts the octree in the place of its hull
        fitter = OctreeFitter(SharedPart(family, None), FittingData([item]), [code], FITTING, self.seed, options)
        phases = octrees(indices=options is not None and not noise)
        first = round(LATER * self.steps)
        counts = (self.steps,) if len(phases) == 1 else (first, self.steps - first)
        spent, done = 0.0, 0
        for phase, count in zip(phases, counts, strict=True):
            phase = replace(phase, steps=count)
            began = time.perf_counter()
            fitter.begin(phase)
            spent += time.perf_counter() - began
            for index in range(count):
                began = time.perf_counter()
                fitter.step(phase, index)
                spent += time.perf_counter() - began
                done += 1
                after_step(done, fitter)
        return family, fitter.codes[0], spent

    @torch.no_grad()
    def quality(self, family: OctreeFamily, table: Tensor, level: int | None = None, every: int = 1) -> Scores:
        """PSNR of images and of their foreground, means over held-out views, of the first `level` levels of a table."""
        shared, bounds = SharedPart(family, None), self.item.bounds[None]
        field = family.field(OctreeCodes((self.tree,), table), level)
        side = self.config.guide_side
        hull = self.tree.occupied(self.item.bounds, side).to(torch.uint8)[None]
        occupancy = Occupancy.of(guide_of(field, bounds, hull, side), bounds)
        found = []
        for view in range(0, len(self.truth), every):
            seen = shared.pictures_of(field, self.cameras[[view]][None], bounds, MEASURING, guide=occupancy)
            assert seen.images is not None
            image, truth = seen.images[0].permute(0, 2, 3, 1).clamp(0, 1), self.truth[[view]]
            (foreground,) = foreground_psnr(image, truth, self.alpha[[view]])
            found.append(Scores(psnr=float(psnr(image, truth)), foreground_psnr=foreground))
        return mean_scores(found)

    def measure(self, family: OctreeFamily, code: OctreeCode) -> dict[str, dict[str, Any]]:
        """PSNR and bytes of what a method learned: itself as '', and of features what other codes make of them."""
        if indices := levels_of_indices(code):
            return {"": self._of_indices(family, indices)}
        stored = stored_network(family, 16)
        hashes = [level for level in code.levels if isinstance(level, LevelHashes)]
        if hashes:
            table = torch.cat([as_halves(level.codebook)[level.indices] for level in hashes])
            return {"": self._figures(stored, table, 2 * sum(level.codebook.numel() for level in hashes))}
        levels = list(code.table.detach().split(self.tree.corner_counts))
        found = {}
        for name, quantiser in {"": Uncompressed(), **AFTERWARDS}.items():
            tables, data = through(quantiser, levels)
            found[name] = self._figures(stored, torch.cat(tables), sum(map(len, data)))
        coarser = [self.quality(stored, as_halves(code.table), n) for n in range(1, len(levels))]
        found[""] |= _by_level([*coarser, Scores(**{name: found[""][name] for name in MEASURED})])
        return found

    def _figures(self, family: OctreeFamily, table: Tensor, size: int) -> dict[str, Any]:
        size += 2 * len(_numbers(family))
        scores = self.quality(family, table).to_json()
        return {name: scores[name] for name in MEASURED} | {
            "paper_bytes": size,
            "paper_ratio": self._whole(family) / size,
        }

    def _whole(self, family: OctreeFamily) -> int:
        """Bytes of features and network as float16."""
        return 2 * (self.config.features * sum(self.tree.corner_counts) + len(_numbers(family)))

    def _of_indices(self, family: OctreeFamily, learned: Sequence[LevelIndices]) -> dict[str, Any]:
        pairs = zip(self.tree.voxels, learned, strict=True)
        levels = tuple(VqLevel(voxels, each.chosen().long(), each.codebook) for voxels, each in pairs)
        item = VqObject(self.tree.first, levels, _numbers(family), network_bits=NETWORK_BITS)
        data, coded = encode_vq(item), encode_vq(item, entropy=True)
        back = decode_vq(coded)
        table = torch.cat([level.codebook[level.indices.long()] for level in back.levels])
        network = _with_numbers(self.config, back.network)
        curve = [self.quality(network, table, level) for level in range(1, len(levels) + 1)]
        sizes, tight = size_table(data), size_table(coded)
        return {
            **{name: curve[-1].to_json()[name] for name in MEASURED},
            "psnr_with_network_of_16_bits": self.quality(stored_network(family, 16), table).psnr,
            **_by_level(curve),
            "level_bytes": [size_table(coded, level).total for level in range(1, len(levels) + 1)],
            "paper_bytes": sizes.paper,
            "paper_ratio": sizes.paper_ratio,
            "bytes": sizes.total,
            "ratio": sizes.ratio,
            "coded_bytes": tight.total,
            "coded_ratio": tight.ratio,
            "parts": dict(tight.rows()),
        }


def _by_level(scores: Sequence[Scores]) -> dict[str, list[float | None]]:
    return {"levels": [each.psnr for each in scores], "foreground_levels": [each.foreground_psnr for each in scores]}


def stored_network(family: OctreeFamily, bits: int) -> OctreeFamily:
    """The family with its network as its bytes give it."""
    numbers = _numbers(family)
    return _with_numbers(family.config, decode_network(encode_network(numbers, bits), len(numbers), bits))


def _numbers(family: OctreeFamily) -> Tensor:
    return parameters_to_vector(family.parameters()).detach()


def _with_numbers(config: OctreeConfig, numbers: Tensor) -> OctreeFamily:
    family = OctreeFamily(config).requires_grad_(False)
    vector_to_parameters(numbers, family.parameters())
    return family
