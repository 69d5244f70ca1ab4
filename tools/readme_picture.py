"""Pictures of README and docs: held-out views of objects that were added, as they should be, and from stored bytes.

    python tools/readme_picture.py RUN docs/images/products.jpg --objects 8
    python tools/readme_picture.py RUN docs/images/vehicles.png --objects 8 --levels 2 1

From all layers, and from as many of the first ones as `--levels` says. Objects are taken evenly over the order of their
quality, so that the picture is not a choice of the best; what it shows is printed, for the names of those who made it.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from manyfields.collection import open_collection
from manyfields.runs import RunRecord
from manyfields.runs.sources.held_out import as_bytes, held_out_views

LABEL = 84
WORDS = {1: "layer 0", 2: "layers 0, 1", 3: "layers 0 to 2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--objects", type=int, default=9)
    parser.add_argument("--omit", nargs="*", default=[], help="ids that are left out (their licence, say)")
    parser.add_argument("--levels", nargs="*", type=int, default=[], help="how many of the first layers, a row each")
    arguments = parser.parse_args()
    collection, record = open_collection(arguments.run), RunRecord.load(arguments.run)
    added = [name for name in collection.ids if record.held_out[name]["source"]]
    shown = [name for name in added if name not in arguments.omit]
    shown.sort(key=lambda name: collection.entry(name).metrics["foreground_psnr"])
    places = np.linspace(0, len(shown) - 1, arguments.objects).round().astype(int)
    chosen = {shown[place] for place in places}
    record.held_out = {name: held for name, held in record.held_out.items() if name in chosen}
    columns = {}
    for item, (whole, *coarser) in held_out_views(collection, record, (None, *arguments.levels)):
        middle = len(whole.names) // 2
        images = (whole.truth, whole.rendered, *(level.rendered for level in coarser))
        stages = [as_bytes(each)[middle].numpy() for each in images]
        columns[item.entry.id] = np.concatenate(stages)
    picture = np.concatenate([columns[shown[place]] for place in places], 1)
    sheet = Image.new("RGB", (picture.shape[1] + LABEL, picture.shape[0]), "white")
    sheet.paste(Image.fromarray(picture), (LABEL, 0))
    draw = ImageDraw.Draw(sheet)
    rows = ("truth", "all layers", *(WORDS[level] for level in arguments.levels))
    height = picture.shape[0] // len(rows)
    for number, name in enumerate(rows):
        draw.text((6, number * height + height // 2 - 8), name, fill="black", font=ImageFont.load_default(15))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.out, optimize=True, quality=90)
    print(*(shown[place] for place in places))


if __name__ == "__main__":
    main()
