"""The picture of README: held-out views of stored objects, as they should be, from all layers, and from the first ones.

python tools/readme_picture.py RUN docs/images/vehicles.png --objects 9 --omit ID ID ...
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from manyfields.collection import open_collection
from manyfields.runs import RunRecord
from manyfields.runs.sources.held_out import as_bytes, held_out_views

ROWS = ("truth", "all layers", "layers 0, 1", "layer 0")
LABEL = 84


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--objects", type=int, default=9)
    parser.add_argument("--omit", nargs="*", default=[], help="ids that are left out (their licence, say)")
    arguments = parser.parse_args()
    collection, record = open_collection(arguments.run), RunRecord.load(arguments.run)
    shown = [name for name in collection.ids if name not in arguments.omit]
    # Evenly over the order of quality, so that the picture is not a choice of the best.
    shown.sort(key=lambda name: collection.entry(name).metrics["psnr"])
    places = np.linspace(0, len(shown) - 1, arguments.objects).round().astype(int)
    chosen = {shown[place] for place in places}
    record.held_out = {name: held for name, held in record.held_out.items() if name in chosen}
    columns = {}
    for item, (whole, *coarser) in held_out_views(collection, record, (None, 2, 1)):
        middle = len(whole.names) // 2
        images = (whole.truth, whole.rendered, *(level.rendered for level in coarser))
        stages = [as_bytes(each)[middle].numpy() for each in images]
        columns[item.entry.id] = np.concatenate(stages)
    picture = np.concatenate([columns[shown[place]] for place in places], 1)
    sheet = Image.new("RGB", (picture.shape[1] + LABEL, picture.shape[0]), "white")
    sheet.paste(Image.fromarray(picture), (LABEL, 0))
    draw = ImageDraw.Draw(sheet)
    height = picture.shape[0] // len(ROWS)
    for number, name in enumerate(ROWS):
        draw.text((6, number * height + height // 2 - 8), name, fill="black", font=ImageFont.load_default(15))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
