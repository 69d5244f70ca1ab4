"""VQ-AD's Tables 2 and 3 for our scenes: octree fields uncompressed, with learned indices, and with what is beside.

    python benchmarks/octree.py scenes --work W --size 200            # render the detail models once, with depth
    python benchmarks/octree.py fit    --work W --scene Avocado       # all methods on one scene (again: goes on)
    python benchmarks/octree.py table  --work W                       # means over the scenes that are fitted

All methods of a scene take the same steps. Figures are of decoded bytes, on held-out views, 2x2 rays a pixel. Rows go
to benchmarks/results/octree.json.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as functional
from speed_fit import peak_memory

from manyfields.cameras import Rays
from manyfields.commands._progress import to_stderr
from manyfields.compression import VqLevel, VqObject, decode_vq, encode_vq, size_table
from manyfields.compression.quantisers import KMeans, LowRank, Uncompressed, through
from manyfields.evaluation.record import Record, new_record, write_records
from manyfields.fields import Octree, OctreeCodes, OctreeConfig, OctreeFamily
from manyfields.fitting.data import FittingData, FittingObject, load_object, load_views, stable_seed
from manyfields.fitting.hashed_code import HashedCode
from manyfields.fitting.octree_fitter import OctreeFitter
from manyfields.fitting.octree_growing import grown_octree
from manyfields.fitting.octree_learning import FeatureCode, IndexCode, OctreeCode
from manyfields.fitting.phases import Phase
from manyfields.latents import SharedPart
from manyfields.memory import keep_freed_memory
from manyfields.rendering import Sampler, guide_of, render
from manyfields.views import composite, read_views
from manyfields.views.render_set import render_set

SHARED = Path(os.environ.get("MANYFIELDS_SHARED", Path(__file__).parents[2] / "shared"))
RESULTS = Path(__file__).parent / "results" / "octree.json"
CONFIG = OctreeConfig()
STEPS, PROBES = 1000, 10
INDEX_RATE = 1e-3  # of logits and codebooks that start from features
AS_FEATURES = 0.4  # share of the steps after which learned indices take over from features
VIEWS = 120  # of which a sixth is held out: 100 to learn from
TEST_VIEWS = 20
GUIDE = 64
BITS, HASHES = (6, 4, 2, 1), (10, 12, 14, 16)
MOST_BITS = (8, 10)  # run on the first scene alone: what they are for is that they run
FITTING, MEASURING = Sampler(guided=24), Sampler(guided=32)
PHASE = Phase("rays", rgb=1.0, codes_rate=0.03, fields_rate=2e-3, rays_per_object=4096, final_rate=0.05)


def scene_of(work: Path, name: str) -> tuple[FittingObject, torch.Tensor, object]:
    """Training views with hull, true held-out images (V, H, W, 3), and their cameras."""
    folder = SHARED / "data" / "captures" / "lego" if name == "lego" else work / "views" / name
    views = read_views(folder)[0]
    size = views.cameras.width, views.cameras.height
    item = load_object(views, size, seed=0, fraction=1 / 6, hull=GUIDE)
    test = item.test[:: max(1, len(item.test) // TEST_VIEWS)][:TEST_VIEWS]
    rgba, cameras = load_views(views, test, size)
    return item, torch.from_numpy(composite(rgba.numpy())).float() / 255.0, cameras


def features(tree: Octree, draw: torch.Generator) -> FeatureCode:
    return FeatureCode(tree, 16, draw)


def codes_to_fit() -> dict[str, object]:
    """What makes the code of each method, from an octree and a generator; that of `vq6` and the like is in `fitted`."""
    made: dict[str, object] = {"uncompressed": features}
    made["vq6_from_noise"] = lambda tree, draw: IndexCode(tree, 16, 6, draw)
    for bits in HASHES:
        made[f"hash{bits}"] = lambda tree, draw, bits=bits: HashedCode(tree, 16, bits, draw)
    return made


def methods_of(first_scene: bool) -> dict[str, object]:
    """All methods; None for those that start as features and become indices."""
    return codes_to_fit() | {f"vq{bits}": None for bits in (*BITS, *(MOST_BITS if first_scene else ()))}


def fitted(
    item: FittingObject, tree: Octree, make, steps: int, probe=None, bits: int = 0
) -> tuple[OctreeFamily, OctreeCode, dict]:
    """A network and a code after `steps`; with the seconds they took, and PSNR along the way where `probe` gives it.

    With `bits`, features become indices on the way.
    """
    draw = torch.Generator().manual_seed(stable_seed(0, "octree", item.id))
    family = OctreeFamily(CONFIG, draw)
    code = make(tree, draw)
    fitter = OctreeFitter(SharedPart(family, None), FittingData([replace(item)]), [code], FITTING)
    phase = replace(PHASE, steps=steps)
    fitter.begin(phase)
    curve, spent = [], 0.0
    for index in range(steps):
        began = time.perf_counter()
        if bits and index == round(AS_FEATURES * steps):
            code = IndexCode.of_features(tree, code.table, bits, draw)
            fitter.codes, phase = [code], replace(phase, codes_rate=INDEX_RATE)
        fitter.step(phase, index)
        spent += time.perf_counter() - began
        if probe is not None and (index + 1) % max(1, steps // PROBES) == 0:
            curve.append(probe(family, code.table.detach()))
    return family, code, {"seconds": spent, "curve": curve}


class Scorer:
    """PSNR over held-out views, of the field of a table of features."""

    def __init__(self, item: FittingObject, tree: Octree, truth: torch.Tensor, cameras) -> None:
        self.bounds, self.hull = item.bounds[None], tree.occupied(item.bounds, GUIDE).to(torch.uint8)[None]
        self.tree, self.truth, self.cameras = tree, truth, cameras

    @torch.no_grad()
    def __call__(self, family: OctreeFamily, table: torch.Tensor, level: int | None = None, every: int = 1) -> float:
        field = family.field(OctreeCodes((self.tree,), table), level)
        guide = guide_of(field, self.bounds, self.hull, GUIDE)
        total, views = 0.0, range(0, len(self.truth), every)
        for view in views:
            height, width = self.truth.shape[1:3]
            rays = self.cameras[view].resized(2 * width, 2 * height).rays()
            rays = Rays(rays.origins[None], rays.directions[None])
            seen = render(field, rays, MEASURING, bounds=self.bounds, guide=guide, background=torch.ones(3))
            image = functional.avg_pool2d(seen.channels.view(2 * height, 2 * width, 3).permute(2, 0, 1), 2)
            error = (image.permute(1, 2, 0).clamp(0, 1) - self.truth[view]).square().mean()
            total -= 10.0 * float(error.log10())
        return total / len(views)


def network_of(family: OctreeFamily) -> torch.Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in family.parameters()])


def with_network(network: torch.Tensor) -> OctreeFamily:
    """The family with a network as it was stored."""
    family = OctreeFamily(CONFIG)
    with torch.no_grad():
        for parameter, values in zip(
            family.parameters(), network.split([each.numel() for each in family.parameters()]), strict=True
        ):
            parameter.copy_(values.view_as(parameter))
    return family


def measure(name: str, family: OctreeFamily, code: OctreeCode, score: Scorer) -> dict:
    """PSNR from decoded bytes, and what they take, of one method; of the uncompressed one also what is made of it."""
    tree, counts = code.tree, code.tree.corner_counts
    network = network_of(family).half().float()
    levels = list(code.table.detach().split(counts))
    whole = 32 * sum(counts) + 2 * len(network)
    if isinstance(code, IndexCode):
        books = code.codebooks.half().float()
        stored = [VqLevel(voxels, code.indices_of(number), books[number]) for number, voxels in enumerate(tree.voxels)]
        item = VqObject(tree.first, tuple(stored), network)
        data, coded = encode_vq(item), encode_vq(item, entropy=True)
        back = decode_vq(coded)
        table = torch.cat([level.codebook[level.indices.long()] for level in back.levels])
        sizes, tight = size_table(data), size_table(coded)
        curve = [score(with_network(back.network), table, level) for level in range(1, len(counts) + 1)]
        return {
            "psnr": curve[-1],
            "levels": curve,
            "level_bytes": [size_table(coded, level).total for level in range(1, len(counts) + 1)],
            "paper_bytes": sizes.paper,
            "bytes": len(data),
            "coded_bytes": len(coded),
            "paper_ratio": sizes.paper_ratio,
            "ratio": sizes.ratio,
            "coded_ratio": tight.ratio,
            "parts": dict(tight.rows()),
        }
    if isinstance(code, HashedCode):
        table = torch.cat([book[at] for book, at in zip(code.codebooks.half().float(), code.indices, strict=True)])
        size = code.stored_bytes() + 2 * len(network)
        return {"psnr": score(with_network(network), table), "paper_bytes": size, "paper_ratio": whole / size}
    found = {}
    made = {"kmeans6": KMeans((6,)), "kmeans4": KMeans((4,))}
    made |= {f"low_rank{kept}": LowRank(kept) for kept in (1, 2, 4, 8)}
    for label, quantiser in {"": Uncompressed(), **made}.items():
        tables, data = through(quantiser, levels)
        size = sum(map(len, data)) + 2 * len(network)
        psnr = score(with_network(network), torch.cat(tables))
        found[label] = {"psnr": psnr, "paper_bytes": size, "paper_ratio": whole / size}
    curve = [
        score(with_network(network), torch.cat(levels).half().float(), level) for level in range(1, len(counts) + 1)
    ]
    return {**found.pop(""), "levels": curve, "after": found}


def fit(work: Path, name: str, first_scene: bool, only: Sequence[str]) -> None:
    """Some methods on one scene; what is there already is not fitted again."""
    out = work / f"octree-{name}.json"
    done = json.loads(out.read_text()) if out.exists() else {"methods": {}}
    item, truth, cameras = scene_of(work, name)
    tree = grown_octree(item, CONFIG, FITTING)
    score = Scorer(item, tree, truth, cameras)
    done |= {"corners": tree.corner_counts, "views": len(item.train), "side": truth.shape[1], "steps": STEPS}
    for method, make in methods_of(first_scene).items():
        if method in done["methods"] or method not in only:
            continue
        probe = (lambda family, table: score(family, table, every=4)) if method == "uncompressed" else None
        bits = 0 if make is not None else int(method.removeprefix("vq"))
        family, code, took = fitted(item, tree, make or features, STEPS, probe, bits)
        done["methods"][method] = {**measure(method, family, code, score), **took, "peak_memory": peak_memory()}
        out.write_text(json.dumps(done))
        brief = {key: done["methods"][method].get(key) for key in ("psnr", "levels", "bytes", "coded_ratio", "seconds")}
        to_stderr(f"{name} {method}: {brief}")


def table(work: Path) -> list[Record]:
    """Rows of each scene and means over the scenes."""
    scenes = {path.stem.removeprefix("octree-"): json.loads(path.read_text()) for path in work.glob("octree-*.json")}
    rows: list[Record] = []
    means: dict[str, list[float]] = {}

    def add(scene: str, method: str, key: str, value: float, unit: str) -> None:
        found = scenes[scene]
        note = f"{found['views']} training views of {found['side']}x{found['side']}, {found['steps']} steps, " + (
            f"{sum(found['corners'])} corners, held-out views from decoded bytes, {torch.get_num_threads()} threads"
        )
        rows.append(new_record(f"octree.{scene}.{method}.{key}", value, unit, note))
        means.setdefault(f"{method}.{key}", []).append(value)

    for scene, found in scenes.items():
        methods = dict(found["methods"])
        plain = methods["uncompressed"]
        curve = plain["curve"]
        add(scene, "uncompressed", "gain_of_last_fifth", curve[-1] - curve[-1 - len(curve) // 5], "dB")
        methods |= plain["after"]
        for method, values in methods.items():
            for key, unit in (("psnr", "dB"), ("paper_bytes", "bytes"), ("bytes", "bytes"), ("coded_bytes", "bytes")):
                if key in values:
                    add(scene, method, key, values[key], unit)
            if method == "vq6":
                add(scene, method, "memory_ratio", values["peak_memory"] / plain["peak_memory"], "x")
            # As the issue names them: `ratio` is the paper's count.
            for key, name in (("paper_ratio", "ratio"), ("ratio", "ratio_every_byte"), ("coded_ratio", "ratio_coded")):
                if key in values and method != "uncompressed":
                    add(scene, method, name, values[key], "x")
            if method != "uncompressed":
                add(scene, method, "loss_db", plain["psnr"] - values["psnr"], "dB")
            if "seconds" in values:
                add(scene, method, "seconds", values["seconds"], "s")
        for method in ("uncompressed", "vq6", "vq4"):
            for level, value in enumerate(methods[method]["levels"]):
                add(scene, method, f"level_{level}.psnr", value, "dB")
        for level, size in enumerate(methods["vq6"]["level_bytes"]):
            add(scene, "vq6", f"level_{level}.bytes", size, "bytes")
        for bits in (6, 4):
            gain = methods[f"vq{bits}"]["psnr"] - methods[f"kmeans{bits}"]["psnr"]
            add(scene, f"vq{bits}", "gain_over_kmeans_db", gain, "dB")
    note = f"mean over {', '.join(sorted(scenes))}"
    for name, values in means.items():
        if len(values) == len(scenes):
            unit = "dB" if name.endswith(("db", "psnr", "fifth")) else "x" if "ratio" in name else "bytes"
            unit = "s" if name.endswith("seconds") else unit
            mean = sum(values) / len(values)
            rows.append(new_record(f"octree.{name}", mean, unit, note))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("scenes", "fit", "table"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--scene", default="Avocado")
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--methods", nargs="*", default=[])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()
    if arguments.step == "scenes":
        models = SHARED / "data" / "models" / "detail"
        render_set(models, arguments.work / "views", views=VIEWS, size=arguments.size, depth=True)
    elif arguments.step == "fit":
        first_scene = arguments.scene == "Avocado"
        if arguments.methods:
            fit(arguments.work, arguments.scene, first_scene, arguments.methods)
        else:  # each in a process of its own, which says how much memory it took
            for method in methods_of(first_scene):
                subprocess.run([sys.executable, *sys.argv, "--methods", method], check=True)
    else:
        for row in write_records(RESULTS, table(arguments.work)):
            print(f"{row.name:52} {row.value:12.3f} {row.unit:5} {row.note}", file=sys.stdout)


if __name__ == "__main__":
    main()
