"""How textures are laid on: coordinates of their own for each, and what is beyond their edges.

vtk's shader looks all textures of a surface up at one place, and its textures go on in the same way along u and v.
Where a surface has more than that, coordinates travel as vertex attributes of their own, and each look-up is rewritten.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonDataModel import vtkDataObject
from vtkmodules.vtkRenderingCore import vtkTexture

from manyfields.views.mesh import Surface, TextureSampler

_VTK_NAMES = {
    "base": "albedoTex",
    "metallic_roughness": "materialTex",
    "emissive": "emissiveTex",
    "normal": "normalTex",
}
_WRAPS = {"repeat": vtkTexture.Repeat, "clamp": vtkTexture.ClampToEdge, "mirror": vtkTexture.MirroredRepeat}


def upward(uv: np.ndarray) -> np.ndarray:
    """Coordinates [N, 2] with v up, as vtk counts it."""
    return np.stack([uv[:, 0], 1 - uv[:, 1]], axis=1).astype(np.float32)


def add_coordinates(data: Any, surface: Surface) -> None:
    """Give `data` the coordinates of textures that have their own."""
    for role, uv in surface.own_uv.items():
        array = numpy_to_vtk(upward(uv), deep=True)
        array.SetName(array_name(role))
        data.GetPointData().AddArray(array)


def set_sampler(texture: Any, sampler: TextureSampler) -> None:
    """What vtk can do of it: the same along u and v."""
    texture.SetInterpolate(sampler.smooth)
    if sampler.wrap[0] == sampler.wrap[1]:
        texture.SetWrap(_WRAPS[sampler.wrap[0]])


def lay(actor: Any, mapper: Any, surface: Surface, roles: list[str]) -> None:
    """Have `actor` look each of its textures (`roles`) up where it belongs."""
    shader = actor.GetShaderProperty()
    entering, passing, arriving = "", "", ""
    for role in roles:
        place = "tcoordVCVSOutput"
        if role in surface.own_uv:
            name = array_name(role)
            place = f"{name}Output"
            mapper.MapDataArrayToVertexAttribute(name, name, vtkDataObject.FIELD_ASSOCIATION_POINTS, -1)
            entering += f"in vec2 {name};\nout vec2 {place};\n"
            passing += f"{place} = {name};\n"
            arriving += f"in vec2 {place};\n"
        texture = _VTK_NAMES[role]
        at = _wrapped(place, texture, surface.material.samplers.get(role, TextureSampler()))
        if at != "tcoordVCVSOutput":
            shader.AddFragmentShaderReplacement(
                f"texture({texture}, tcoordVCVSOutput)", False, f"texture({texture}, {at})", True
            )
    if entering:
        shader.AddVertexShaderReplacement("//VTK::TCoord::Dec", True, f"//VTK::TCoord::Dec\n{entering}", False)
        shader.AddVertexShaderReplacement("//VTK::TCoord::Impl", True, f"//VTK::TCoord::Impl\n{passing}", False)
        shader.AddFragmentShaderReplacement("//VTK::TCoord::Dec", True, f"//VTK::TCoord::Dec\n{arriving}", False)


def array_name(role: str) -> str:
    """Of the coordinates that the texture for `role` has for itself."""
    return f"uvOf_{role}"


def _wrapped(place: str, texture: str, sampler: TextureSampler) -> str:
    """The place in a texture that repeats where one that does not, along u and v, would be looked up."""
    if sampler.wrap[0] == sampler.wrap[1]:
        return place
    parts = []
    for axis, wrap in zip("xy", sampler.wrap, strict=True):
        value = f"{place}.{axis}"
        if wrap == "mirror":
            value = f"(1.0 - abs(1.0 - mod({value}, 2.0)))"
        if wrap != "repeat":
            half = f"(0.5 / float(textureSize({texture}, 0).{axis}))"
            value = f"clamp({value}, {half}, 1.0 - {half})"
        parts.append(value)
    return f"vec2({parts[0]}, {parts[1]})"
