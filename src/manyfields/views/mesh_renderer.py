"""Pictures of one mesh with vtk, without display or GPU.

Physically based materials under a soft studio made in code (an image-based light, so that metals are not black). Every
picture is rendered at four times its size without antialiasing and box-filtered with premultiplied alpha.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers what draws; `import vtk` would load ten times as much)
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.util.vtkConstants import VTK_FLOAT, VTK_UNSIGNED_CHAR
from vtkmodules.vtkCommonCore import vtkFloatArray, vtkObject, vtkPoints, vtkUnsignedCharArray
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData
from vtkmodules.vtkFiltersCore import vtkPolyDataNormals, vtkPolyDataTangents
from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper, vtkRenderer, vtkRenderWindow, vtkTexture

from manyfields.views.meshes import Material, Mesh, Surface, linear_to_srgb, srgb_to_linear
from manyfields.views.viewpoints import CAMERA_ANGLE_X

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERSAMPLING = 4
NEAR, FAR = 1.7, 3.7  # of cameras at radius 2.7 around the unit sphere
DEPTH_UNIT = 1e-4  # depth images are 16 bit, in ten-thousandths of a world unit
_LARGEST_TEXTURE = 1024
_VTK_GAMMA = 2.2  # vtk takes vertex colours, and only those, as this power of the linear ones


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what C++ libraries print on stderr nowhere: vtk announces every missing X server there."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


class MeshRenderer:
    """One off-screen window, reused for any number of meshes and views. Not to be shared between threads.

    >>> pictures = MeshRenderer(128)
    >>> pictures.show(read_mesh(Path("chair.glb")))          # doctest: +SKIP
    >>> rgba, depth = pictures.render(camera_to_world)       # doctest: +SKIP
    """

    def __init__(self, size: int = 128, camera_angle_x: float = CAMERA_ANGLE_X) -> None:
        self.size = size
        self._pixels = size * SUPERSAMPLING
        vtkObject.GlobalWarningDisplayOff()
        self._renderer: Any = vtkRenderer()
        self._renderer.SetBackground(0, 0, 0)
        self._renderer.SetBackgroundAlpha(0.0)
        self._renderer.AutomaticLightCreationOff()
        self._renderer.SetUseDepthPeeling(1)
        self._renderer.SetMaximumNumberOfPeels(8)
        self._light()
        with quiet_stderr():
            self._window = vtkRenderWindow()
            self._window.SetOffScreenRendering(1)
            self._window.SetMultiSamples(0)
            self._window.SetAlphaBitPlanes(1)
            self._window.SetSize(self._pixels, self._pixels)
            self._window.AddRenderer(self._renderer)
        camera = self._renderer.GetActiveCamera()
        camera.SetViewAngle(float(np.rad2deg(camera_angle_x)))  # square pictures: the vertical angle is the horizontal
        camera.SetClippingRange(NEAR, FAR)
        grid = (np.arange(self._pixels) + 0.5) / self._pixels * 2 - 1
        slope = grid * np.tan(camera_angle_x / 2)
        self._ray_length = np.sqrt(1 + slope[None, :] ** 2 + slope[:, None] ** 2)  # along the ray per unit along -z

    def show(self, mesh: Mesh) -> None:
        """Take `mesh` in place of what was shown before."""
        self._renderer.RemoveAllViewProps()
        for surface in mesh.surfaces:
            self._renderer.AddActor(_actor(surface))

    def render(self, camera_to_world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One view from a 4x4 OpenGL camera-to-world matrix.

        Returns RGBA uint8 [H, W, 4] (sRGB, straight alpha, RGB = 0 where alpha = 0) and depth float32 [H, W]: distance
        from the camera along the pixel's ray to the first opaque surface, 0 where there is none, sampled within an
        eighth of a pixel of the pixel's centre.
        """
        camera = self._renderer.GetActiveCamera()
        position, up = camera_to_world[:3, 3], camera_to_world[:3, 1]
        camera.SetPosition(*position)
        camera.SetFocalPoint(*(position - camera_to_world[:3, 2]))
        camera.SetViewUp(*up)
        camera.SetClippingRange(NEAR, FAR)
        with quiet_stderr():
            self._window.Render()
        last, samples = self._pixels - 1, SUPERSAMPLING
        raw = vtkUnsignedCharArray()
        self._window.GetRGBACharPixelData(0, 0, last, last, 0, raw, 0)
        large = vtk_to_numpy(raw).reshape(self._pixels, self._pixels, 4)[::-1]
        rgba = straight_alpha(large, samples)
        buffer = vtkFloatArray()
        self._window.GetZbufferData(0, 0, last, last, buffer)
        z = vtk_to_numpy(buffer).reshape(self._pixels, self._pixels)[::-1]
        middle = slice(samples // 2, None, samples)
        z, length = z[middle, middle], self._ray_length[middle, middle]
        along_axis = NEAR * FAR / (FAR - z * (FAR - NEAR))
        return rgba, np.where(z < 1, along_axis * length, 0).astype(np.float32)

    def close(self) -> None:
        """Give the window back."""
        self._renderer.RemoveAllViewProps()
        with quiet_stderr():
            self._window.Finalize()

    def _light(self) -> None:
        texture = vtkTexture()
        texture.SetInputData(_image_data(studio(), float))
        texture.SetColorModeToDirectScalars()
        texture.MipmapOn()
        texture.InterpolateOn()
        self._renderer.UseImageBasedLightingOn()
        self._renderer.SetEnvironmentTexture(texture, False)
        self._renderer.SetEnvironmentUp(0, 0, 1)
        self._renderer.SetEnvironmentRight(1, 0, 0)
        prefiltered = self._renderer.GetEnvMapPrefiltered()
        prefiltered.SetPrefilterLevels(5)
        prefiltered.SetPrefilterMaxSamples(128)


def straight_alpha(large: np.ndarray, samples: int) -> np.ndarray:
    """Box-filter premultiplied uint8 RGBA [H*s, W*s, 4] by `samples` = s to straight-alpha RGBA [H, W, 4]."""
    height, width = large.shape[0] // samples, large.shape[1] // samples
    rows = large.reshape(height, samples, -1).sum(1, dtype=np.uint16)
    total = rows.reshape(height, width, samples, 4).sum(2, dtype=np.uint16).astype(np.float32)
    alpha = total[..., 3:]
    color = np.divide(total[..., :3] * 255, alpha, out=np.zeros_like(total[..., :3]), where=alpha > 0)
    result = np.concatenate([np.minimum(color, 255), alpha / samples**2], axis=-1)
    result = np.rint(result).astype(np.uint8)
    result[result[..., 3] == 0] = 0
    return result


def studio(height: int = 64) -> np.ndarray:
    """The light: a linear RGB panorama float32 [H, 2H, 3], white sky over a grey floor and one wide soft lamp."""
    elevation = (0.5 - (np.arange(height) + 0.5) / height) * np.pi
    azimuth = ((np.arange(2 * height) + 0.5) / height - 1) * np.pi
    up = np.sin(elevation)[:, None]
    sky = 0.60 + 0.45 * up
    lamp_at = np.array([-0.45, -0.55, 0.70])
    toward = (
        np.cos(elevation)[:, None] * (np.cos(azimuth)[None] * lamp_at[0] + np.sin(azimuth)[None] * lamp_at[1])
        + up * lamp_at[2]
    )
    lamp = 0.5 * np.exp((toward - 1) / 0.12)
    tint = np.array([1.0, 1.0, 1.0])
    return ((sky + lamp)[..., None] * tint).astype(np.float32)


def _image_data(pixels: np.ndarray, kind: type) -> Any:
    """vtk keeps row 0 at the bottom."""
    height, width, channels = pixels.shape
    image = vtkImageData()
    image.SetDimensions(width, height, 1)
    flat = np.ascontiguousarray(pixels[::-1]).reshape(-1, channels)
    array = numpy_to_vtk(flat, deep=True, array_type=VTK_FLOAT if kind is float else VTK_UNSIGNED_CHAR)
    image.GetPointData().SetScalars(array)
    return image


def _texture(pixels: np.ndarray, srgb: bool) -> Any:
    while max(pixels.shape[:2]) > _LARGEST_TEXTURE:
        even = pixels[: pixels.shape[0] // 2 * 2, : pixels.shape[1] // 2 * 2].astype(np.uint16)
        pixels = ((even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2] + 2) // 4).astype(np.uint8)
    texture = vtkTexture()
    texture.SetInputData(_image_data(pixels, int))
    texture.SetColorModeToDirectScalars()
    texture.SetUseSRGBColorSpace(srgb)
    texture.InterpolateOn()
    texture.MipmapOn()
    texture.RepeatOn()
    return texture


def _base_image(material: Material) -> np.ndarray:
    """The base colour texture times the base colour factor (linear), alpha as the alpha mode says."""
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
    if material.alpha_mode == "MASK":
        alpha = alpha >= material.alpha_cutoff
    return np.concatenate([color, np.rint(alpha * 255).astype(np.uint8)[..., None]], axis=-1)


def _actor(surface: Surface) -> Any:
    material = surface.material
    data = _poly_data(surface)
    textured = surface.uv is not None and material.base_image is not None
    if surface.normals is None:
        normals = vtkPolyDataNormals()
        normals.SetInputData(data)
        normals.SetFeatureAngle(35)
        normals.ConsistencyOff()
        normals.Update()
        data = normals.GetOutput()
    if surface.uv is not None and material.normal_image is not None:
        tangents = vtkPolyDataTangents()
        tangents.SetInputData(data)
        tangents.Update()
        data = tangents.GetOutput()
    mapper = vtkPolyDataMapper()
    mapper.SetInputData(data)
    actor = vtkActor()
    actor.SetMapper(mapper)
    look = actor.GetProperty()
    look.SetInterpolationToPBR()
    look.SetMetallic(material.metallic)
    look.SetRoughness(material.roughness)
    look.SetEmissiveFactor(*material.emissive)
    opacity = 1.0
    if not textured:
        look.SetColor(*material.base_color[:3])
        if material.alpha_mode == "BLEND":
            opacity = material.base_color[3]
        elif material.alpha_mode == "MASK":
            opacity = float(material.base_color[3] >= material.alpha_cutoff)
    look.SetOpacity(opacity)
    if surface.colors is not None:
        mapper.SetColorModeToDirectScalars()
        mapper.ScalarVisibilityOn()
    else:
        mapper.ScalarVisibilityOff()
    if surface.uv is None:
        return actor
    if textured:
        pixels = _base_image(material)
        look.SetBaseColorTexture(_texture(pixels, srgb=True))
        actor.SetForceOpaque(pixels.shape[-1] == 3)
        actor.SetForceTranslucent(pixels.shape[-1] == 4 and bool((pixels[..., 3] < 255).any()))
    if material.metallic_roughness_image is not None:
        packed = material.metallic_roughness_image[..., :3].copy()
        packed[..., 0] = 255  # vtk reads red as occlusion
        look.SetORMTexture(_texture(packed, srgb=False))
    if material.emissive_image is not None:
        look.SetEmissiveTexture(_texture(material.emissive_image[..., :3], srgb=True))
    if material.normal_image is not None:
        look.SetNormalTexture(_texture(material.normal_image[..., :3], srgb=False))
    return actor


def _poly_data(surface: Surface) -> Any:
    data = vtkPolyData()
    points = vtkPoints()
    points.SetData(numpy_to_vtk(surface.vertices.astype(np.float32), deep=True))
    data.SetPoints(points)
    cells = vtkCellArray()
    cells.SetData(3, numpy_to_vtkIdTypeArray(np.ascontiguousarray(surface.faces.reshape(-1)), deep=True))
    data.SetPolys(cells)
    attributes = data.GetPointData()
    if surface.normals is not None:
        attributes.SetNormals(numpy_to_vtk(surface.normals.astype(np.float32), deep=True))
    if surface.uv is not None:
        up = np.stack([surface.uv[:, 0], 1 - surface.uv[:, 1]], axis=1)  # vtk counts v from the bottom
        attributes.SetTCoords(numpy_to_vtk(up.astype(np.float32), deep=True))
    if surface.colors is not None:
        colors = surface.colors.copy()
        if surface.material.base_image is None or surface.uv is None:
            colors *= np.array(surface.material.base_color, dtype=np.float32)
        if surface.material.alpha_mode != "BLEND":
            colors[:, 3] = 1
        colors = np.clip(colors, 0, 1)
        colors[:, :3] **= 1 / _VTK_GAMMA
        attributes.SetScalars(numpy_to_vtk(np.rint(colors * 255).astype(np.uint8), deep=True))
    return data
