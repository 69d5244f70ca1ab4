"""Opening the collection in a run folder, with a message that fits where there is none yet."""

from pathlib import Path
from typing import TYPE_CHECKING

from manyfields.errors import RunError

if TYPE_CHECKING:
    from manyfields.collection import Collection


def open_run(folder: Path) -> "Collection":
    """The collection in `folder`. Raises RunError where there is none, CollectionError where it is damaged."""
    from manyfields.collection import open_collection

    if not folder.is_dir():
        raise RunError(f"{folder}: no such folder; give the folder that manyfields fit --out made")
    if not (folder / "collection.json").exists():
        if (folder / "checkpoints").is_dir():
            raise RunError(
                f"{folder}: its fit has not finished, so there is no collection yet; "
                f"go on with: manyfields fit DATA --out {folder} --resume"
            )
        raise RunError(f"{folder}: holds no collection (no collection.json); make one with manyfields fit")
    return open_collection(folder)
