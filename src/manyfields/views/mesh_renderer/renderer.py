"""Pictures of one mesh with vtk, without display or GPU.

Physically based materials under a soft studio, or another light (`light.py`). Every picture is rendered at four
times its size without antialiasing and box-filtered with premultiplied alpha.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import vtkmodules.vtkRenderingOpenGL2  # noqa: F401  (registers what draws; `import vtk` would load ten times as much)
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkFloatArray, vtkObject, vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkTexture

from manyfields.views.mesh import Mesh
from manyfields.views.mesh_renderer.actors import Drawn, actors, image_data
from manyfields.views.mesh_renderer.light import STUDIO, Light, read_light
from manyfields.views.meshes import FARTHEST
from manyfields.views.viewpoints import CAMERA_ANGLE_X

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPERSAMPLING = 4
NEAR, FAR = 1.7, 3.7  # of cameras at radius 2.7 around the unit sphere
DEPTH_UNIT = 1e-4  # depth images are 16 bit, in ten-thousandths of a world unit
_DISTANCE = 2.7  # of the cameras
_SOLID = 250  # alpha, of 255, of pixels that must have a depth


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

    def __init__(
        self, size: int = 128, camera_angle_x: float = CAMERA_ANGLE_X, light: Light | str | Path = STUDIO
    ) -> None:
        """`light`: "studio", "flat", a Radiance file (.hdr), or a light that was read. Raises ConfigError."""
        self.size = size
        self.light = light if isinstance(light, Light) else read_light(light)
        self._pixels = size * SUPERSAMPLING
        vtkObject.GlobalWarningDisplayOff()
        self._renderer: Any = vtkRenderer()
        self._renderer.SetBackground(0, 0, 0)
        self._renderer.SetBackgroundAlpha(0.0)
        self._renderer.AutomaticLightCreationOff()
        self._renderer.SetUseDepthPeeling(1)
        self._renderer.SetMaximumNumberOfPeels(8)
        self._drawn: list[Drawn] = []
        self._surround(self.light.panorama)
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
        nearest = (_DISTANCE - FARTHEST) * np.tan(camera_angle_x / 2) * 2  # what a picture's width is there
        self._density = self._pixels / nearest
        self._ray_length = np.sqrt(1 + slope[None, :] ** 2 + slope[:, None] ** 2)  # along the ray per unit along -z

    def show(self, mesh: Mesh) -> None:
        """Take `mesh` in place of what was shown before."""
        self._renderer.RemoveAllViewProps()
        self._drawn = [drawn for surface in mesh.surfaces for drawn in actors(surface, self.light, self._density)]
        for drawn in self._drawn:
            self._renderer.AddActor(drawn.actor)

    def render(self, camera_to_world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One view from a 4x4 OpenGL camera-to-world matrix.

        Returns RGBA uint8 [H, W, 4] (sRGB, straight alpha, RGB = 0 where alpha = 0) and depth float32 [H, W]: distance
        from the camera along the pixel's ray to the first opaque surface (or, where surfaces that one can see through
        are opaque together, to the first of these), 0 where there is none, sampled within an eighth of a pixel of the
        pixel's centre.
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
        depth = self._depth()
        piled = (rgba[..., 3] >= _SOLID) & (depth == 0)
        if piled.any():
            depth = np.where(piled, self._depth_of_all(), depth)
        return rgba, depth

    def close(self) -> None:
        """Give the window back."""
        self._renderer.RemoveAllViewProps()
        with quiet_stderr():
            self._window.Finalize()

    def _depth(self) -> np.ndarray:
        """What the window's depth buffer holds, as distances along rays."""
        last = self._pixels - 1
        buffer = vtkFloatArray()
        self._window.GetZbufferData(0, 0, last, last, buffer)
        z = vtk_to_numpy(buffer).reshape(self._pixels, self._pixels)[::-1]
        middle = slice(SUPERSAMPLING // 2, None, SUPERSAMPLING)
        z, length = z[middle, middle], self._ray_length[middle, middle]
        along_axis = NEAR * FAR / (FAR - z * (FAR - NEAR))
        return np.where(z < 1, along_axis * length, 0).astype(np.float32)

    def _depth_of_all(self) -> np.ndarray:
        """The same with surfaces that one can see through drawn as if they were opaque."""
        through = [drawn.actor for drawn in self._drawn if drawn.translucent]
        for actor in through:
            actor.SetForceOpaque(True)
            actor.SetForceTranslucent(False)
        with quiet_stderr():
            self._window.Render()
        depth = self._depth()
        for actor in through:
            actor.SetForceOpaque(False)
            actor.SetForceTranslucent(True)
        return depth

    def _surround(self, panorama: np.ndarray) -> None:
        texture = vtkTexture()
        texture.SetInputData(image_data(panorama))
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
        table = self._renderer.GetEnvMapLookupTable()
        table.SetLUTSize(128)  # vtk's own (512, 1024 samples) takes a second of a core to make and looks the same
        table.SetLUTSamples(256)


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
