"""Views of a few objects and a shared part in one .npz file: what a GPU machine without network is given.

images (N, V, H, W, 3) uint8 on white, training views first; silhouettes, hulls: packed bits; cameras; boxes; the
shared part in the 16 bits it is stored with; and settings as JSON. Nothing in it executes on load.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from manyfields.cameras import Cameras
from manyfields.families.fused_planes.config import FusedPlanesConfig
from manyfields.families.fused_planes.field import FusedPlanes
from manyfields.fields import Codes
from manyfields.fitting.data import FittingObject
from manyfields.fitting.phases import Phase
from manyfields.fitting.pixel_pool import pixels_to_draw
from manyfields.rendering import Sampler
from manyfields.shared_part import SharedPart

LIMIT = 60e6  # bytes


@dataclass(frozen=True)
class Packed:
    """What a file holds. Object `number` of any wave is object `number % len(objects)` of the file."""

    settings: dict[str, Any]
    tensors: dict[str, Tensor]
    code: dict[str, Tensor]
    """Of one fitted object, which is rendered, with its box as `bounds`."""
    objects: list[dict[str, Tensor]]

    @property
    def size(self) -> int:
        return self.objects[0]["images"].shape[-1]

    @property
    def sampler(self) -> Sampler:
        return Sampler(**self.settings["sampler"])

    @property
    def final_sampler(self) -> Sampler:
        return Sampler(**self.settings["final_sampler"])

    @property
    def stage2(self) -> list[Phase]:
        return [Phase(**phase) for phase in self.settings["stage2"]]

    def family(self, stage1_objects: int = 0, channels: int = 3) -> FusedPlanesConfig:
        """The config of the fields; it does not depend on the arguments any more, as that of settings does."""
        return FusedPlanesConfig(**{name: size for name, size in self.settings["family"].items() if name != "family"})

    def fitted(self) -> tuple[Codes, Tensor]:
        """Code (B = 1) and box of the fitted object."""
        codes = {name: tensor for name, tensor in self.code.items() if name != "bounds"}
        return Codes(codes), self.code["bounds"]

    def shared(self) -> SharedPart:
        """The shared part, frozen. Always of fused planes: the table of families loads more than a GPU machine has."""
        part = SharedPart(FusedPlanes(self.family()), None)
        part.load_state_dict({name: tensor.float() for name, tensor in self.tensors.items()})
        return part.eval().requires_grad_(False)

    def fitting_objects(self, count: int) -> list[FittingObject]:
        """Objects as a fit takes them, each under a name of its own."""
        return [self._object(number) for number in range(count)]

    def held_out(self, number: int) -> tuple[Tensor, Cameras]:
        """Images (V, 3, H, W) in [0, 1] and cameras of the views of an object that are not learned from."""
        tensors = self.objects[number % len(self.objects)]
        train = int(self.settings["train"])
        return tensors["images"][train:].float() / 255.0, self._cameras(tensors)[slice(train, None)]

    def _object(self, number: int) -> FittingObject:
        tensors = self.objects[number % len(self.objects)]
        train = int(self.settings["train"])
        images = tensors["images"][:train].contiguous()
        item = FittingObject(
            f"object-{number}",
            images,
            self._cameras(tensors)[slice(0, train)],
            tensors["bounds"],
            cast(Any, None),  # there is no folder of views behind it
            list(range(train)),
            list(range(train, len(tensors["images"]))),
        )
        item.hull = tensors["hull"]
        item.pixels = tensors["numbers"], tensors["copies"]
        return item

    def _cameras(self, tensors: dict[str, Tensor]) -> Cameras:
        return Cameras(tensors["camera_to_world"], tensors["focal"], tensors["center"], self.size, self.size)


def pack(work: Path, out: Path, objects: int, minutes: float) -> int:
    """Write the file from vehicles and a shared part under `work`, both made where they are missing; returns its bytes.

    The objects are of designs that the shared part has not seen.
    """
    from benchmarks.speed.bench import SIZE, Bench
    from manyfields.collection import open_collection
    from manyfields.fitting.data import load_object, load_views
    from manyfields.fitting.visual_hull import pixels_inside
    from manyfields.runs import RunRecord
    from manyfields.views import composite, read_views

    bench = Bench(work, torch.get_num_threads(), minutes)
    bench.views()
    run = bench.shared_run()
    collection, settings = open_collection(run), RunRecord.load(run).settings
    found = read_views(bench.views_at)
    arrays: dict[str, np.ndarray] = {f"shared/{name}": each.numpy() for name, each in collection.shared().items()}
    stored = collection[collection.ids[0]]
    box = torch.as_tensor(stored.bounds, dtype=torch.float32)[None]
    code = {**stored.code().tensors, "bounds": box}
    arrays |= {f"code/{name}": each.numpy() for name, each in code.items()}
    train = 0
    for number, name in enumerate(bench.new[:objects]):
        item = load_object(found[name], (SIZE, SIZE), seed=settings.seed, hull=settings.hull)
        rgba, cameras = load_views(found[name], [*item.train, *item.test], (SIZE, SIZE))
        inside = pixels_inside(rgba[..., 3])
        silhouettes = torch.zeros(rgba[..., 0].numel(), dtype=torch.bool)
        silhouettes[slice(None) if inside is None else inside.long()] = True
        assert item.hull is not None
        train = len(item.train)
        values = {
            "images": composite(rgba.numpy()),
            "silhouettes": np.packbits(silhouettes.numpy()),
            "hull": np.packbits(item.hull.numpy().reshape(-1)),
            "bounds": item.bounds.numpy(),
            "camera_to_world": cameras.camera_to_world.numpy(),
            "focal": cameras.focal.numpy(),
            "center": cameras.center.numpy(),
        }
        arrays |= {f"{number}/{key}": value for key, value in values.items()}
    words = {
        "family": collection.config["family"],
        "train": train,
        "hull": settings.hull,
        **{name: asdict(getattr(settings, name)) for name in ("sampler", "final_sampler")},
        "stage2": [asdict(phase) for phase in settings.stage2],
    }
    arrays["settings"] = np.frombuffer(json.dumps(words).encode(), np.uint8)
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    size = out.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"error: {out} has {size / 1e6:.0f} MB, more than {LIMIT / 1e6:.0f}: pack fewer objects")
    return size


def unpack(path: Path) -> Packed:
    """Read the file."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    settings = json.loads(arrays.pop("settings").tobytes())
    tensors: dict[str, Tensor] = {}
    code: dict[str, Tensor] = {}
    objects: dict[int, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        place, _, key = name.partition("/")
        kept = {"shared": tensors, "code": code}
        into = kept[place] if place in kept else objects.setdefault(int(place), {})
        into[key] = torch.from_numpy(array)
    side = settings["hull"]
    for each in objects.values():
        each["images"] = each["images"].permute(0, 3, 1, 2).contiguous()
        views, _, height, width = each["images"].shape
        each["hull"] = _bits(each["hull"], side**3).view(side, side, side)
        seen = _bits(each.pop("silhouettes"), views * height * width)[: settings["train"] * height * width]
        inside = seen.nonzero().squeeze(1).to(torch.int32)
        each["numbers"], each["copies"] = pixels_to_draw(each["images"][: settings["train"]], inside)
    return Packed(settings, tensors, code, [objects[number] for number in sorted(objects)])


def _bits(packed: Tensor, count: int) -> Tensor:
    return torch.from_numpy(np.unpackbits(packed.numpy(), count=count))
