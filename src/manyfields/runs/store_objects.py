"""Codes to bytes in the collection, with the figures measured on what those bytes decode to."""

import warnings
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from manyfields.collection import Collection, ObjectRecord
from manyfields.errors import CollectionError, Remark, RunError
from manyfields.fields.codes import ObjectCodes
from manyfields.fitting.data import FittingObject
from manyfields.fitting.progress import Progress, silent
from manyfields.runs.originals import fitted_objects
from manyfields.runs.plane_maps import keeping_pictures
from manyfields.runs.record import RunRecord
from manyfields.runs.sources.source import Source
from manyfields.views import Problem


def store_objects(
    collection: Collection,
    source: Source[Any, Any],
    objects: Sequence[Any],
    codes: ObjectCodes,
    record: RunRecord,
    stage: int,
    progress: Progress = silent,
) -> None:
    """Append objects as one wave; figures of what was stored go into the index. `codes`: (B) in the order of `objects`.

    What cannot be stored is set aside, in the record and by a remark, and keeps no other object out.
    """
    encoded = _encoded_soundly(collection, objects, codes, record)
    sound = []
    for item, layers in zip(objects, encoded, strict=True):
        if isinstance(layers, str):
            set_aside(record, item.id, layers)
        else:
            sound.append((item, layers))
    chosen = [item for item, _ in sound]
    metrics = source.measure(collection, chosen, [layers for _, layers in sound], record, progress)
    records = []
    for (item, layers), figures in zip(sound, metrics, strict=True):
        trained_in = 1 if item.id in record.stage1 else stage
        records.append(source.stored(item, layers, {**figures, "stage": float(trained_in)}))
    append_sound(collection, records, record)


def append_sound(collection: Collection, records: Sequence[ObjectRecord], record: RunRecord) -> None:
    """Append those that the collection takes; the others are set aside, and keep no other one out."""
    sound: dict[str, ObjectRecord] = {}
    for each in records:
        why = "another object has its id" if each.id in sound else collection.refusal(each)
        if why is None:
            sound[each.id] = each
        else:
            set_aside(record, each.id, why)
    collection.append(list(sound.values()))


def set_aside(record: RunRecord, name: str, why: str) -> None:
    """Note, and say, that an object was fitted and is not stored."""
    record.problems.append(asdict(Problem(name, None, "not stored", why, True)))
    warnings.warn(f"set aside: object {name!r} is not stored: {why}", Remark, stacklevel=2)


def _encoded_soundly(
    collection: Collection, objects: Sequence[FittingObject], codes: ObjectCodes, record: RunRecord
) -> list[list[bytes] | str]:
    """The layers of each object, or why it has none: one that has diverged is found by coding each for itself."""
    try:
        return list(_encoded(collection, objects, codes, record))
    except (CollectionError, RunError) as error:
        if len(objects) == 1:
            return [str(error)]
    found: list[list[bytes] | str] = []
    for row, item in enumerate(objects):
        found += _encoded_soundly(collection, [item], codes[row], record)
    return found


def _encoded(
    collection: Collection, objects: Sequence[FittingObject], codes: ObjectCodes, record: RunRecord
) -> list[list[bytes]]:
    """In the codec of the collection; of a compressed one, fitted to their views as the others were."""
    fitted = fitted_objects(collection.shared_part, objects, record)
    return collection.codec.encode(codes, keeping_pictures(collection.path, fitted))
