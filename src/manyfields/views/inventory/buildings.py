"""Houses, towers and blocks of flats. Front at -y, standing on z = 0."""

from __future__ import annotations

import numpy as np

from manyfields.views.inventory.looks import (
    any_color,
    between,
    bright,
    chance,
    checks,
    filled,
    grey,
    hsv,
    lettering,
    painted,
    pale,
    patterned,
    pick,
    stripes,
    toned,
    wood,
)  # fmt: skip
from manyfields.views.inventory.model import Color, Finish, Model
from manyfields.views.inventory.shapes import Shape, ball, box, cylinder, joined, lathe, panel, rounded_box

PANE = Finish((0.25, 0.38, 0.48), 0.2)


def make_building(g: np.random.Generator) -> Model:
    model = Model()
    pick(g, (_house, _house, _house, _block, _tower, _shop))(model, g)
    _ground(model, g)
    return model


def _ground(model: Model, g: np.random.Generator) -> None:
    ground = pick(g, (hsv(0.28, 0.5, 0.55), (0.6, 0.58, 0.55), hsv(0.11, 0.35, 0.75)))
    if chance(g, 0.6):
        model.add(rounded_box((2.3, 2.1, 0.08), (0, 0, -0.04), 0.03), painted(ground, 0.95))


def _wall(g: np.random.Generator) -> Finish:
    """Plaster, bricks or boards."""
    color, style = pick(g, (pale, pale, any_color, bright))(g), int(g.integers(4))
    if style < 2:
        return painted(color, 0.9)
    if style == 2:
        image, dim = filled(color, 64, 64), toned(color, 0.8)
        for row in range(16):
            image[row * 4] = dim
            image[row * 4 : row * 4 + 4, (row % 2) * 4 :: 8] = dim
        return patterned(np.kron(image, np.ones((2, 2, 1))), 0.9)
    boards = stripes([color, color, color, toned(color, 0.8)], 48)
    return patterned(boards.transpose(1, 0, 2) if chance(g, 0.5) else boards, 0.9)


def _roof_finish(g: np.random.Generator) -> Finish:
    color: Color = pick(g, ((0.62, 0.25, 0.18), (0.35, 0.33, 0.36), (0.5, 0.32, 0.2), (0.25, 0.4, 0.38), bright(g)))
    if chance(g, 0.5):
        return painted(color, 0.9)
    return patterned(checks(color, toned(color, 0.82), 16, 12), 0.9)


def _window(model: Model, x: float, y: float, z: float, size: tuple[float, float], side: int, frame: Finish) -> None:
    """A window with a cross on the wall that faces `side`: 0 front, 1 right, 2 rear, 3 left."""
    width, height = size

    def placed(shape: Shape) -> Shape:
        return shape.turned("z", 90 * side).moved(x, y, z)

    model.add(placed(rounded_box((width, 0.04, height), (0, 0, 0), 0.01, 1)), frame)
    model.add(placed(box((width * 0.82, 0.05, height * 0.84))), PANE)
    model.add(placed(box((width * 0.07, 0.06, height * 0.84))), frame)
    model.add(placed(box((width * 0.82, 0.06, height * 0.06))), frame)
    model.add(placed(box((width * 1.15, 0.1, height * 0.06), (0, -0.03, -height * 0.52))), frame)


def _door(model: Model, g: np.random.Generator, x: float, y: float, height: float) -> None:
    model.add(rounded_box((height * 0.55, 0.06, height), (x, y, height / 2), 0.02), painted(pick(g, (bright, wood))(g)))
    model.add(ball(0.02, 8, 6).moved(x + height * 0.18, y - 0.04, height * 0.45), painted((0.85, 0.7, 0.3), 0.3))
    model.add(box((height * 0.8, 0.18, 0.05), (x, y - 0.08, 0.025)), painted(grey(g), 0.9))


def _windows(
    model: Model, g: np.random.Generator, size: tuple[float, float], floors: int, floor: float, counts: tuple[int, int],
    frame: Finish, first: int = 0,
) -> None:  # fmt: skip
    """Rows of windows on the four walls of a house of `size` (width, depth)."""
    width, depth = size
    w, h = floor * between(g, 0.3, 0.42), floor * between(g, 0.42, 0.58)
    for level in range(floors):
        z = (level + 0.55) * floor
        for side, (span, count) in enumerate(
            ((width, counts[0]), (depth, counts[1]), (width, counts[0]), (depth, counts[1]))
        ):
            if level < first and side == 0:
                continue
            for place in (np.arange(count) + 0.5) / count - 0.5:
                at = place * span
                x, y = ((at, -depth / 2), (width / 2, at), (-at, depth / 2), (-width / 2, -at))[side]
                _window(model, x, y, z, (min(w, span / count * 0.7), h), side, frame)


def _pitched(width: float, depth: float, z: float, rise: float, over: float, hip: float) -> tuple[Shape, list[Shape]]:
    """Two gable triangles and the slopes of a roof with its ridge along x; `hip` draws the ridge's ends in."""
    w, d = width / 2, depth / 2
    r = w * (1 - hip)
    gables = [
        panel([(s * w, -s * d, z), (s * w, s * d, z), (s * r, 0, z + rise), (s * r, 0, z + rise - 1e-4)], lift=0.0)
        for s in (1, -1)
    ]
    W, D, drop, t = w + over, d + over, rise * over / d, 0.05
    ridge = W * (1 - hip)
    slopes = []
    for s in (1, -1):
        corners = [
            (-s * W, -s * D, z - drop),
            (s * W, -s * D, z - drop),
            (s * ridge, 0, z + rise),
            (-s * ridge, 0, z + rise),
        ]
        upper = panel([(x, y, h + t) for x, y, h in corners], lift=0.0)
        under = panel(corners[::-1], lift=0.0)
        edges = []
        for i in range(4):
            low = np.array([corners[i], corners[(i + 1) % 4]])
            edges.append(panel(np.concatenate([low, low[::-1] + (0, 0, t)]), lift=0.0))
        slopes += [upper, under, *edges]
        if hip:
            eaves = [(s * W, -s * D, z - drop + t), (s * W, s * D, z - drop + t)]
            tip = z + rise + t
            slopes.append(panel([*eaves, (s * ridge, 0, tip), (s * ridge, 0, tip - 1e-4)], lift=0.0))
    return joined(gables), slopes


def _house(model: Model, g: np.random.Generator) -> None:
    width, depth, floors = between(g, 1.1, 1.9), between(g, 0.9, 1.4), int(g.integers(1, 4))
    floor = between(g, 0.5, 0.62)
    height, wall = floor * floors, _wall(g)
    frame = painted(pick(g, (pale, any_color))(g), 0.7)
    model.add(box((width, depth, height), (0, 0, height / 2)), wall)
    columns = (int(g.integers(2, 4)), int(g.integers(1, 3)))
    _windows(model, g, (width, depth), floors, floor, columns, frame, first=1)
    at = pick(g, (-0.25, 0.0, 0.25)) * width
    _door(model, g, at, -depth / 2, floor * 0.72)
    others = [x for x in (-0.32, 0.0, 0.32) if abs(x * width - at) > 0.3]
    for x in others:
        _window(model, x * width, -depth / 2, floor * 0.55, (floor * 0.4, floor * 0.42), 0, frame)
    rise, hip = between(g, 0.3, 0.9), pick(g, (0.0, 0.0, 0.45))
    gables, slopes = _pitched(width, depth, height, rise, between(g, 0.06, 0.16), hip)
    roof = _roof_finish(g)
    if not hip:
        model.add(gables, wall)
    for slope in slopes:
        model.add(slope, roof)
    if chance(g, 0.7):
        brick = painted((0.6, 0.32, 0.25), 0.9)
        x = pick(g, (-0.28, 0.28)) * width
        model.add(box((0.16, 0.16, rise + 0.2), (x, depth * 0.18, height + rise * 0.6)), brick)
        model.add(box((0.2, 0.2, 0.05), (x, depth * 0.18, height + rise * 1.1 + 0.1)), painted(grey(g)))
    if chance(g, 0.35):
        model.add(box((width * 0.5, 0.35, 0.04), (at, -depth / 2 - 0.16, floor * 0.85)), roof)
        for sx in (-1, 1):
            model.add(cylinder(0.025, floor * 0.85, 10).moved(at + sx * width * 0.22, -depth / 2 - 0.3), frame)
    if chance(g, 0.4):
        side = pick(g, (-1, 1))
        model.add(box((0.5, depth * 0.8, floor * 0.85), (side * (width / 2 + 0.25), 0, floor * 0.42)), wall)
        model.add(
            rounded_box((0.4, 0.04, floor * 0.62), (side * (width / 2 + 0.25), -depth * 0.4, floor * 0.31), 0.01), frame
        )
        model.add(box((0.56, depth * 0.86, 0.06), (side * (width / 2 + 0.27), 0, floor * 0.87)), roof)


def _block(model: Model, g: np.random.Generator) -> None:
    width, depth, floors, floor = (
        between(g, 0.9, 1.5),
        between(g, 0.8, 1.2),
        int(g.integers(4, 9)),
        between(g, 0.28, 0.36),
    )
    height, wall, frame = floor * floors, _wall(g), painted(any_color(g), 0.7)
    model.add(rounded_box((width, depth, height), (0, 0, height / 2), 0.02), wall)
    _windows(model, g, (width, depth), floors, floor, (int(g.integers(2, 5)), int(g.integers(2, 4))), frame, first=1)
    _door(model, g, 0, -depth / 2, floor * 0.85)
    trim = painted(any_color(g), 0.8)
    model.add(box((width * 1.05, depth * 1.05, 0.08), (0, 0, height)), trim)
    if chance(g, 0.5):
        for level in range(1, floors):
            model.add(box((width * 1.03, depth * 1.03, 0.03), (0, 0, level * floor)), trim)
    elif chance(g, 0.6):
        for level in range(1, floors):
            model.add(
                rounded_box(
                    (width * 0.4, 0.2, floor * 0.35), (0, -depth / 2 - 0.08, level * floor + floor * 0.2), 0.02
                ),
                trim,
            )
    for _ in range(int(g.integers(1, 4))):
        at = (between(g, -0.3, 0.3) * width, between(g, -0.3, 0.3) * depth, height + 0.12)
        model.add(rounded_box((0.22, 0.22, 0.2), at, 0.02), painted(grey(g)))


def _tower(model: Model, g: np.random.Generator) -> None:
    height, radius = between(g, 1.6, 2.6), between(g, 0.4, 0.6)
    sides, top = int(pick(g, (6, 8, 24))), between(g, 0.6, 1.0)
    colors = [pale(g), bright(g)]
    wall = patterned(stripes(colors, 4 * int(g.integers(1, 3)), 2), 0.8) if chance(g, 0.3) else _wall(g)
    if chance(g, 0.3):
        wall = patterned(stripes(colors, int(g.integers(4, 10))).transpose(1, 0, 2), 0.8)
    model.add(cylinder(radius, height, sides, 0.0, radius * top), wall)
    crown, roof = radius * top * between(g, 1.1, 1.35), _roof_finish(g)
    model.add(cylinder(crown, 0.1, sides).moved(z=height), painted(grey(g), 0.9))
    if chance(g, 0.6):
        model.add(cylinder(crown * 0.75, 0.35, sides).moved(z=height + 0.1), PANE)
        model.add(cylinder(crown * 1.05, between(g, 0.4, 0.9), sides, 0.0, 0.02).moved(z=height + 0.42), roof)
    else:
        for i in range(10):
            model.add(box((0.16, 0.1, 0.16), (0, -crown + 0.05, height + 0.16)).turned("z", 36 * i), wall)
    frame = painted(any_color(g), 0.7)
    for level in np.arange(0.5, height - 0.3, 0.45):
        for turn in (0, 90, 180, 270):
            r = radius * (1 - (1 - top) * level / height) * (np.cos(np.pi / sides) if sides < 10 else 1.0)
            model.add(
                rounded_box((0.16, 0.06, 0.24), (0, -r, level + 0.1), 0.02).turned(
                    "z", turn + 180 / sides * (sides < 10)
                ),
                frame,
            )
    _door(model, g, 0, -radius - 0.01, 0.4)
    if chance(g, 0.3):
        hub = (0, -radius * 1.25, height * 0.85)
        for i in range(4):
            sail = box((0.18, 0.02, 0.9), (0.05, 0, 0.5)).turned("y", 90 * i + 20)
            model.add(sail.moved(*hub), painted((0.95, 0.93, 0.88), 0.9))
        model.add(_mill_axle(radius).moved(*hub), frame)


def _mill_axle(radius: float) -> Shape:
    """The short axle that carries the sails of a mill."""
    return lathe([(0, -0.05), (0.06, -0.05), (0.06, radius * 0.6), (0, radius * 0.6)], 12).turned("x", -90)


def _shop(model: Model, g: np.random.Generator) -> None:
    width, depth, height = between(g, 1.3, 2.0), between(g, 1.0, 1.4), between(g, 0.8, 1.1)
    wall = _wall(g)
    model.add(box((width, depth, height), (0, 0, height / 2)), wall)
    trim = painted(any_color(g), 0.7)
    model.add(box((width * 1.04, depth * 1.04, 0.1), (0, 0, height + 0.03)), trim)
    model.add(rounded_box((width * 0.55, 0.05, height * 0.5), (-width * 0.18, -depth / 2, height * 0.38), 0.02), PANE)
    _door(model, g, width * 0.3, -depth / 2, height * 0.62)
    awning = patterned(stripes([pale(g), bright(g)], 2 * int(g.integers(4, 9))), 0.9)
    y = -depth / 2
    corners = [
        (-width * 0.48, y - 0.35, height * 0.66),
        (width * 0.48, y - 0.35, height * 0.66),
        (width * 0.48, y, height * 0.82),
        (-width * 0.48, y, height * 0.82),
    ]
    model.add(panel(corners, lift=0.01), awning)
    model.add(panel(corners[::-1], lift=0.0), awning)
    sign = lettering(g, any_color(g), pale(g), int(g.integers(4, 8)), digits=False)
    model.add(rounded_box((width * 0.8, 0.08, 0.26), (0, y, height + 0.12), 0.03), patterned(sign))
    if chance(g, 0.5):
        upper = between(g, 0.5, 0.9)
        model.add(box((width * 0.9, depth * 0.8, upper), (0, depth * 0.08, height + 0.08 + upper / 2)), wall)
        for x in (-0.28, 0.0, 0.28):
            _window(model, x * width, -depth * 0.32, height + 0.2 + upper * 0.5, (0.24, 0.3), 0, trim)
        model.add(box((width * 0.95, depth * 0.85, 0.06), (0, depth * 0.08, height + 0.1 + upper)), _roof_finish(g))
