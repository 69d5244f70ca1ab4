"""Which extensions of glTF are understood, and what is said of the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from manyfields.errors import MeshError

UNDERSTOOD = frozenset({
    "KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression", "KHR_mesh_quantization",
    "EXT_mesh_gpu_instancing", "KHR_node_visibility",
    "KHR_texture_transform", "KHR_texture_basisu", "EXT_texture_webp", "EXT_texture_avif",
    "KHR_materials_unlit", "KHR_materials_emissive_strength", "KHR_materials_pbrSpecularGlossiness",
})  # fmt: skip

# Looks that a material has on top of what is rendered: `materials` says which of them it leaves out.
LOOKS = {
    "KHR_materials_transmission": "transmission",
    "KHR_materials_diffuse_transmission": "diffuse transmission",
    "KHR_materials_volume": "absorption within its volume",
    "KHR_materials_volume_scatter": "scattering within its volume",
    "KHR_materials_clearcoat": "clear coat",
    "KHR_materials_sheen": "sheen",
    "KHR_materials_specular": "specular colour",
    "KHR_materials_ior": "index of refraction",
    "KHR_materials_iridescence": "iridescence",
    "KHR_materials_anisotropy": "anisotropy",
    "KHR_materials_dispersion": "dispersion",
}

# These change nothing in a picture of the object at rest under our own light.
_WITHOUT_EFFECT = frozenset({
    "KHR_lights_punctual", "EXT_lights_image_based", "EXT_lights_ies", "KHR_animation_pointer", "KHR_xmp",
    "KHR_xmp_json_ld",
    "KHR_node_selectability", "KHR_node_hoverability", "KHR_interactivity", "KHR_audio_emitter", "KHR_implicit_shapes",
    "KHR_physics_rigid_bodies", "MSFT_lod", "MSFT_screencoverage", "MSFT_packing_normalRoughnessMetallic",
    "MSFT_packing_occlusionRoughnessMetallic", "EXT_mesh_features", "EXT_structural_metadata", "EXT_instance_features",
    "EXT_mesh_manifold", "AGI_articulations", "AGI_stk_metadata", "KHR_materials_variants", "MSFT_texture_dds",
})  # fmt: skip


def judge(path: Path, document: dict[str, Any], remarks: list[str]) -> None:
    """Add remarks on what is left out. Raises MeshError where the file cannot be understood without it."""
    known = UNDERSTOOD | LOOKS.keys() | _WITHOUT_EFFECT
    required = sorted(set(document.get("extensionsRequired", [])) - known)
    if required:
        raise MeshError(f"{path}: requires {', '.join(required)}, which is not understood; export it without")
    others = sorted(set(document.get("extensionsUsed", [])) - known)
    if others:
        remarks.append(f"what {', '.join(others)} {'adds' if len(others) == 1 else 'add'} is left out")
    if document.get("animations"):
        remarks.append("it is animated; rendered at rest")
    if variants := document.get("extensions", {}).get("KHR_materials_variants", {}).get("variants"):
        remarks.append(f"it has {len(variants)} variants of materials; the default ones are rendered")
