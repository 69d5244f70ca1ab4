"""`prior`: learn a distribution over the codes of a run, as a file beside its collection."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from manyfields._lock import only_process
from manyfields.collection import Collection, open_collection
from manyfields.errors import ConfigError, RunError
from manyfields.families.parts import ObjectParts
from manyfields.families.registry import parts_of
from manyfields.fields import Codes
from manyfields.fitting.progress import Progress, silent
from manyfields.generation import LinearSpace, Prior, PriorLearner, PriorSettings, classes_of, read_prior

CHECKPOINT = Path("checkpoints") / "prior.safetensors"
SPACE_FROM = 512  # objects that the linear space is learned from, at most
OBJECTS_AT_ONCE = 16
FEWEST = 3


def train_prior(
    run: Path | str,
    settings: PriorSettings | None = None,
    *,
    resume: bool = False,
    progress: Progress = silent,
) -> Path:
    """Learn a prior over the codes of a collection; returns its file, `prior-<hash>.safetensors` beside it.

    The same seed gives the same file on one machine. `resume`: go on from the checkpoint of a call that was
    interrupted. Raises ConfigError for families without codes of one shape, RunError for too few objects, or
    where another process writes into the folder.

    >>> train_prior("runs/vehicles", PriorSettings(steps=3, width=8, blocks=1)).suffix
    '.safetensors'
    """
    folder, settings = Path(run), settings or PriorSettings()
    open_collection(folder)  # what is no collection is not touched
    with only_process(folder):
        return _train(folder, settings, resume, progress)


def _train(folder: Path, settings: PriorSettings, resume: bool, progress: Progress) -> Path:
    collection = open_collection(folder)
    parts = parts_of(collection.shared_part, settings.level)
    held_out = held_out_ids(collection, settings.held_out, settings.seed)
    ids = [name for name in collection.ids if name not in held_out]
    if len(ids) < FEWEST:
        raise RunError(f"{folder}: {len(ids)} objects are too few for a prior; it needs at least {FEWEST}")
    space, vectors = _learned_space(collection, ids, parts, settings.rank, progress)
    if not space.rank:
        raise RunError(f"{folder}: its objects do not differ, so there is nothing to draw from")
    classes, labels = classes_of([collection.entry(name).label for name in ids])
    learner = PriorLearner(vectors, labels, len(classes), settings, space.ranks)
    checkpoint = folder / CHECKPOINT
    if resume and checkpoint.exists():
        learner.load(checkpoint)
    network = learner.run(checkpoint, lambda step, loss: progress("learning", step, settings.steps, loss=loss))
    prior = Prior(collection.shared_hash, settings, space, network, vectors, labels, classes, ids, held_out)
    path = folder / prior.save(folder).file
    path.touch()
    checkpoint.unlink(missing_ok=True)
    return path


def open_prior(collection: Collection, file: Path | None = None) -> Prior:
    """The prior of a collection: `file`, or the one that was trained last.

    Raises RunError where none is trained, ConfigError where it is of another shared part, CollectionError where it is
    damaged.
    """
    if file is None:
        files = sorted(collection.path.glob("prior-*.safetensors"), key=lambda path: path.stat().st_mtime_ns)
        if not files:
            raise RunError(f"{collection.path}: no prior is trained; do that with: manyfields prior {collection.path}")
        file = files[-1]
    prior = read_prior(file)
    if prior.shared_hash != collection.shared_hash:
        raise ConfigError(
            f"{file}: draws codes of the shared part {prior.shared_hash[:16]}, and {collection.path} has "
            f"{collection.shared_hash[:16]}; train one there with: manyfields prior {collection.path}"
        )
    return prior


def held_out_ids(collection: Collection, share: float, seed: int) -> list[str]:
    """Objects of the `share` of groups with the smallest SHA-256 of (seed, group); an object without one is its own."""
    groups: dict[str, list[str]] = {}
    for name in collection.ids if share else []:
        groups.setdefault(collection.entry(name).group or name, []).append(name)
    order = sorted(groups, key=lambda group: hashlib.sha256(f"{seed}/{group}".encode()).hexdigest())
    return [name for group in order[: round(share * len(order))] for name in groups[group]]


def codes_and_boxes(collection: Collection, ids: Sequence[str]) -> tuple[Codes, Float[Tensor, "B 2 3"]]:
    """The stored codes of some objects, and their boxes. Raises ConfigError where codes have no one shape."""
    found = [collection[name].code() for name in ids]
    codes = [code for code in found if isinstance(code, Codes)]
    if len(codes) < len(found):
        raise ConfigError(f"{collection.path}: its codes have no one shape for all objects")
    boxes = torch.stack([torch.as_tensor(collection.entry(name).bounds).float() for name in ids])
    return Codes.concatenate(codes), boxes


def _learned_space(
    collection: Collection, ids: Sequence[str], parts: ObjectParts, rank: int, progress: Progress
) -> tuple[LinearSpace, Float[Tensor, "N D"]]:
    """A space from some of the objects, and the coordinates of all of them."""
    done = 0

    def taken_apart(names: Sequence[str]) -> list[dict[str, Tensor]]:
        nonlocal done
        found = []
        for start in range(0, len(names), OBJECTS_AT_ONCE):
            some = names[start : start + OBJECTS_AT_ONCE]
            found.append(dict(parts.of(*codes_and_boxes(collection, some))))
            done += len(some)
            progress("reading codes", done, len(ids))
        return found

    first = sorted(ids, key=lambda name: hashlib.sha256(name.encode()).hexdigest())[:SPACE_FROM]
    known = taken_apart(first)
    space = LinearSpace.learn(
        {name: torch.cat([each[name] for each in known]) for name in known[0]}, parts.groups, rank
    )
    rows = dict(zip(first, torch.cat([space.coordinates(each) for each in known]), strict=True))
    del known
    rest = [name for name in ids if name not in rows]
    for start in range(0, len(rest), OBJECTS_AT_ONCE):
        some = rest[start : start + OBJECTS_AT_ONCE]
        rows |= dict(zip(some, space.coordinates(taken_apart(some)[0]), strict=True))
    return space, torch.stack([rows[name] for name in ids])
