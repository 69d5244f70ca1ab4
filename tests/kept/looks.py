"""How kept runs are looked at: by the test with the code of today, and by `make.py` with the code that is kept to.

Nothing but the front door of the package and its command line is used, so that this outlives any rebuilding.
"""

import dataclasses
import hashlib
import json
import platform
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import manyfields
from manyfields.cameras import orbit
from manyfields.commands import main

HERE = Path(__file__).parent
PLACE = "KEPT"
"""Stands in run.json for the folder of this file, which is another one on every machine."""
SIDE = 8
GO_ON: dict[str, dict[str, Any]] = {
    "planes-transform-stopped": {"codec": "transform", "steps": 4},
    "tensorf-pyramid-stopped": {"codec": "pyramid"},
}
"""With what `compress` was called where it was stopped."""
NEW = {"views": "new", "images": "new-images", "meshes": "new-meshes"}
"""What is added to runs that were fitted to these folders."""


def finished() -> list[str]:
    """Names of kept runs, below the commits that made them."""
    return [name for name in _folders() if "stopped" not in name]


def stopped() -> list[str]:
    return [name for name in _folders() if "stopped" in name]


def _folders() -> list[str]:
    found = [*HERE.glob("*/*/collection.json"), *HERE.glob("*/*/run.json")]
    return sorted({path.parent.relative_to(HERE).as_posix() for path in found})


def whole_of(name: str) -> str:
    """The run that was not stopped."""
    return name.partition("-stopped")[0]


def copied(name: str, folder: Path) -> Path:
    """A kept run as `folder`, which may be written to and finds its views."""
    shutil.copytree(HERE / name, folder)
    record = folder / "run.json"
    if record.exists():
        record.write_text(record.read_text().replace(PLACE, HERE.as_posix()))
    return folder


def added(name: str, folder: Path) -> list[str]:
    """Add what a run has not seen; the ids of that."""
    before = manyfields.open_collection(folder).ids
    data = Path(json.loads((folder / "run.json").read_text())["data"][0]).name
    manyfields.add(folder, HERE / NEW[data], report=False)
    return [name for name in manyfields.open_collection(folder).ids if name not in before]


def resumed(name: str, work: Path) -> Path:
    """A stopped run, or a stopped compression of a run, brought to its end below `work`."""
    folder = copied(name, work / name)
    if choices := GO_ON.get(Path(name).name):
        source = copied(whole_of(name).rpartition("-")[0], work / "source" / name)
        manyfields.compress(source, folder, report=False, **choices)
    else:
        data = json.loads((folder / "run.json").read_text())["data"][0]
        manyfields.fit(data, folder, resume=True, report=False)
    return folder


def machine() -> dict[str, str]:
    """All that floats of plain PyTorch depend on. Where it is the same, they are the same to the last bit."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    processor = dict(line.split(":", 1) for line in lines if line.startswith(("model name", "flags", "stepping")))
    return {
        "processor": f"{platform.machine()}{next((v for k, v in processor.items() if k.startswith('model name')), '')}",
        "features": hashlib.sha256(json.dumps(processor).encode()).hexdigest()[:16],
        "capability": torch.backends.cpu.get_cpu_capability(),
        "accelerator": str(torch.cuda.is_available()),
        "versions": f"torch {torch.__version__}, numpy {np.__version__}",
    }


def pictures(folder: Path, ids: list[str], scratch: Path) -> dict[str, np.ndarray]:
    """What is seen of some objects at each of their levels, as `id/level`: float32 (3, H, W) in [0, 1].

    Images and voxels have no views to render: of them it is what `manyfields render` writes, in whole 255ths.
    """
    collection, found = manyfields.open_collection(folder), {}
    signal = collection.config["family"].get("signal", "scenes")
    for name in ids:
        for level in range(1, len(collection.entry(name).ranges) + 1):
            if signal == "scenes":
                image = collection[name].render(orbit(1, width=SIDE, height=SIDE), level=level).images[0, 0]
                found[f"{name}/{level}"] = image.float().cpu().numpy()
            else:
                out = scratch / "seen.png"
                out.unlink(missing_ok=True)
                flags = ["--object", name, "--size", str(SIDE), "--out", str(out)]
                assert main(["render", str(folder), *flags]) == 0
                pixels = np.asarray(Image.open(out).convert("RGB"), np.float32) / 255
                found[f"{name}/{level}"] = pixels.transpose(2, 0, 1)
    return found


def files(commit: str, scratch: Path) -> dict[str, np.ndarray]:
    """Likewise of files that stand alone: pictures of a stream, by its levels, and vertices of a surface."""
    found = {}
    stream = manyfields.read_stream(HERE / commit / "flat.vq")
    for level in range(1, stream.levels + 1):
        found[f"flat/{level}"] = stream.render(orbit(1, width=SIDE, height=SIDE), level=level).images[0, 0].numpy()
    if (HERE / commit / "slab.vq").exists():
        import trimesh

        out = scratch / "slab.ply"
        assert main(["extract", str(HERE / commit / "slab.vq"), str(out)]) == 0
        found["slab"] = np.asarray(trimesh.load(out, process=False).vertices, np.float32)
    return found


def facts(folder: Path, ids: list[str]) -> dict[str, Any]:
    """What is exact of some objects: their bytes, what these decode to, and what the index says of them."""
    collection, found = manyfields.open_collection(folder), {}
    for name in ids:
        whole, floats = decoded(collection[name].code())
        found[name] = {
            "layers": [hashlib.sha256(layer).hexdigest()[:16] for layer in collection.layers(name)],
            "whole numbers": whole,
            "floats": floats,
            "metrics": dict(collection.entry(name).metrics),
        }
    return {"shared": collection.shared_hash, "objects": found}


def decoded(code: object) -> tuple[list[str], list[str]]:
    """Hashes of all tensors within a code, whatever holds them: those of whole numbers, and those of floats."""
    whole: set[str] = set()
    floats: set[str] = set()
    seen: set[int] = set()

    def visit(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            held = value.detach().cpu().contiguous()
            digest = hashlib.sha256(f"{tuple(held.shape)}".encode())
            digest.update((held if held.is_floating_point() else held.long()).reshape(-1).view(torch.uint8).numpy())
            (floats if held.is_floating_point() else whole).add(digest.hexdigest()[:16])
        elif id(value) in seen:
            return
        elif isinstance(value, dict):
            seen.add(id(value))
            for each in value.values():
                visit(each)
        elif isinstance(value, list | tuple):
            seen.add(id(value))
            for each in value:
                visit(each)
        elif dataclasses.is_dataclass(value):
            seen.add(id(value))
            for field in dataclasses.fields(value):
                visit(getattr(value, field.name))

    visit(code)
    return sorted(whole), sorted(floats)


def read_expected(name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `write_expected` wrote."""
    with np.load(HERE / name / "expected.npz") as arrays:
        return json.loads((HERE / name / "expected.json").read_text()), dict(arrays)


def write_expected(name: str, stated: dict[str, Any], seen: dict[str, np.ndarray]) -> None:
    (HERE / name / "expected.json").write_text(json.dumps(stated) + "\n")
    np.savez_compressed(HERE / name / "expected.npz", **seen)
