"""Materials of OBJ files (Alias Wavefront's MTL, and the PBR keys that others have added to it).

Kd is taken as sRGB. A texture of colours stands in place of Kd, as programs that write such files mean it: they leave
Kd at some grey.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from manyfields.views.mesh import Material, TextureSampler, srgb_to_linear
from manyfields.views.mesh_files import texture_beside

_LENGTHS = {
    "-blendu": 1, "-blendv": 1, "-boost": 1, "-bm": 1, "-cc": 1, "-clamp": 1, "-imfchan": 1, "-mm": 2, "-texres": 1,
    "-type": 1, "-halo": 0,
}  # fmt: skip
_UP_TO_THREE = ("-o", "-s", "-t")
_NOT_DRAWN = ("map_bump", "bump", "norm", "disp", "decal", "map_pr", "map_pm")


@dataclass(frozen=True)
class Look:
    """A material, and how it moves texture coordinates [u, v], v up: times `scale`, plus `shift`.

    `plain` is what faces without texture coordinates show.
    """

    material: Material
    plain: Material
    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass
class _Entry:
    """What a file says of one material, in lower-case keys."""

    folder: Path
    values: dict[str, str] = field(default_factory=dict)


def read_materials(files: list[Path], remarks: list[str]) -> dict[str, Look]:
    """Looks by name, of several MTL files; the first that has a name wins. What was not understood is remarked."""
    entries: dict[str, _Entry] = {}
    for file in files:
        current: _Entry | None = None
        try:
            data = file.read_bytes()
        except OSError as error:
            remarks.append(f"its materials {file.name} cannot be read ({error.strerror or error})")
            continue
        for line in text_lines(data):
            key, _, rest = line.replace("\t", " ").strip().partition(" ")
            if key.lower() == "newmtl":
                current = _Entry(file.parent)
                entries.setdefault(rest.strip(), current)
            elif key and not key.startswith("#") and current is not None:
                current.values[key.lower()] = rest.strip()
    return {name: _look(name, entry, remarks) for name, entry in entries.items()}


def text_lines(data: bytes) -> list[str]:
    """Lines of a text file, whatever wrote it; those that end in a backslash go on in the next."""
    return [decoded(line) for line in byte_lines(data)]


def decoded(words: bytes) -> str:
    """Names as UTF-8, or, where they are none, as Western programs for Windows wrote them before."""
    try:
        return words.decode("utf-8")
    except UnicodeDecodeError:
        return words.decode("latin-1")


def byte_lines(data: bytes) -> list[bytes]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = data.decode("utf-16", "replace").encode()
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\\" in data:
        data = data.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ")
    return data.splitlines()


def _look(name: str, entry: _Entry, remarks: list[str]) -> Look:
    owner = f"material {name}"
    red, green, blue = srgb_to_linear(np.array(_color(entry, "kd", owner, remarks) or (1.0, 1.0, 1.0))).tolist()
    alpha = _alpha(entry, owner, remarks)
    material = plain = Material(base_color=(red, green, blue, alpha), alpha_mode="BLEND" if alpha < 1 else "OPAQUE")
    file, options = _texture_name(entry.values.get("map_kd", ""))
    image = texture_beside(entry.folder, file, owner, remarks) if file else None
    if image is not None:
        material = replace(material, base_color=(1.0, 1.0, 1.0, alpha), base_image=image[..., :3])
    cut = _alpha_image(entry, owner, remarks)
    if cut is not None:
        if image is None:
            options = _texture_name(entry.values.get("map_d") or entry.values["map_tr"])[1]
        material = replace(material, base_image=_with_alpha(material, cut), base_color=(1.0, 1.0, 1.0, alpha))
        material = replace(material, alpha_mode="BLEND")
    unused = [key for key in _NOT_DRAWN if _texture_name(entry.values.get(key, ""))[0]]
    if unused:
        remarks.append(f"{owner}: {', '.join(unused)} is not drawn")
    if options.get("-clamp", ["off"])[0].lower() == "on":
        material = replace(material, samplers={"base": TextureSampler(("clamp", "clamp"))})
    scale, shift = (_pair(options.get(option, []), rest) for option, rest in (("-s", 1.0), ("-o", 0.0)))
    lit = _lit(material, entry, owner, remarks)
    plain = replace(plain, emissive=lit.emissive, roughness=lit.roughness, metallic=lit.metallic)
    return Look(lit, plain, scale, shift)


def _lit(material: Material, entry: _Entry, owner: str, remarks: list[str]) -> Material:
    """With what it emits, and the PBR keys Pr and Pm."""
    emitted = _color(entry, "ke", owner, remarks)
    if emitted is not None:
        red, green, blue = srgb_to_linear(np.array(emitted)).tolist()
        material = replace(material, emissive=(red, green, blue))
    file = _texture_name(entry.values.get("map_ke", ""))[0]
    if file and (image := texture_beside(entry.folder, file, owner, remarks)) is not None:
        factor = material.emissive if any(material.emissive) else (1.0, 1.0, 1.0)
        material = replace(material, emissive=factor, emissive_image=image[..., :3])
    rough, metallic = _number(entry, "pr", owner, remarks), _number(entry, "pm", owner, remarks)
    return replace(
        material,
        roughness=material.roughness if rough is None else min(max(rough, 0.0), 1.0),
        metallic=material.metallic if metallic is None else min(max(metallic, 0.0), 1.0),
    )


def _alpha(entry: _Entry, owner: str, remarks: list[str]) -> float:
    """`d`, or one less `Tr`, which some programs write as if it were `d`."""
    solid, through = _number(entry, "d", owner, remarks), _number(entry, "tr", owner, remarks)
    if solid is None and through is not None:
        solid = 1 - through
        if solid <= 0:
            remarks.append(f"{owner}: Tr {through:g} would make it invisible; taken for opaque")
            solid = 1.0
    if solid is None:
        return 1.0
    if solid <= 0:
        if "map_d" in entry.values:
            return 1.0
        remarks.append(f"{owner}: is invisible (d {solid:g})")
    return min(max(solid, 0.0), 1.0)


def _alpha_image(entry: _Entry, owner: str, remarks: list[str]) -> np.ndarray | None:
    """What `map_d` (or `map_Tr`, turned round) says, uint8 [H, W]: its alpha, where it has one, else its grey."""
    for key in ("map_d", "map_tr"):
        file, options = _texture_name(entry.values.get(key, ""))
        if not file:
            continue
        image = texture_beside(entry.folder, file, owner, remarks)
        if image is None:
            return None
        channel = options.get("-imfchan", ["m" if image.shape[-1] == 4 and (image[..., 3] < 255).any() else "l"])[0]
        if channel in ("r", "g", "b"):
            values = image[..., "rgb".index(channel)]
        elif channel == "m" and image.shape[-1] == 4:
            values = image[..., 3]
        else:
            values = np.rint(image[..., :3] @ np.array([0.2126, 0.7152, 0.0722])).astype(np.uint8)
        return 255 - values if key == "map_tr" else values
    return None


def _with_alpha(material: Material, alpha: np.ndarray) -> np.ndarray:
    """The colours of a material and `alpha` [H, W] as one image of the larger's size."""
    from PIL import Image

    from manyfields.views.mesh import linear_to_srgb

    color = material.base_image
    if color is None:
        flat = np.rint(255 * linear_to_srgb(np.array(material.base_color[:3]))).astype(np.uint8)
        color = np.broadcast_to(flat, (*alpha.shape, 3))
    height, width = (max(sides) for sides in zip(color.shape[:2], alpha.shape, strict=True))
    sized = [
        np.asarray(Image.fromarray(np.ascontiguousarray(image)).resize((width, height), Image.Resampling.BILINEAR))
        for image in (color, alpha)
    ]
    return np.dstack(sized)


def _texture_name(words: str) -> tuple[str, dict[str, list[str]]]:
    """The file that a `map_..` line names, spaces in it included, and the options before it."""
    options: dict[str, list[str]] = {}
    rest = words.strip()
    while rest.startswith("-"):
        option, _, after = rest.partition(" ")
        option = option.lower()
        values: list[str] = []
        if option in _UP_TO_THREE:
            while len(values) < 3 and _is_number(after.split(" ", 1)[0]):
                value, _, after = after.partition(" ")
                values.append(value)
                after = after.lstrip()
        elif option in _LENGTHS:
            for _ in range(_LENGTHS[option]):
                value, _, after = after.lstrip().partition(" ")
                values.append(value)
        else:
            break  # a file's name that begins with a dash
        options[option] = values
        rest = after.lstrip()
    return ("" if rest.strip('"') in ("", ".") else rest), options


def _pair(values: list[str], rest: float) -> tuple[float, float]:
    """The first two of one to three numbers."""
    u, v = ([float(value) for value in values] + [rest, rest])[:2]
    return u, v


def _color(entry: _Entry, key: str, owner: str, remarks: list[str]) -> tuple[float, float, float] | None:
    words = entry.values.get(key, "").split("#")[0].split()
    if not words:
        return None
    if len(words) in (1, 3) and all(_is_number(word) for word in words):
        red, green, blue = (min(max(float(word), 0.0), 1.0) for word in (words * 3)[:3])
        return red, green, blue
    remarks.append(f"{owner}: {key.capitalize()} {' '.join(words)[:40]} is not understood")
    return None


def _number(entry: _Entry, key: str, owner: str, remarks: list[str]) -> float | None:
    words = [word for word in entry.values.get(key, "").split("#")[0].split() if word.lower() not in _LENGTHS]
    if not words:
        return None
    if _is_number(words[0]):
        return float(words[0])
    remarks.append(f"{owner}: {key} {words[0][:40]} is not a number")
    return None


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False
