"""VQ-AD's Tables 2 and 3 for our scenes: `manyfields compare --codecs`, each method in a process of its own.

    python -m benchmarks.octree.codecs scenes --work W --size 200       # render the detail models once, with depth
    python -m benchmarks.octree.codecs fit    --work W --scene Avocado  # all methods on one scene (again: goes on)
    python -m benchmarks.octree.codecs memory --work W                  # of a few steps of some methods, one scene
    python -m benchmarks.octree.codecs table  --work W                  # means over the scenes that are fitted

All methods of a scene take hours; `fit --quick` takes three of them, 400 steps each, into figures of record in about a
quarter of an hour on one thread (`--quick` of `table` then reads these).

The scene `lego` is the capture, which has no depth; `NAME@400` is a model rendered at 400x400 by `scenes --size 400`.
Figures are of decoded bytes, on held-out views, 2x2 rays a pixel. Rows go to benchmarks/results/octree.json.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import rows as records
from benchmarks.common import peak_memory
from benchmarks.places import SHARED
from manyfields.commands._progress import progress
from manyfields.errors import RunError
from manyfields.evaluation.origin import Origin
from manyfields.evaluation.record import Record, new_record
from manyfields.families.octree.baselines.methods import METHODS
from manyfields.families.octree.field import OctreeConfig
from manyfields.runs import compare_codecs
from manyfields.runs.comparisons.codecs import FILE, HELD_OUT, new_trial
from manyfields.views import read_views
from manyfields.views.render_set import render_set

STEPS, QUICK_STEPS = 1000, 400
QUICK = ("uncompressed", "vq6", "hash12")
VIEWS = 120  # of which a sixth is held out: 100 to learn from
MOST_BITS = ("vq8", "vq10")  # on the first scene alone: what they are for is that they run
FIRST = "Avocado"
MEMORY, MEMORY_STEPS = ("uncompressed", "vq4", "vq6", "vq8", "vq10"), 40
COUNTED = {"paper_bytes": "bytes", "bytes": "bytes", "coded_bytes": "bytes", "psnr": "dB", "foreground_psnr": "dB"}
# As the issue names them: `ratio` is the paper's count.
RATIOS = {"paper_ratio": "ratio", "ratio": "ratio_every_byte", "coded_ratio": "ratio_coded"}


def place_of(work: Path, scene: str) -> tuple[Path, str]:
    """The folder of a scene's views, and its id."""
    name, _, size = scene.partition("@")
    return (SHARED / "data" / "captures", name) if name == "lego" else (work / f"views{size or 200}", name)


def figures_of(work: Path, steps: int) -> Path:
    """The folder of all scenes that were fitted in so many steps."""
    return work / ("octree" if steps == STEPS else f"octree-{steps}")


def fit(work: Path, scene: str, methods: Sequence[str], steps: int) -> None:
    """Some methods on one scene; what is there already is not fitted again."""
    data, name = place_of(work, scene)
    out = figures_of(work, steps) / scene
    for method in methods:
        before = json.loads((out / FILE).read_text())["objects"][name]["methods"] if (out / FILE).exists() else {}
        if method in before:
            continue
        with progress("compare") as report:
            compare_codecs(data, out=out, steps=steps, methods=(method,), objects=(name,), progress=report)


def memory(work: Path, scene: str, method: str) -> None:
    """The most memory that the process had while a method took a few steps, measuring not included."""
    data, name = place_of(work, scene)
    trial = new_trial(read_views(data)[name], HELD_OUT, 0, MEMORY_STEPS, OctreeConfig())
    trial.fit(method)
    out = work / "memory.json"
    kept = json.loads(out.read_text()) if out.exists() else {}
    out.write_text(json.dumps({**kept, method: peak_memory()}))


def memory_rows(work: Path) -> list[Record]:
    path = work / "memory.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    note = f"{FIRST}, peak of the process over {MEMORY_STEPS} steps of 4096 rays, views included"
    rows = [new_record(f"octree.{method}.memory_mb", value, "MB", note) for method, value in kept.items()]
    for method in (name for name in kept if name.startswith("vq")):
        ratio = kept[method] / kept["uncompressed"]
        rows.append(new_record(f"octree.{method}.memory_ratio", ratio, "x", f"{note}; to the uncompressed field"))
    return rows


def rows_of(scene: str, found: dict[str, Any], steps: int) -> list[Record]:
    """All figures of one scene. Raises RunError where they do not say what code made them."""
    if not found.get("processes"):
        raise RunError(f"{scene} does not say what code fitted it: fit it again in another folder")
    trained = [Origin(**each) for each in found["processes"]]
    width, height = found["size"]
    corners = sum(found["corners"])
    note = (
        f"{found['train_views']} training views of {width}x{height}, {steps} steps, {corners} corners, "
        f"{found['views']} held-out views from decoded bytes, {torch.get_num_threads()} threads"
    )
    rows = []

    def add(name: str, value: float, unit: str) -> None:
        own = f"octree.{scene.lower().replace('@', '_')}.{name}"
        rows.append(new_record(own, value, unit, note, trained=trained))

    methods = found["methods"]
    plain = methods["uncompressed"]
    curve = plain["curve"]
    add("uncompressed.gain_of_last_fifth", curve[-1] - curve[-1 - len(curve) // 5], "dB")
    for method, values in methods.items():
        for key, unit in COUNTED.items():
            if key in values:
                add(f"{method}.{key}", values[key], unit)
        if method != "uncompressed":
            add(f"{method}.loss_db", plain["psnr"] - values["psnr"], "dB")
            add(f"{method}.foreground_loss_db", plain["foreground_psnr"] - values["foreground_psnr"], "dB")
            for key, name in RATIOS.items():
                if key in values:
                    add(f"{method}.{name}", values[key], "x")
        for level, value in enumerate(values.get("levels", ())):
            add(f"{method}.level_{level}.psnr", value, "dB")
            add(f"{method}.level_{level}.foreground_psnr", values["foreground_levels"][level], "dB")
        for level, size in enumerate(values.get("level_bytes", ())):
            add(f"{method}.level_{level}.bytes", size, "bytes")
        if "parts" in values:
            add(f"{method}.network_bytes", values["parts"]["network"], "bytes")
            add(f"{method}.network_of_8_bits_loss_db", values["psnr_with_network_of_16_bits"] - values["psnr"], "dB")
        if f"kmeans{method[2:]}" in methods and method.startswith("vq"):
            add(f"{method}.gain_over_kmeans_db", values["psnr"] - methods[f"kmeans{method[2:]}"]["psnr"], "dB")
    return rows


def table(work: Path, steps: int) -> list[Record]:
    """Rows of each scene, and means of what all scenes have."""
    rows: list[Record] = []
    folder = figures_of(work, steps)
    scenes = sorted(path.parent.name for path in folder.glob(f"*/{FILE}"))
    for scene in scenes:
        objects = json.loads((folder / scene / FILE).read_text())["objects"]
        rows += rows_of(scene, objects[place_of(work, scene)[1]], steps)
    found: dict[str, list[Record]] = {}
    for row in rows:
        found.setdefault(row.name.split(".", 2)[2], []).append(row)
    for name, each in found.items():
        if len(each) == len(scenes):
            values = [float(row.value) for row in each if isinstance(row.value, int | float)]
            note = f"mean over {', '.join(scenes)}; {min(values):.4g} to {max(values):.4g}"
            trained = [origin for row in each for origin in row.trained]
            rows.append(new_record(f"octree.{name}", sum(values) / len(values), each[0].unit, note, trained=trained))
    return rows + memory_rows(work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("scenes", "fit", "memory", "table"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--scene", default=FIRST)
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--only", help="the detail model to render; all if not given")
    parser.add_argument("--methods", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help=f"{', '.join(QUICK)}, {QUICK_STEPS} steps each")
    records.add_flags(parser, "octree")
    arguments = records.parse(parser)
    steps = QUICK_STEPS if arguments.quick else STEPS
    torch.set_num_threads(arguments.threads)
    if arguments.step == "scenes":
        models = SHARED / "data" / "models" / "detail" / (f"{arguments.only}.glb" if arguments.only else "")
        out = arguments.work / f"views{arguments.size}"
        render_set(models, out, views=VIEWS, size=arguments.size, depth=True)
    elif arguments.step == "fit":
        if arguments.methods:
            fit(arguments.work, arguments.scene, arguments.methods, steps)
        else:  # each in a process of its own, which gives its memory back
            for method in QUICK if arguments.quick else METHODS + (MOST_BITS if arguments.scene == FIRST else ()):
                subprocess.run([sys.executable, "-m", __spec__.name, *sys.argv[1:], "--methods", method], check=True)
    elif arguments.step == "memory":
        if arguments.methods:
            memory(arguments.work, arguments.scene, *arguments.methods)
        else:
            for method in MEMORY:
                subprocess.run([sys.executable, "-m", __spec__.name, *sys.argv[1:], "--methods", method], check=True)
    else:
        records.keep(arguments, table(arguments.work, steps))


if __name__ == "__main__":
    main()
