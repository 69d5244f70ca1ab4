"""Which designs are learned from, which decide settings, and which are reported: `split.json`, written once.

    python -m benchmarks.split            # says how many objects of each set are in which part
    python -m benchmarks.split --write    # made it: refused where the file is there, for a split is not drawn twice

A design is a `group` of a set's manifest; all objects of it are in one part. *Learn*: shared parts and codecs may be
learned from them. *Tune*: settings are chosen on them, and whatever was used for an earlier choice is there for good.
*Report*: figures of new objects are of these alone.
"""

import argparse
import hashlib
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Literal

from benchmarks.places import MODELS
from manyfields._io import read_json, write_json

FILE = Path(__file__).parent / "split.json"
Part = Literal["learn", "tune", "report"]
PARTS: tuple[Part, ...] = ("learn", "tune", "report")
SETS = ("vehicles", "products", "food", "props")
# Places in the order of hashes: the first sixteen vehicles decided the tables of `defaults`. Stage 2 and the codec's
# lambda were judged by some of the next twenty-four, which therefore only teach from now on.
TUNED_VEHICLES, LEARNED_VEHICLES = 16, 40
# On these the sampler at rest and the fit of white things were tuned.
TUNED_PRODUCTS = (
    "aws_house_Bed_01", "aws_house_ChairA_01", "aws_house_CookingBench_01", "aws_house_Refrigerator_01",
    "aws_house_SofaB_01", "aws_house_SofaC_01", "aws_house_Tableware_01", "aws_house_Wardrobe_01",
    "aws_store_BookshelfB_01", "aws_store_ChairB_01", "aws_store_DeskB_01", "aws_warehouse_ShelfD_01",
    "gazebo_cafe_table", "ycb_024_bowl", "ycb_027_skillet", "ycb_030_fork", "ycb_033_spatula",
)  # fmt: skip


def designs(kind: str, part: Part) -> list[str]:
    """One object of each design of a part, in the order of the split, which has nothing to do with looks.

    >>> len(designs("products", "report"))
    22
    """
    objects = grouped(kind)
    return [objects[group][0] for group in read_json(FILE)[kind][part]]


def grouped(kind: str) -> dict[str, list[str]]:
    """The objects of each design of a set, both sorted by name."""
    found = defaultdict(list)
    for entry in read_json(MODELS / kind / "manifest.json"):
        found[entry["group"]].append(entry["id"])
    return {group: sorted(found[group]) for group in sorted(found)}


def links_to(views: Path, folder: Path, ids: list[str]) -> Path:
    """A set of some of the objects that were rendered into `views`, as links."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ids:
        (folder / name).symlink_to((views / name).resolve(), target_is_directory=True)
    return folder


def folder_of(work: Path, views: str, part: Part) -> Path:
    """The objects of a part as a folder of their own, W/VIEWS_PART, of what was rendered into W/VIEWS."""
    kind = views.partition("_")[0]
    return links_to(work / views, work / f"{views}_{part}", designs(kind, part))


def draw(kind: str) -> dict[Part, list[str]]:
    """Designs by part. Hashes of their names draw them, but for those on which something was tuned before."""
    objects = grouped(kind)
    order = sorted(objects, key=lambda group: hashlib.sha256(group.encode()).hexdigest())
    if kind == "vehicles":
        tune = order[:TUNED_VEHICLES]
        learn = order[TUNED_VEHICLES:LEARNED_VEHICLES]
    elif kind == "products":
        tune = [group for group in order if set(TUNED_PRODUCTS) & set(objects[group])]
        learn = [group for group in order if group not in tune][::2]
    else:
        tune, learn = order[::5], [group for place, group in enumerate(order) if place % 5 in (1, 2)]
    return {"learn": learn, "tune": tune, "report": [group for group in order if group not in {*learn, *tune}]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        if FILE.exists():
            parser.error(f"{FILE} is there: what was tuned on some objects cannot be reported on them afterwards")
        write_json(FILE, {kind: draw(kind) for kind in SETS})
    split = read_json(FILE)
    for kind in SETS:
        sizes = {part: sum(len(grouped(kind)[group]) for group in split[kind][part]) for part in PARTS}
        words = ", ".join(f"{part} {len(split[kind][part])} ({sizes[part]} objects)" for part in PARTS)
        print(f"{kind}: designs to {words}")


if __name__ == "__main__":
    main()
