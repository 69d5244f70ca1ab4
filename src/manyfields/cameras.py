"""Cameras, poses and rays: the only place where axis conventions live.

Our convention is OpenGL's: camera x right, y up, looking along -z; poses are camera-to-world; world z is up. Pixels
have their centres at +0.5, so pixel (column 0, row 0) is looked through at (0.5, 0.5); rows count downwards. Focal
lengths and centres are in pixels. OpenCV and COLMAP cameras have x right, y down, and look along +z.

Shapes: V views, R rays (R = H*W, row-major), N points; `*batch` is any number of leading dimensions.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

CAMERA_ANGLE_X = 0.6911112
"""Horizontal field of view of the NeRF-synthetic renders and of ours, in radians."""
CAMERA_RADIUS = 2.7
"""Distance from our cameras to the object's centre; the object lies within the unit sphere."""


@dataclass(frozen=True)
class Rays:
    """`origins` and unit-length `directions` in world coordinates, one pair a ray."""

    origins: Float[Tensor, "*batch R 3"]
    directions: Float[Tensor, "*batch R 3"]


@dataclass(frozen=True)
class Cameras:
    """Pinhole cameras with one image size. All tensors are float32 on one device.

    camera_to_world: OpenGL camera-to-world poses; focal: (fx, fy) and center: (cx, cy) in pixels.

    >>> cameras = orbit(8, width=40, height=30)
    >>> len(cameras), cameras[0].shape, cameras.rays().origins.shape
    (8, torch.Size([]), torch.Size([8, 1200, 3]))
    >>> cameras.resized(20, 15).width
    20
    """

    camera_to_world: Float[Tensor, "*batch 4 4"]
    focal: Float[Tensor, "*batch 2"]
    center: Float[Tensor, "*batch 2"]
    width: int
    height: int

    @property
    def shape(self) -> torch.Size:
        """The batch dimensions, e.g. (V,)."""
        return self.camera_to_world.shape[:-2]

    @property
    def device(self) -> torch.device:
        return self.camera_to_world.device

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a single camera has no length")
        return self.shape[0]

    def __getitem__(self, index: int | slice | list[int] | Tensor | None) -> "Cameras":
        """Pick along the first batch dimension; an int drops that dimension, None adds one before it."""
        if not self.shape:
            raise TypeError("a single camera cannot be indexed")
        picked = torch.as_tensor(index, dtype=torch.long) if isinstance(index, list) else index
        return replace(
            self, camera_to_world=self.camera_to_world[picked], focal=self.focal[picked], center=self.center[picked]
        )

    def to(self, device: torch.device | str) -> "Cameras":
        return replace(
            self,
            camera_to_world=self.camera_to_world.to(device),
            focal=self.focal.to(device),
            center=self.center.to(device),
        )

    def resized(self, width: int, height: int) -> "Cameras":
        """The same field of view on another pixel grid."""
        scale = self.focal.new_tensor([width / self.width, height / self.height])
        return replace(self, focal=self.focal * scale, center=self.center * scale, width=width, height=height)

    def cropped(self, left: int, top: int, width: int, height: int) -> "Cameras":
        """The window of `width` x `height` pixels whose first column is `left` and first row is `top`."""
        return replace(self, center=self.center - self.center.new_tensor([left, top]), width=width, height=height)

    def transformed(self, matrix: Float[Tensor, "4 4"]) -> "Cameras":
        """The same cameras in another world: `matrix` is a similarity (rotation * scale, translation) old to new.

        The scale goes to the positions and the poses stay rigid, so a moved point keeps its pixel.
        """
        similarity = matrix.to(self.device, torch.float64)
        scale = torch.linalg.det(similarity[:3, :3]).abs() ** (1 / 3)
        pose = similarity @ self.camera_to_world.double()
        pose = torch.cat([torch.cat([pose[..., :3, :3] / scale, pose[..., :3, 3:]], -1), pose[..., 3:, :]], -2)
        return replace(self, camera_to_world=pose.to(self.camera_to_world.dtype))

    def rays(self) -> Rays:
        """One ray through the centre of every pixel, row by row: R = height * width."""
        columns = torch.arange(self.width, device=self.device, dtype=self.focal.dtype) + 0.5
        rows = torch.arange(self.height, device=self.device, dtype=self.focal.dtype) + 0.5
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        return self.rays_through(torch.stack([x, y], -1).reshape(-1, 2).expand(*self.shape, -1, 2))

    def rays_through(self, pixels: Float[Tensor, "*batch R 2"]) -> Rays:
        """Rays through pixel positions (x, y), where a pixel's centre is at +0.5."""
        plane = (pixels - self.center[..., None, :]) / self.focal[..., None, :]
        local = torch.stack([plane[..., 0], -plane[..., 1], -torch.ones_like(plane[..., 0])], -1)
        directions = _product(local, self.camera_to_world[..., :3, :3].transpose(-1, -2))
        origins = self.camera_to_world[..., None, :3, 3].expand_as(directions)
        return Rays(origins, torch.nn.functional.normalize(directions, dim=-1))

    def rays_of(self, views: Int[Tensor, " R"], pixels: Float[Tensor, "R 2"]) -> Rays:
        """One ray for each pixel position, through the camera of its own view, for cameras of shape (V,)."""
        rays = self[views].rays_through(pixels.unsqueeze(1))
        return Rays(rays.origins.squeeze(1), rays.directions.squeeze(1))

    def project(
        self, points: Float[Tensor, "*batch N 3"]
    ) -> tuple[Float[Tensor, "*batch N 2"], Float[Tensor, "*batch N"]]:
        """World points to pixel positions (x, y) and their depth, the distance along the camera's -z.

        Where depth <= 0 the point is behind the camera and its pixel position means nothing.
        """
        local = _product(points - self.camera_to_world[..., None, :3, 3], self.camera_to_world[..., :3, :3])
        depth = -local[..., 2]
        plane = torch.stack([local[..., 0], -local[..., 1]], -1) / depth[..., None]
        return plane * self.focal[..., None, :] + self.center[..., None, :], depth


def _product(rows: Tensor, matrix: Tensor) -> Tensor:
    """A matrix product that autocast does not round to 16 bits: that would move a ray by more than a pixel."""
    with torch.autocast(rows.device.type, enabled=False):
        return rows @ matrix


def stack(cameras: list[Cameras]) -> Cameras:
    """Stack cameras of one image size and batch shape along a new first dimension. Raises ValueError otherwise."""
    sizes = {(camera.width, camera.height) for camera in cameras}
    if len(sizes) != 1:
        raise ValueError(f"only cameras of one image size can be stacked, not {sorted(sizes)}")
    return replace(
        cameras[0],
        camera_to_world=torch.stack([camera.camera_to_world for camera in cameras]),
        focal=torch.stack([camera.focal for camera in cameras]),
        center=torch.stack([camera.center for camera in cameras]),
    )


def look_at(
    position: Float[Tensor, "*batch 3"],
    target: Float[Tensor, "*batch 3"] | tuple[float, float, float] = (0.0, 0.0, 0.0),
    up: tuple[float, float, float] = (0.0, 0.0, 1.0),
) -> Float[Tensor, "*batch 4 4"]:
    """Camera-to-world poses at `position` that look at `target` with `up` upwards in the image.

    Where the line of sight runs along `up`, world y takes its place (or x, where `up` is y).
    """
    backward = torch.nn.functional.normalize(position - torch.as_tensor(target).to(position), dim=-1)
    up_axis = torch.nn.functional.normalize(torch.tensor(up).to(position), dim=-1)
    spare = torch.tensor((1.0, 0.0, 0.0) if abs(up_axis[1]) > 0.9 else (0.0, 1.0, 0.0)).to(position)
    along = (backward @ up_axis).abs()[..., None] > 1 - 1e-6
    right = torch.linalg.cross(torch.where(along, spare, up_axis).expand_as(backward), backward)
    right = torch.nn.functional.normalize(right, dim=-1)
    upward = torch.linalg.cross(backward, right)
    top = torch.stack([right, upward, backward, position], -1)
    bottom = position.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*position.shape[:-1], 1, 4)
    return torch.cat([top, bottom], -2)


def orbit(
    count: int,
    radius: float = CAMERA_RADIUS,
    elevation: float = 25.0,
    width: int = 128,
    height: int = 128,
    angle_x: float = CAMERA_ANGLE_X,
) -> Cameras:
    """`count` cameras evenly round the z axis, `elevation` degrees above the ground, all looking at the origin."""
    azimuth = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)
    height_angle = math.radians(elevation)
    ring = math.cos(height_angle) * torch.stack([azimuth.cos(), azimuth.sin(), torch.zeros_like(azimuth)], -1)
    position = radius * (ring + torch.tensor([0.0, 0.0, math.sin(height_angle)], dtype=torch.float64))
    focal = focal_from_angle(angle_x, width)
    return Cameras(
        camera_to_world=look_at(position).float(),
        focal=torch.full((count, 2), focal),
        center=torch.tensor([width / 2, height / 2]).expand(count, 2).clone(),
        width=width,
        height=height,
    )


def focal_from_angle(angle: float, pixels: int) -> float:
    """The focal length in pixels of a field of view of `angle` radians across `pixels` pixels."""
    return 0.5 * pixels / math.tan(0.5 * angle)


def _flip_y_and_z(camera_to_world: Tensor) -> Tensor:
    return camera_to_world * torch.tensor([1.0, -1.0, -1.0, 1.0]).to(camera_to_world)


def from_opencv(camera_to_world: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """OpenCV camera-to-world poses (y down, looking along +z) in our axes."""
    return _flip_y_and_z(camera_to_world)


def to_opencv(camera_to_world: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Our camera-to-world poses in OpenCV's axes."""
    return _flip_y_and_z(camera_to_world)


def from_colmap(
    quaternion: Float[Tensor, "*batch 4"], translation: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 4 4"]:
    """COLMAP's world-to-camera pose, a quaternion (w, x, y, z) and a translation, as our camera-to-world."""
    w, x, y, z = torch.nn.functional.normalize(quaternion, dim=-1).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    world_to_camera = torch.stack([torch.stack(row, -1) for row in rows], -2)
    camera_to_world = world_to_camera.transpose(-1, -2)
    position = -(camera_to_world @ translation[..., None])
    bottom = translation.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*translation.shape[:-1], 1, 4)
    return from_opencv(torch.cat([torch.cat([camera_to_world, position], -1), bottom], -2))


def to_colmap(
    camera_to_world: Float[Tensor, "*batch 4 4"],
) -> tuple[Float[Tensor, "*batch 4"], Float[Tensor, "*batch 3"]]:
    """Our camera-to-world as COLMAP's world-to-camera quaternion (w, x, y, z; w >= 0) and translation."""
    pose = to_opencv(camera_to_world)
    r = pose[..., :3, :3].transpose(-1, -2)
    translation = -(r @ pose[..., :3, 3:])[..., 0]
    xx, yy, zz = r[..., 0, 0], r[..., 1, 1], r[..., 2, 2]
    wx, wy, wz = r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]
    xy, xz, yz = r[..., 0, 1] + r[..., 1, 0], r[..., 0, 2] + r[..., 2, 0], r[..., 1, 2] + r[..., 2, 1]
    # Row i holds 4 * q_i * q: every row is the quaternion up to scale; the longest one is the well-conditioned one.
    rows = [
        torch.stack([1 + xx + yy + zz, wx, wy, wz], -1),
        torch.stack([wx, 1 + xx - yy - zz, xy, xz], -1),
        torch.stack([wy, xy, 1 - xx + yy - zz, yz], -1),
        torch.stack([wz, xz, yz, 1 - xx - yy + zz], -1),
    ]
    outer = torch.stack(rows, -2)
    longest = outer.diagonal(dim1=-2, dim2=-1).argmax(-1)
    quaternion = torch.take_along_dim(outer, longest[..., None, None], -2)[..., 0, :]
    quaternion = torch.nn.functional.normalize(quaternion, dim=-1)
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion), translation
