"""Codes to bytes in the collection, with the figures measured on what those bytes decode to."""

from collections.abc import Sequence

from manyfields.collection import Collection, ObjectRecord
from manyfields.collection.objects import codec_of
from manyfields.fields import ObjectCodes
from manyfields.fitting.data import FittingObject
from manyfields.runs.measuring import measure_codes
from manyfields.runs.record import RunRecord


def store_objects(
    collection: Collection, objects: Sequence[FittingObject], codes: ObjectCodes, record: RunRecord, stage: int
) -> None:
    """Append objects as one wave; their held-out PSNR goes into the index. `codes`: (B) in the order of `objects`."""
    codec = codec_of(collection.shared_part)
    encoded = codec.encode(codes)
    records = []
    for item, layers in zip(objects, encoded, strict=True):
        metrics = measure_codes(collection, codec.decode([layers]), item.bounds, item.source, item.test, record.size)
        trained_in = 1 if item.id in record.stage1 else stage
        records.append(
            ObjectRecord(
                id=item.id,
                layers=layers,
                label=item.source.label,
                group=item.source.group,
                world_to_object=item.source.world_to_object,
                bounds=item.bounds.double().numpy(),
                metrics={**metrics, "stage": float(trained_in)},
            )
        )
    collection.append(records)
