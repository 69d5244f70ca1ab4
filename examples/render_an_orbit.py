"""Render a stored object from all sides into an animated GIF, and print how far away its surface is.

    python examples/render_an_orbit.py RUN OBJECT orbit.gif --views 36 --size 128 [--level 1]

`--level 1` decodes layer 0 alone, the first bytes of the object.
"""

import argparse
from pathlib import Path

from PIL import Image

import manyfields
from manyfields.cameras import orbit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("object")
    parser.add_argument("out", type=Path)
    parser.add_argument("--views", type=int, default=36)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--level", type=int)
    arguments = parser.parse_args()

    item = manyfields.open_collection(arguments.run)[arguments.object]
    cameras = orbit(arguments.views, elevation=25.0, width=arguments.size, height=arguments.size)
    pictures = item.render(cameras, level=arguments.level)  # one object: B = 1
    frames = [Image.fromarray(image) for image in (pictures.images[0].permute(0, 2, 3, 1) * 255).round().byte().numpy()]
    frames[0].save(arguments.out, save_all=True, append_images=frames[1:], duration=60, loop=0)

    surface = pictures.depth[0][pictures.opacity[0] > 0.5]
    if len(surface):
        print(f"the surface is {surface.min():.2f} to {surface.max():.2f} from the camera")
    print(f"{item.id}: {len(frames)} views in {arguments.out}")


if __name__ == "__main__":
    main()
