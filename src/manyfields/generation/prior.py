"""A trained prior and its file: space, network, and the coordinates of the objects it was learned from.

`prior-<hash>.safetensors` beside a collection, as its shared part: tensors, and a JSON config in the metadata that
names the shared part whose codes it draws. Nothing executes on load. One file draws in three ways: by diffusion, by a
Gaussian, and between neighbours.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor

from manyfields.collection.checksums import sha256
from manyfields.collection.manifest import FileEntry
from manyfields.collection.tensors import part_config, part_tensors, write_part
from manyfields.errors import CollectionError, ConfigError
from manyfields.families.parts import ObjectParts
from manyfields.families.registry import parts_of
from manyfields.fields import Codes
from manyfields.generation.denoiser import Denoiser
from manyfields.generation.diffusion import DiffusionDraws, Scheduler
from manyfields.generation.gaussian import GaussianDraws
from manyfields.generation.linear_space import LinearSpace
from manyfields.generation.neighbours import NeighbourDraws
from manyfields.generation.settings import PriorSettings
from manyfields.shared_part import SharedPart

KIND = "prior"
VERSION = 2
NEIGHBOURS = 5  # among which the paper's way finds its second parent; it does not say how many
WIDEST, DEEPEST = 16384, 64
SPREAD, CANDIDATES = 0.9, 4
MEASURED = 128  # samples of a class that say how far from their mean they are

Way = Literal["diffusion", "gaussian", "neighbours"]
WAYS: tuple[Way, ...] = ("diffusion", "gaussian", "neighbours")


class Draws(Protocol):
    """Any prior over coordinates."""

    def draw(self, labels: Int[Tensor, " B"], generator: torch.Generator) -> Float[Tensor, "B D"]:
        """One sample of each class; the same labels and generator give the same samples."""
        ...


@dataclass(frozen=True)
class Prior:
    """`vectors` (N, D) and `labels` (N,) are those of `ids`, the objects that it was learned from.

    >>> space = LinearSpace.learn({"latent": torch.randn(6, 4)}, [["latent"]], rank=3)
    >>> network, labels = Denoiser(3, 1, width=8, blocks=1), torch.zeros(6, dtype=torch.long)
    >>> ids = [f"car {number}" for number in range(6)]
    >>> prior = Prior("0123", PriorSettings(), space, network, torch.randn(6, 3), labels, ["car"], ids, [])
    >>> vectors, classes = prior.sample(2, way="gaussian")
    >>> vectors.shape, classes
    (torch.Size([2, 3]), ['car', 'car'])
    """

    shared_hash: str
    settings: PriorSettings
    space: LinearSpace
    network: Denoiser
    vectors: Float[Tensor, "N D"]
    labels: Int[Tensor, " N"]
    classes: list[str | None]
    ids: list[str]
    held_out: list[str]

    def draws(self, way: Way = "diffusion", **options: Any) -> Draws:
        """A way to draw; `options` of diffusion: scheduler, steps, guidance. Raises ConfigError for another way."""
        if way == "diffusion":
            return DiffusionDraws(self.network, **options)
        if way == "gaussian":
            return GaussianDraws(self.vectors, self.labels)
        if way == "neighbours":
            return NeighbourDraws(self.vectors, self.labels, NEIGHBOURS)
        raise ConfigError(f"{way!r} is no way to draw; use one of {', '.join(WAYS)}")

    def sample(
        self,
        count: int,
        seed: int = 0,
        label: str | None = None,
        way: Way = "diffusion",
        scheduler: Scheduler = "dpm",
        steps: int | None = None,
        guidance: float = 1.0,
        spread: float | None = None,
        candidates: int | None = None,
    ) -> tuple[Float[Tensor, "B D"], list[str | None]]:
        """Coordinates of `count` new objects, and their classes: `label`, or all, as often as they are, when None.

        `spread`: how far samples are from the mean object of their class, as a share of how far objects are; 0: as they
        are drawn. What has learned from mixtures draws samples that are more alike than objects are. Each class is
        measured by itself, on draws as they are asked for. `candidates`: of so many draws each sample is the one that
        is farthest from all known objects. When None, `SPREAD` and
        `CANDIDATES` for diffusion, 0 and 1 for the others.
        Raises ConfigError for a class that the prior does not know, and numbers that mean nothing.
        """
        own = (SPREAD, CANDIDATES) if way == "diffusion" else (0.0, 1)
        spread, candidates = own[0] if spread is None else spread, own[1] if candidates is None else candidates
        if not 0.0 <= spread < math.inf or candidates < 1:
            raise ConfigError(f"spread {spread:g}, {candidates} candidates: at least 0, and at least 1")
        generator = torch.Generator().manual_seed(seed)
        if label is None:
            labels = self.labels[torch.randint(len(self.labels), (count,), generator=generator)]
        else:
            labels = torch.full((count,), self._class_number(label))
        options = {"scheduler": scheduler, "steps": steps, "guidance": guidance} if way == "diffusion" else {}
        draws = self.draws(way, **options)
        vectors = self._newest(draws.draw(labels.repeat(candidates), generator), candidates)
        if spread:
            factors = torch.zeros(len(self.classes))
            for number in labels.unique().tolist():
                factors[number] = spread * self._calibration(draws, number, candidates)
            vectors = torch.lerp(self._means(labels), vectors, factors[labels].unsqueeze(1))
        return vectors, [self.classes[number] for number in labels.tolist()]

    def _means(self, labels: Tensor) -> Float[Tensor, "B D"]:
        """The mean object of each class."""
        known = [self.vectors[self.labels == number].mean(0) for number in range(len(self.classes))]
        return torch.stack(known)[labels]

    def _spread(self, vectors: Tensor, labels: Tensor) -> float:
        """Root mean square distance to the mean object of the class."""
        return float((vectors - self._means(labels)).square().sum(1).mean().sqrt())

    def _calibration(self, draws: Draws, number: int, candidates: int) -> float:
        """How much farther from their mean the objects of a class are than samples that are drawn as asked for.

        It is the same for however many samples are asked for. A class of one object says nothing: 1.
        """
        own = self.vectors[self.labels == number]
        if len(own) < 2:
            return 1.0
        labels = torch.full((MEASURED,), number)
        drawn = draws.draw(labels.repeat(candidates), torch.Generator().manual_seed(0))
        samples = self._spread(self._newest(drawn, candidates), labels)
        return self._spread(own, labels[:1].expand(len(own))) / max(samples, 1e-12)

    def _newest(self, vectors: Tensor, candidates: int) -> Float[Tensor, "B D"]:
        """Of each sample's candidates, which are rows apart, the one that is farthest from the nearest known object."""
        nearest = torch.cdist(vectors, self.vectors).amin(1).view(candidates, -1)
        return vectors.unflatten(0, nearest.shape)[nearest.argmax(0), torch.arange(nearest.shape[1])]

    def codes(self, vectors: Float[Tensor, "B D"], parts: ObjectParts) -> tuple[Codes, Float[Tensor, "B 2 3"]]:
        """Codes and boxes of objects with these coordinates. `parts`: `parts_of` the shared part."""
        return parts.codes(self.space.parts(vectors))

    def parts(self, shared: SharedPart) -> ObjectParts:
        """How objects of the shared part are taken apart by this prior."""
        return parts_of(shared, self.settings.level)

    def _class_number(self, label: str) -> int:
        if label in self.classes:
            return self.classes.index(label)
        known = [name for name in self.classes if name is not None]
        if not known:
            raise ConfigError(f"label {label!r} is not known: the objects of this prior have no labels; leave it away")
        near = difflib.get_close_matches(label, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(sorted(known)[:10])}"
        raise ConfigError(f"label {label!r} is not one that this prior was trained on: {hint}")

    def save(self, folder: Path) -> FileEntry:
        """Write `prior-<hash>.safetensors`; equal priors have equal names."""
        network = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        space = {f"space.{name}": tensor for name, tensor in self.space.tensors().items()}
        config = {
            "prior": VERSION,
            "shared": self.shared_hash,
            "settings": asdict(self.settings),
            "space": self.space.config(),
            "classes": self.classes,
            "ids": self.ids,
            "held_out": self.held_out,
        }
        return write_part(folder, KIND, {**network, **space, "vectors": self.vectors, "labels": self.labels}, config)


def read_prior(path: Path) -> Prior:
    """Read a prior's file. Raises CollectionError where it is damaged, hostile or of another kind.

    >>> space = LinearSpace.learn({"latent": torch.randn(6, 4)}, [["latent"]], rank=3)
    >>> settings = PriorSettings(width=8, blocks=1)
    >>> network, labels = Denoiser(3, 1, width=8, blocks=1), torch.zeros(6, dtype=torch.long)
    >>> ids = [f"car {number}" for number in range(6)]
    >>> prior = Prior("0123", settings, space, network, torch.randn(6, 3), labels, ["car"], ids, [])
    >>> read_prior(Path(prior.save(Path(".")).file)).ids == ids
    True
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CollectionError(f"{path}: cannot be read ({error.strerror})") from error
    if not path.name.startswith(f"{KIND}-{sha256(data)[:16]}"):
        raise CollectionError(f"{path}: its SHA-256 is not the one in its name; it is damaged or was renamed")
    config, tensors = part_config(data, str(path)), part_tensors(data, str(path))
    if config.get("prior") != VERSION:
        raise CollectionError(f"{path}: is no prior that this version of manyfields reads")
    try:
        settings = PriorSettings(**config["settings"])
        space = LinearSpace.from_tensors(_of("space.", tensors), config["space"])
        vectors, labels = tensors["vectors"].float(), tensors["labels"].long()
        classes, ids = list(config["classes"]), [str(name) for name in config["ids"]]
        if vectors.shape != (len(ids), space.rank) or labels.shape != (len(ids),) or not ids:
            raise CollectionError("its coordinates are not those of its objects")
        if not bool(((labels >= 0) & (labels < len(classes))).all()) or not bool(vectors.isfinite().all()):
            raise CollectionError("its coordinates or classes have no meaning")
        if settings.width > WIDEST or settings.blocks > DEEPEST:
            raise CollectionError(f"a network of {settings.blocks} blocks of width {settings.width} is not built")
        network = Denoiser(space.rank, len(classes), settings.width, settings.blocks)
        network.load_state_dict({name: tensor.float() for name, tensor in _of("network.", tensors).items()})
        network.eval().requires_grad_(False)
        held_out = [str(name) for name in config["held_out"]]
        return Prior(str(config["shared"]), settings, space, network, vectors, labels, classes, ids, held_out)
    except (CollectionError, ConfigError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CollectionError(f"{path}: the prior cannot be built from its file ({error})") from error


def classes_of(labels: Sequence[str | None]) -> tuple[list[str | None], Int[Tensor, " N"]]:
    """The classes that occur, sorted (None last), and the number of each object's.

    >>> classes_of(["truck", None, "car", "truck"])
    (['car', 'truck', None], tensor([1, 2, 0, 1]))
    """
    classes: list[str | None] = [*sorted({label for label in labels if label is not None})]
    if None in labels:
        classes.append(None)
    return classes, torch.tensor([classes.index(label) for label in labels])


def _of(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
