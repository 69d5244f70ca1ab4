"""What all vehicles are put together from: wheels, bodies, glass, lights, liveries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manyfields.views.inventory.looks import (
    any_color,
    between,
    bright,
    chance,
    checks,
    filled,
    grey,
    lettering,
    painted,
    pale,
    patterned,
    pick,
    stripes,
)
from manyfields.views.inventory.model import Color, Finish, Model
from manyfields.views.inventory.shapes import (
    Shape,
    box,
    cylinder,
    lathe,
    loft,
    panel,
    part_of,
    rounded_box,
)

GLASS = Finish((0.10, 0.14, 0.18), 0.15)
RUBBER = Finish((0.07, 0.07, 0.08), 0.9)
BLACK = Finish((0.10, 0.10, 0.11), 0.7)
CHROME = Finish((0.78, 0.79, 0.80), 0.3, 0.7)
HEADLIGHT = Finish((0.98, 0.96, 0.85), 0.3)
TAILLIGHT = Finish((0.80, 0.06, 0.06), 0.4)
INDICATOR = Finish((0.98, 0.55, 0.08), 0.4)
PLATE = Finish((0.95, 0.95, 0.92), 0.6)


@dataclass(frozen=True)
class Wheels:
    """Where wheels stand and how they look."""

    radius: float
    width: float
    track: float  # distance between the outer sides
    axles: tuple[float, ...]


def add_wheels(model: Model, g: np.random.Generator, wheels: Wheels, rim_color: Color | None = None) -> None:
    r, w = wheels.radius, wheels.width
    rim_share = between(g, 0.55, 0.75)
    tyre = lathe([(r * rim_share, 0), (r * 0.93, 0), (r, w * 0.2), (r, w * 0.8), (r * 0.93, w), (r * rim_share, w)], 24)
    rim = Finish(rim_color or grey(g, 0.5, 0.9), 0.4, 0.4)
    disc = cylinder(r * rim_share, w * 0.85, 24)
    hub = cylinder(r * 0.16, w * 1.02, 10)
    spokes = int(g.integers(0, 4)) * 2 + 3
    style = int(g.integers(3))
    for y in wheels.axles:
        for side in (-1, 1):

            def placed(shape: Shape, side: int = side, y: float = y) -> Shape:
                return shape.turned("y", 90 * side).moved(side * (wheels.track / 2 - w), y, r)

            model.add(placed(tyre), RUBBER)
            model.add(placed(disc), rim if style else BLACK)
            model.add(placed(hub), CHROME)
            for spoke in range(spokes if style != 1 else 0):
                bar = box((r * rim_share * 0.85, r * 0.13, w * 0.1), (r * rim_share * 0.5, 0, w * 0.9))
                model.add(placed(bar.turned("z", 360 * spoke / spokes)), BLACK if style else rim)


def add_arches(model: Model, wheels: Wheels, finish: Finish) -> None:
    for y in wheels.axles:
        arch = cylinder(wheels.radius * 1.16, 0.03, 24).turned("y", 90)
        model.add_pair(arch.moved(wheels.track / 2 - 0.045, y, wheels.radius * 1.02), finish)


def _section(y: float, width: float, bottom: float, top: float, corner: float = 6.0) -> np.ndarray:
    """A cross-section of a body [25, 3], counter-clockwise seen from the rear; u = 0.25 is the middle of the top."""
    angles = np.linspace(0, 2 * np.pi, 25)
    c, s = np.cos(angles), np.sin(angles)
    x = np.sign(c) * np.abs(c) ** (2 / corner) * width / 2
    z = (bottom + top) / 2 + np.sign(s) * np.abs(s) ** (2 / corner) * (top - bottom) / 2
    return np.stack([x, np.full_like(x, y), z], axis=1)


def body(stations: list[tuple[float, float, float, float]], corner: float) -> Shape:
    """A closed skin over (y, width, bottom, top), from front to rear."""
    sections = [_section(y, width, bottom, top, corner) for y, width, bottom, top in stations]
    middle = [np.tile(section.mean(0), (len(section), 1)) for section in (sections[0], sections[-1])]
    skin = loft([middle[0], *sections, middle[1]])
    return Shape(skin.vertices, skin.faces[:, ::-1], skin.uv)


def livery(g: np.random.Generator, paint: Color) -> Finish:
    """Paint along the body: u runs around the section (top at 0.25, sides at 0 and 0.5), v from rear to front."""
    style = int(g.integers(7))
    if style < 3:
        return painted(paint, 0.4)
    second = any_color(g)
    image = filled(paint, 32, 64)
    if style == 3:  # racing stripes over the middle
        image[:, 13:15] = second
        image[:, 17:19] = second
    elif style == 4:  # two-tone: the lower half
        image[:, 32:] = second
        image[:, 0] = image[:, 31] = second
    elif style == 5:  # a line along the sides
        for column in (1, 2, 29, 30):
            image[:, column] = second
    else:  # squares along the sides
        pattern = checks(paint, second, 2, 12, 32)
        image[:, 0:2] = pattern[:, 14:18:2]
        image[:, 29:31] = pattern[:, 14:18:2]
    return patterned(np.repeat(image, 2, axis=0), 0.4)


def add_cabin(
    model: Model, base: tuple[float, float, float], top: tuple[float, float, float], z: tuple[float, float],
    roof: Finish, doors: int,
) -> None:  # fmt: skip
    """Glasshouse on the body: base and top are (front y, rear y, width) at heights z, with windows on its walls."""
    corners = []
    for (front, rear, width), height in ((base, z[0]), (top, z[1])):
        for x, y in ((-1, front), (1, front), (1, rear), (-1, rear)):
            corners.append((x * width / 2, y, height))
    b0, b1, b2, b3, t0, t1, t2, t3 = corners
    rings = []
    for share, shrink in ((0.0, 1.0), (0.85, 1.0), (1.0, 0.93), (1.0, 0.0)):
        points = np.array([b0, b1, b2, b3]) * (1 - share) + np.array([t0, t1, t2, t3]) * share
        points[:, :2] = points[:, :2].mean(0) + (points[:, :2] - points[:, :2].mean(0)) * shrink
        points[:, 2] += 0.03 * (shrink < 0.5)
        rings.append(np.concatenate([points, points[:1]]))
    model.add(loft(rings), roof)
    lower, upper = 0.08, 0.80
    model.add(panel(part_of((b0, b1, t1, t0), 0.06, 0.94, lower, upper)), GLASS)
    model.add(panel(part_of((b2, b3, t3, t2), 0.08, 0.92, lower, upper)), GLASS)
    for wall in ((b1, b2, t2, t1), (b3, b0, t0, t3)):
        edges = np.linspace(0.05, 0.95, doors + 1)
        for left, right in zip(edges[:-1], edges[1:], strict=True):
            model.add(panel(part_of(wall, left + 0.012, right - 0.012, lower, upper)), GLASS)


def add_face(model: Model, g: np.random.Generator, y: float, width: float, low: float, high: float) -> None:
    """Headlights, grille, bumper and plate at the front (y < 0), or lights, bumper and plate at the rear (y > 0)."""
    front = y < 0
    sign = -1 if front else 1
    height = high - low
    lamp = between(g, 0.16, 0.26) * width
    tall = between(g, 0.12, 0.22) * height + 0.04
    z = low + height * between(g, 0.55, 0.68)
    x = width / 2 - lamp * 0.75
    finish = HEADLIGHT if front else TAILLIGHT
    if front and chance(g, 0.4):
        light = cylinder(tall * 0.75, 0.08, 16, 0.02).turned("x", 90).moved(x, y + 0.03, z)
    else:
        light = rounded_box((lamp, 0.08, tall), (x, y, z), 0.03)
    model.add_pair(light, finish)
    if chance(g, 0.5):
        model.add_pair(rounded_box((lamp * 0.6, 0.07, tall * 0.4), (x, y, z - tall * 0.8), 0.02), INDICATOR)
    if front:
        grille = stripes([(0.08, 0.08, 0.08), (0.35, 0.35, 0.36)], int(g.integers(6, 20)))
        grille = grille if chance(g, 0.5) else grille.transpose(1, 0, 2)
        size = (width * between(g, 0.28, 0.5), 0.06, height * between(g, 0.16, 0.3))
        model.add(rounded_box(size, (0, y, z - 0.02), 0.02), patterned(grille, 0.5))
    bumper = pick(g, (CHROME, BLACK, painted(grey(g), 0.6)))
    model.add(rounded_box((width * 0.98, 0.16, height * 0.24), (0, y + sign * 0.01, low + height * 0.14), 0.05), bumper)
    sign_plate = rounded_box((0.42, 0.03, 0.12), (0, y + sign * 0.09, low + height * 0.16), 0.01)
    model.add(sign_plate, patterned(lettering(g, PLATE.color, (0.1, 0.1, 0.15), 5)) if chance(g, 0.4) else PLATE)


def add_mirrors(model: Model, width: float, y: float, z: float, finish: Finish) -> None:
    model.add_pair(rounded_box((0.14, 0.09, 0.11), (width / 2 + 0.07, y, z), 0.03), finish)


def add_extras(model: Model, g: np.random.Generator, roof: tuple[float, float, float, float], paint: Finish) -> None:
    """Things on a roof given as (front y, rear y, width, z)."""
    front, rear, width, z = roof
    middle = (front + rear) / 2
    extra = int(g.integers(8))
    if extra == 0:
        word = lettering(g, (0.98, 0.85, 0.2), (0.1, 0.1, 0.1), 4)
        model.add(rounded_box((width * 0.5, 0.22, 0.16), (0, middle, z + 0.08), 0.03), patterned(word))
    elif extra == 1:
        for side, color in ((-1, (0.1, 0.25, 0.9)), (1, (0.9, 0.1, 0.1))):
            model.add(
                rounded_box((width * 0.3, 0.18, 0.12), (side * width * 0.17, middle, z + 0.07), 0.03),
                painted(color, 0.3),
            )
        model.add(box((width * 0.72, 0.14, 0.05), (0, middle, z + 0.02)), BLACK)
    elif extra in (2, 3):
        length = (rear - front) * 0.8
        model.add_pair(rounded_box((0.05, length, 0.05), (width * 0.4, middle, z + 0.06), 0.02), CHROME)
        for share in (-0.3, 0.3) if extra == 3 else ():
            model.add(rounded_box((width * 0.8, 0.06, 0.05), (0, middle + share * length, z + 0.07), 0.02), BLACK)
            load = painted(any_color(g))
            if share < 0:
                model.add(rounded_box((width * 0.5, length * 0.5, 0.2), (0, middle, z + 0.19), 0.05), load)
    elif extra == 4:
        model.add(box((width * 0.45, (rear - front) * 0.4, 0.015), (0, middle, z + 0.02)), GLASS)
    elif extra == 5:
        model.add(cylinder(0.015, 0.4, 6).moved(width * 0.3, rear - 0.1, z - 0.02), BLACK)


def paint_color(g: np.random.Generator) -> Color:
    return pick(g, (bright, bright, bright, pale, grey, any_color))(g)


def add_windows(
    model: Model, width: float, ends: tuple[float, float], z: tuple[float, float], count: int, gap: float = 0.06
) -> None:
    """Windows along both walls."""
    step = (ends[1] - ends[0]) / count
    for i in range(count):
        y = ends[0] + (i + 0.5) * step
        size = (0.03, step - gap, z[1] - z[0])
        model.add_pair(rounded_box(size, (width / 2, y, sum(z) / 2), 0.02, 1), GLASS)


def side_art(g: np.random.Generator, paint: Color) -> Finish:
    """What is painted on the walls of a box: nothing, bands, a sign, checks or slanted stripes."""
    style, second = int(g.integers(6)), any_color(g)
    image = filled(paint, 48, 96)
    if style == 1:
        low = int(g.integers(20, 40))
        image[low : low + int(g.integers(3, 9))] = second
        image[low - 4 : low - 2] = pick(g, (second, any_color(g)))
    elif style in (2, 3):
        sign = lettering(g, paint, second, int(g.integers(2, 6)), digits=chance(g, 0.3))[:, :90]
        image[10:38, 3 : 3 + sign.shape[1]] = sign
    elif style == 4:
        image[34:42] = checks(paint, second, 16, 8, 96)[34:42]
    elif style == 5:
        image = np.kron(stripes([paint, second], 4, 2, 48), np.ones((1, 2, 1)))
        image[:14] = paint
    return patterned(np.kron(image, np.ones((2, 2, 1))), 0.5)
