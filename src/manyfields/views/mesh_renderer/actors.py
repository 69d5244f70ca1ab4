"""Surfaces as what vtk draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.util.vtkConstants import VTK_FLOAT, VTK_UNSIGNED_CHAR
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkPolyDataNormals, vtkPolyDataTangents
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkTexture

from manyfields.views.mesh import Material, Surface, TextureSampler, linear_to_srgb, srgb_to_linear
from manyfields.views.mesh_renderer.coordinates import add_coordinates, array_name, lay, set_sampler, upward
from manyfields.views.mesh_renderer.light import Light
from manyfields.views.mesh_renderer.shading import ALL, ONLY_OPAQUE, ONLY_TRANSLUCENT, OPAQUE_FROM, cut_out, shade
from manyfields.views.mesh_renderer.textures import by_sharpness, coverage, reduced, reductions

_ROLES = ("base", "metallic_roughness", "emissive", "normal")
_VTK_GAMMA = 2.2  # vtk takes vertex colours, and only those, as this power of the linear ones


@dataclass(frozen=True)
class Drawn:
    """An actor, and whether it is drawn among what one can see through."""

    actor: Any
    translucent: bool


def actors(surface: Surface, light: Light, density: float) -> list[Drawn]:
    """The actors of a surface, with `density` samples of the picture along a unit of the world.

    Where a BLEND material is opaque in places and translucent in others these are two: what one cannot see through has
    to be drawn before, or it would have no depth.
    """
    data = _shaded_data(surface)
    image = surface.material.base_image
    if surface.uv is None or image is None:
        return _of_part(surface, data, light, density)
    groups = by_sharpness(surface.vertices, surface.faces, surface.uv, image.shape[:2], density)
    if len(groups) == 1:
        return _of_part(surface, data, light, density)
    drawn = []
    for group in groups:
        part = replace(surface, faces=surface.faces[group])
        drawn += _of_part(part, _with_faces(data, group), light, density)
    return drawn


def _of_part(surface: Surface, data: Any, light: Light, density: float) -> list[Drawn]:
    """Those of a surface, or of some of its faces, that see its textures at one size."""
    surface = _within_edges(surface)
    material = surface.material
    textures = _textures(surface, density)
    alphas = _alphas(surface, textures.get("base"))
    by_vertex = "base" in textures and surface.colors is not None and material.alpha_mode != "OPAQUE"
    if material.alpha_mode == "MASK":
        parts = [(cut_out(material.alpha_cutoff), False)]
    elif material.alpha_mode != "BLEND" or alphas[0] >= OPAQUE_FROM:
        parts = [(ALL, False)]
    elif alphas[1] < OPAQUE_FROM:
        parts = [(ALL, True)]
    else:
        parts = [(ONLY_OPAQUE, False), (ONLY_TRANSLUCENT, True)]
    found = []
    for keep, translucent in parts:
        actor = _actor(surface, data, textures)
        shade(actor, light, keep, by_vertex, material.unlit)
        actor.SetForceOpaque(not translucent)
        actor.SetForceTranslucent(translucent)
        found.append(Drawn(actor, translucent))
    return found


def _within_edges(surface: Surface) -> Surface:
    """Textures that no coordinate leaves end at their edges, or those would show half a texel of the opposite ones."""
    if surface.uv is None:
        return surface
    samplers = dict(surface.material.samplers)
    for role in _ROLES:
        used = surface.own_uv.get(role, surface.uv)[surface.faces]
        if used.size and used.min() >= 0 and used.max() <= 1:
            samplers[role] = replace(samplers.get(role, TextureSampler()), wrap=("clamp", "clamp"))
    return replace(surface, material=replace(surface.material, samplers=samplers))


def image_data(pixels: np.ndarray) -> Any:
    """An image of uint8 or float32 [H, W, C]; vtk keeps row 0 at the bottom."""
    height, width, channels = pixels.shape
    image = vtkImageData()
    image.SetDimensions(width, height, 1)
    flat = np.ascontiguousarray(pixels[::-1]).reshape(-1, channels)
    kind = VTK_UNSIGNED_CHAR if pixels.dtype == np.uint8 else VTK_FLOAT
    image.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True, array_type=kind))
    return image


def _texture(pixels: np.ndarray, srgb: bool, sampler: TextureSampler) -> Any:
    texture = vtkTexture()
    if pixels.shape[1] == 1:  # vtk takes an image of one column for one that lies in another plane
        pixels = pixels.repeat(2, axis=1)
    texture.SetInputData(image_data(pixels))
    texture.SetColorModeToDirectScalars()
    texture.SetUseSRGBColorSpace(srgb)
    texture.MipmapOff()
    texture.RepeatOn()
    set_sampler(texture, sampler)
    return texture


def _textures(surface: Surface, density: float) -> dict[str, np.ndarray]:
    """The images of a surface by what they are for, as sharp as the picture needs them."""
    material = surface.material
    if surface.uv is None:
        return {}
    images: dict[str, np.ndarray] = {}
    if material.base_image is not None:
        images["base"] = _base_image(material)
    if material.metallic_roughness_image is not None:
        images["metallic_roughness"] = material.metallic_roughness_image[..., :3]
    if material.emissive_image is not None:
        images["emissive"] = material.emissive_image[..., :3]
    if material.normal_image is not None:
        images["normal"] = material.normal_image[..., :3]
    covered: dict[tuple[str, tuple[int, int]], np.ndarray | None] = {}
    for name, image in images.items():
        uv, key = surface.own_uv.get(name, surface.uv), (name if name in surface.own_uv else "", image.shape[:2])
        if key not in covered:
            covered[key] = coverage(uv, surface.faces, image.shape[:2])
        times = reductions(surface.vertices, surface.faces, uv, image.shape[:2], density)
        images[name] = reduced(image, times, covered[key])
    return images


def _base_image(material: Material) -> np.ndarray:
    """The base colour texture times the base colour factor (linear), with alpha unless it is opaque."""
    image = material.base_image
    assert image is not None
    factor = np.array(material.base_color)
    color = image[..., :3]
    if (factor[:3] != 1).any():
        levels = linear_to_srgb(srgb_to_linear(np.arange(256) / 255)[:, None] * factor[:3])
        table = np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)
        color = np.stack([table[color[..., i], i] for i in range(3)], axis=-1)
    if material.alpha_mode == "OPAQUE" or (image.shape[-1] == 3 and factor[3] >= 1):
        return color
    alpha = image[..., 3] / 255 * factor[3] if image.shape[-1] == 4 else np.full(image.shape[:2], factor[3])
    return np.concatenate([color, np.rint(np.clip(alpha, 0, 1) * 255).astype(np.uint8)[..., None]], axis=-1)


def _alphas(surface: Surface, base: np.ndarray | None) -> tuple[float, float]:
    """Smallest and largest alpha that the surface can have anywhere."""
    low = high = 1.0
    if base is None:
        low = high = surface.material.base_color[3]
    elif base.shape[-1] == 4:
        low, high = base[..., 3].min() / 255, base[..., 3].max() / 255
    if surface.colors is not None:
        low, high = low * float(surface.colors[:, 3].min()), high * float(surface.colors[:, 3].max())
    return low, high


def _shaded_data(surface: Surface) -> Any:
    data = _poly_data(surface)
    if surface.normals is None:
        normals = vtkPolyDataNormals()
        normals.SetInputData(data)
        normals.SetFeatureAngle(0 if surface.flat else 35)
        normals.ConsistencyOff()
        normals.Update()
        data = normals.GetOutput()
    if surface.uv is not None and surface.material.normal_image is not None:
        data = _with_tangents(data, surface)
    return data


def _with_tangents(data: Any, surface: Surface) -> Any:
    """Along the coordinates of the normal texture, which may not be those of the others."""
    attributes = data.GetPointData()
    others = attributes.GetTCoords()
    if "normal" in surface.own_uv:
        attributes.SetTCoords(attributes.GetArray(array_name("normal")))
    tangents = vtkPolyDataTangents()
    tangents.SetInputData(data)
    tangents.Update()
    found = tangents.GetOutput()
    found.GetPointData().SetTCoords(others)
    return found


def _actor(surface: Surface, data: Any, textures: dict[str, np.ndarray]) -> Any:
    material = surface.material
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    actor = vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.SetInterpolationToPBR()
    look.SetMetallic(material.metallic)
    look.SetRoughness(material.roughness)
    look.SetEmissiveFactor(*material.emissive)
    if "base" not in textures:
        look.SetColor(*material.base_color[:3])
        look.SetOpacity(1.0 if material.alpha_mode == "OPAQUE" else material.base_color[3])
    if surface.colors is not None:
        mapper.SetColorModeToDirectScalars()
        mapper.ScalarVisibilityOn()
    else:
        mapper.ScalarVisibilityOff()
    put = {
        "base": look.SetBaseColorTexture,
        "metallic_roughness": look.SetORMTexture,
        "emissive": look.SetEmissiveTexture,
        "normal": look.SetNormalTexture,
    }
    for role, pixels in textures.items():
        sampler = material.samplers.get(role, TextureSampler())
        put[role](_texture(pixels, role in ("base", "emissive"), sampler))
    look.SetNormalScale(material.normal_scale)
    look.SetOcclusionStrength(0.0)  # vtk would read it from the red of metal and roughness, where glTF has none
    lay(actor, mapper, surface, list(textures))
    return actor


def _with_faces(data: Any, chosen: np.ndarray) -> Any:
    """Some of the triangles of vtk's data, with all of its vertices."""
    faces = vtk_to_numpy(data.GetPolys().GetConnectivityArray()).reshape(-1, 3)[chosen]
    part = vtkPolyData()
    part.ShallowCopy(data)
    part.SetPolys(_cells(faces))
    return part


def _cells(faces: np.ndarray) -> Any:
    cells = vtkCellArray()
    cells.SetData(3, numpy_to_vtkIdTypeArray(np.ascontiguousarray(faces.reshape(-1), dtype=np.int64), deep=True))
    return cells


def _poly_data(surface: Surface) -> Any:
    data = vtkPolyData()
    points = vtkPoints()
    points.SetData(numpy_to_vtk(surface.vertices.astype(np.float32), deep=True))
    data.SetPoints(points)
    data.SetPolys(_cells(surface.faces))
    attributes = data.GetPointData()
    if surface.normals is not None:
        attributes.SetNormals(numpy_to_vtk(surface.normals.astype(np.float32), deep=True))
    if surface.uv is not None:
        coordinates = numpy_to_vtk(upward(surface.uv), deep=True)
        coordinates.SetName("uv")  # by its name it outlives the tangents, which may be those of other coordinates
        attributes.SetTCoords(coordinates)
        add_coordinates(data, surface)
    if surface.colors is not None:
        attributes.SetScalars(numpy_to_vtk(_vertex_colors(surface), deep=True))
    return data


def _vertex_colors(surface: Surface) -> np.ndarray:
    """Times the base colour, unless that is in the texture already; vtk's own encoding, uint8 [N, 4]."""
    assert surface.colors is not None
    colors = surface.colors.copy()
    if surface.material.base_image is None or surface.uv is None:
        colors[:, :3] *= np.array(surface.material.base_color[:3], dtype=np.float32)
    if surface.material.alpha_mode == "OPAQUE":
        colors[:, 3] = 1
    colors = np.clip(colors, 0, 1)
    colors[:, :3] **= 1 / _VTK_GAMMA
    return np.rint(colors * 255).astype(np.uint8)
