"""How a surface answers the light: what is put behind vtk's own physically based shading, in GLSL.

vtk mirrors the surroundings in everything and ends with a power of 2.2 in place of sRGB. From the quantities that it
has prepared (albedo, roughness, metallic, irradiance, prefilteredSpecularColor, ..) the colour is made anew here.
"""

from __future__ import annotations

from manyfields.views.mesh_renderer.light import Light

OPAQUE_FROM = 0.98  # what lets less than this through has a depth, and hides all behind it

_HOOK = "//VTK::Light::Impl"
_TO_SRGB = """
  vec3 seen = clamp(shown, 0.0, 1.0);
  fragOutput0.rgb = mix(12.92 * seen, 1.055 * pow(max(seen, vec3(1e-6)), vec3(1.0 / 2.4)) - 0.055,
                        step(vec3(0.0031308), seen));
"""
# a metal: all that it mirrors, multiple scattering included (Fdez-Aguera 2019, as vtk does)
_METAL = """
  vec3 mirrored = albedo + (max(vec3(1.0 - roughness), albedo) - albedo) * pow(1.0 - NdV, 5.0);
  vec3 once = mirrored * brdf.r + brdf.g;
  float rest = 1.0 - (brdf.r + brdf.g);
  vec3 average = albedo + (1.0 - albedo) / 21.0;
  vec3 again = rest * once * average / max(1.0 - average * rest, vec3(1e-5));
  vec3 metal = once * prefilteredSpecularColor + again * irradiance;
"""
# a smooth dielectric shows the lamp and nothing else; rougher than 0.9, not even that
_STUDIO = """
  vec3 lamp = normalize(vec3(-0.45, 0.70, 0.55));  // right, up, front: as in mesh_light.py
  float toLamp = exp((dot(worldReflect, lamp) - 1.0) / (0.03 + 0.1 * roughness));
  float gloss = max(1.0 - roughness / 0.9, 0.0);
  float glint = 0.3 * gloss * gloss * toLamp;
  vec3 shown = mix(albedo * irradiance + glint, metal, metallic) + emissiveColor;
"""
_MIRRORING = """
  vec3 shown = color;
"""
_FLAT = """
  vec3 shown = albedo + emissiveColor;
"""
ALL = ""
ONLY_OPAQUE = f"  if (opacity < {OPAQUE_FROM}) discard;\n  fragOutput0.a = 1.0;\n"
ONLY_TRANSLUCENT = f"  if (opacity >= {OPAQUE_FROM}) discard;\n"


def cut_out(cutoff: float) -> str:
    """Keeps what has at least the alpha `cutoff`, and makes it opaque."""
    return f"  if (opacity < {cutoff:.6f}) discard;\n  fragOutput0.a = 1.0;\n"


def shade(actor: object, light: Light, keep: str = ALL, vertex_alpha: bool = False, unlit: bool = False) -> None:
    """Have `actor` shaded under `light`, unless it is `unlit`; `keep` says which of its fragments are drawn."""
    colour = _FLAT if light.unlit or unlit else _MIRRORING if light.mirrored else _METAL + _STUDIO
    alpha = "  opacity *= vertexColorVSOutput.a;\n  fragOutput0.a = opacity;\n" if vertex_alpha else ""
    code = f"{_HOOK}\n{alpha}{keep}{colour}{_TO_SRGB}"
    actor.GetShaderProperty().AddFragmentShaderReplacement(_HOOK, False, code, False)  # type: ignore[attr-defined]
