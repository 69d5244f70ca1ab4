"""Materials of a glTF file: metallic-roughness, and what extensions say, as far as it can be rendered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from manyfields.views.gltf.extensions import LOOKS
from manyfields.views.gltf.textures import Placement, Texture, Textures
from manyfields.views.mesh import Material, TextureSampler

_CLEAREST = 0.15  # opacity of what transmits all light: its reflections, and enough to be learned from pictures
_UNSEEN = 0.03  # what lets less than this through is opaque
_WITHOUT_EFFECT: dict[str, dict[str, Any]] = {  # an extension whose values are these changes nothing
    "KHR_materials_transmission": {"transmissionFactor": 0},
    "KHR_materials_diffuse_transmission": {"diffuseTransmissionFactor": 0},
    "KHR_materials_volume": {"thicknessFactor": 0},
    "KHR_materials_volume_scatter": {"multiscatterColor": [0, 0, 0]},
    "KHR_materials_clearcoat": {"clearcoatFactor": 0},
    "KHR_materials_sheen": {"sheenColorFactor": [0, 0, 0]},
    "KHR_materials_specular": {"specularFactor": 1, "specularColorFactor": [1, 1, 1]},
    "KHR_materials_ior": {"ior": 1.5},
    "KHR_materials_iridescence": {"iridescenceFactor": 0},
    "KHR_materials_anisotropy": {"anisotropyStrength": 0},
    "KHR_materials_dispersion": {"dispersion": 0},
}


class Materials:
    """Reads the materials of one document: each with the placement of each of its textures."""

    def __init__(self, textures: Textures) -> None:
        self.textures, self.document = textures, textures.document
        self._read: dict[int, tuple[Material, dict[str, Placement]]] = {}
        self._notes: dict[str, list[str]] = {}  # what is said of which materials

    def get(self, index: int | None) -> tuple[Material, dict[str, Placement]]:
        """The material, and which coordinates its textures take. Raises MeshError."""
        if index is None:
            return Material(metallic=0.0, roughness=0.9), {}
        if index not in self._read:
            entry = self.document["materials"][index]
            self._read[index] = self._material(entry, repr(entry.get("name") or index))
        return self._read[index]

    def notes(self) -> list[str]:
        """One remark for all materials that it holds of."""
        return [
            f"{what} (material {', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''})"
            for what, names in self._notes.items()
        ]

    def _material(self, entry: dict[str, Any], name: str) -> tuple[Material, dict[str, Placement]]:
        extensions = entry.get("extensions", {})
        base, specular = entry.get("pbrMetallicRoughness", {}), extensions.get("KHR_materials_pbrSpecularGlossiness")
        if specular is not None and not _says_more(base, specular):
            material, textures = self._specular(specular, name)
        else:
            material, textures = self._metallic(base)
        strength = extensions.get("KHR_materials_emissive_strength", {}).get("emissiveStrength", 1.0)
        r, g, b = (float(value) * strength for value in entry.get("emissiveFactor", (0, 0, 0)))
        normal = entry.get("normalTexture")
        textures["normal"] = self.textures.optional(normal, "normal")
        unlit = "KHR_materials_unlit" in extensions
        if unlit:
            r = g = b = 0.0  # it shows its base colour and nothing else
        if r or g or b:
            textures["emissive"] = self.textures.optional(entry.get("emissiveTexture"), "emissive")
            if "emissiveTexture" in entry and textures["emissive"] is None:
                r = g = b = 0.0  # or all of it would shine
        mode = entry.get("alphaMode", "OPAQUE")
        material = replace(
            material,
            normal_scale=float((normal or {}).get("scale", 1.0)),
            emissive=(r, g, b),
            alpha_mode=mode if mode in ("MASK", "BLEND") else "OPAQUE",
            alpha_cutoff=float(entry.get("alphaCutoff", 0.5)),
            unlit=unlit,
        )
        found = {role: texture for role, texture in textures.items() if texture is not None}
        if "KHR_materials_transmission" in extensions and not material.unlit:
            material = self._transmitting(material, found, extensions["KHR_materials_transmission"], name)
        self._note_what_is_left_out(extensions, name)
        material = replace(
            material,
            **{f"{role}_image": texture.image for role, texture in found.items()},  # type: ignore[arg-type]
            samplers={role: texture.sampler for role, texture in found.items() if texture.sampler != TextureSampler()},
        )
        return material, {role: texture.placement for role, texture in found.items()}

    def _metallic(self, base: dict[str, Any]) -> tuple[Material, dict[str, Texture | None]]:
        where = base.get("metallicRoughnessTexture")
        packed = self.textures.optional(where, "metallic-roughness")
        lost = where is not None and packed is None  # then the factors alone would make all of it metal
        material = Material(
            base_color=_rgba(base.get("baseColorFactor", (1, 1, 1, 1))),
            metallic=0.0 if lost else float(base.get("metallicFactor", 1.0)),
            roughness=float(base.get("roughnessFactor", 1.0)),
        )
        return material, {"base": self.textures.needed(base.get("baseColorTexture")), "metallic_roughness": packed}

    def _specular(self, entry: dict[str, Any], name: str) -> tuple[Material, dict[str, Texture | None]]:
        """KHR_materials_pbrSpecularGlossiness: diffuse as base colour; next to no diffuse colour is a metal."""
        diffuse = _rgba(entry.get("diffuseFactor", (1, 1, 1, 1)))
        specular = tuple(float(value) for value in entry.get("specularFactor", (1, 1, 1)))
        glossiness = float(entry.get("glossinessFactor", 1.0))
        base = self.textures.needed(entry.get("diffuseTexture"))
        gloss = self.textures.optional(entry.get("specularGlossinessTexture"), "specular-glossiness")
        is_metal = base is None and gloss is None and max(diffuse[:3]) < 0.04 and min(specular) > 0.2
        if is_metal:
            r, g, b = specular
            return Material(base_color=(r, g, b, diffuse[3]), metallic=1.0, roughness=1 - glossiness), {}
        material = Material(base_color=diffuse, metallic=0.0, roughness=1 - glossiness)
        if gloss is None:
            return material, {"base": base}
        self._notes.setdefault("specular colours of a specular-glossiness texture left out", []).append(name)
        has_alpha = gloss.image.shape[-1] == 4
        shine = gloss.image[..., 3] / 255 if has_alpha else np.ones(gloss.image.shape[:2])
        packed = np.zeros((*gloss.image.shape[:2], 3), np.uint8)
        packed[..., 1] = np.rint(255 * (1 - glossiness * shine))
        return replace(material, roughness=1.0, metallic=0.0), {
            "base": base,
            "metallic_roughness": replace(gloss, image=packed),
        }

    def _transmitting(
        self, material: Material, found: dict[str, Texture], entry: dict[str, Any], name: str
    ) -> Material:
        """What lets light through is rendered as transparent, in its own colour, without refraction.

        The rougher it is, the less of what is behind can be made out, and the more opaque it is rendered.
        """
        factor = float(entry.get("transmissionFactor", 0.0))
        mask = self.textures.optional(entry.get("transmissionTexture"), "transmission") if factor > 0 else None
        if factor <= 0 or (mask is not None and not mask.image[..., 0].any()):
            return material
        roughness = material.roughness
        if "metallic_roughness" in found:
            roughness *= float(found["metallic_roughness"].image[..., 1].mean()) / 255
        clearness = (1 - _CLEAREST) * factor * max(1 - roughness, 0) ** 2
        if clearness < _UNSEEN:
            self._notes.setdefault("transmission of a rough surface rendered as opaque", []).append(name)
            return material
        self._notes.setdefault("transmission rendered as plain transparency", []).append(name)
        base = found.get("base")
        opaque = material.alpha_mode == "OPAQUE"
        if mask is not None and (base is None or base.placement == mask.placement):
            color = base.image if base is not None else np.full((1, 1, 3), 255, np.uint8)
            color, through = _of_one_size(color, mask.image[..., 0] / 255)
            alpha = color[..., 3] / 255 if color.shape[-1] == 4 and not opaque else np.ones(color.shape[:2])
            alpha = np.rint(255 * alpha * (1 - clearness * through)).astype(np.uint8)
            found["base"] = replace(base or mask, image=np.concatenate([color[..., :3], alpha[..., None]], axis=-1))
        elif base is not None and opaque:
            found["base"] = replace(base, image=base.image[..., :3])
        r, g, b, a = material.base_color
        a = 1.0 if opaque else a
        if mask is None:
            a *= 1 - clearness
        elif base is not None and base.placement != mask.placement:
            a *= 1 - clearness * float(mask.image[..., 0].mean()) / 255
        return replace(material, alpha_mode="BLEND", base_color=(r, g, b, a))

    def _note_what_is_left_out(self, extensions: dict[str, Any], name: str) -> None:
        for extension, look in LOOKS.items():
            values = extensions.get(extension)
            if values is None or extension == "KHR_materials_transmission":
                continue
            textured = extension == "KHR_materials_specular" and any(key.endswith("Texture") for key in values)
            if textured or any(values.get(key, usual) != usual for key, usual in _WITHOUT_EFFECT[extension].items()):
                self._notes.setdefault(f"{look} left out", []).append(name)


def _says_more(base: dict[str, Any], specular: dict[str, Any]) -> bool:
    """Whether a metallic-roughness material is no bare stand-in for the specular-glossiness one."""
    return "baseColorTexture" in base or ("baseColorFactor" in base and "diffuseTexture" not in specular)


def _rgba(values: Any) -> tuple[float, float, float, float]:
    r, g, b, a = (float(value) for value in values)
    return r, g, b, a


def _of_one_size(color: np.ndarray, through: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both repeated, texel by texel, to the larger height and width."""
    height, width = (max(color.shape[i], through.shape[i]) for i in range(2))

    def grown(image: np.ndarray) -> np.ndarray:
        rows = np.arange(height) * image.shape[0] // height
        columns = np.arange(width) * image.shape[1] // width
        return image[rows][:, columns]

    return grown(color), grown(through)
