"""Potted plants, cacti, flowers and trees. Standing on z = 0."""

from __future__ import annotations

import numpy as np

from manyfields.views.inventory.looks import (
    any_color,
    any_pattern,
    between,
    bright,
    chance,
    hsv,
    painted,
    pale,
    patterned,
    pick,
    toned,
    wood,
)  # fmt: skip
from manyfields.views.inventory.model import Color, Finish, Model
from manyfields.views.inventory.shapes import Shape, ball, joined, lathe, loft, tube


def make_plant(g: np.random.Generator) -> Model:
    model = Model()
    kind = pick(g, (_leafy, _leafy, _cactus, _flowers, _flowers, _tree, _conifer))
    if kind in (_tree, _conifer) and chance(g, 0.6):
        model.add(lathe([(0, -0.1), (0.5, -0.08), (0.6, 0.0), (0, 0.03)], 20), painted(_green(g), 0.95))
        kind(model, g, 0.0)
    else:
        kind(model, g, _pot(model, g))
    return model


def _green(g: np.random.Generator) -> Color:
    return hsv(between(g, 0.2, 0.42), between(g, 0.4, 0.8), between(g, 0.3, 0.7))


def _pot(model: Model, g: np.random.Generator) -> float:
    """A pot with earth; returns the height of the earth."""
    height, top, foot = between(g, 0.35, 0.7), between(g, 0.3, 0.5), between(g, 0.2, 0.35)
    clay = (
        painted((0.72, 0.4, 0.28), 0.9)
        if chance(g, 0.3)
        else patterned(any_pattern(g, [any_color(g), any_color(g), pale(g)]), 0.6)
    )
    belly = max(top, foot) * between(g, 0.9, 1.2)
    model.add(lathe([(0, 0), (foot, 0), (foot * 0.4 + belly * 0.6, height * 0.4), (top, height * 0.85)], 28), clay)
    rim = clay if chance(g, 0.5) else painted(any_color(g), 0.6)
    r = top * 1.08
    model.add(
        lathe(
            [(top, height * 0.83), (r, height * 0.83), (r, height), (top * 0.9, height), (top * 0.9, height * 0.8)], 28
        ),
        rim,
    )
    model.add(lathe([(top * 0.95, height * 0.92), (0, height * 0.95)], 20), painted((0.25, 0.17, 0.11), 0.95))
    return height * 0.92


def _leaf(length: float, width: float, bend: float, lift: float) -> Shape:
    """A leaf along +x from the origin that rises by `lift` degrees and bends down along its length."""
    t = np.linspace(0, 1, 8)
    angle = np.deg2rad(lift) - bend * t
    x = np.concatenate([[0], np.cumsum(np.cos(angle[:-1]))]) * length / 7
    z = np.concatenate([[0], np.cumsum(np.sin(angle[:-1]))]) * length / 7
    half = width / 2 * np.sin(np.pi * np.clip(0.06 + 0.94 * t, 0, 1)) ** 0.8
    thick = 0.012
    rings = []
    for xi, zi, h in zip(x, z, half, strict=True):
        h = max(float(h), 0.004)
        rings.append(
            np.array(
                [
                    (xi, h, zi + h * 0.25),
                    (xi, 0, zi + thick),
                    (xi, -h, zi + h * 0.25),
                    (xi, 0, zi - thick),
                    (xi, h, zi + h * 0.25),
                ]
            )
        )
    shape = loft(rings)
    return Shape(shape.vertices, shape.faces[:, ::-1], shape.uv)


def _leafy(model: Model, g: np.random.Generator, earth: float) -> None:
    color = _green(g)
    second: Color = toned(color, 1.4) if chance(g, 0.7) else bright(g)
    finishes = [painted(color, 0.6), painted(second, 0.6)]
    count, length, width = int(g.integers(9, 26)), between(g, 0.6, 1.3), between(g, 0.1, 0.42)
    bend, up = between(g, 0.3, 1.6), between(g, 35, 85)
    stem = between(g, 0.0, 0.5) * chance(g, 0.5)
    if stem:
        model.add(
            tube([(0, 0, earth - 0.05), (0.03, 0, earth + stem * 0.5), (0, 0, earth + stem)], 0.04, 10),
            painted(wood(g), 0.9),
        )
    for i in range(count):
        share = i / count
        leaf = _leaf(
            length * between(g, 0.7, 1.1), width, bend * between(g, 0.8, 1.2), up - 40 * share + between(g, -8, 8)
        )
        model.add(leaf.turned("z", 137.5 * i).moved(z=earth + stem * (1 - 0.4 * share)), finishes[i % 2])


def _cactus(model: Model, g: np.random.Generator, earth: float) -> None:
    green, height, radius = painted(_green(g), 0.8), between(g, 0.5, 1.4), between(g, 0.16, 0.26)
    ribs = int(g.integers(8, 14))

    def body(tall: float, wide: float) -> Shape:
        angles = np.linspace(0, 2 * np.pi, 4 * ribs + 1)
        wave = 1 + 0.12 * np.cos(ribs * angles)
        rings = []
        for t in np.linspace(0, 1, 12):
            r = wide * (1 - max(0.0, (t - 0.75) / 0.25) ** 2) ** 0.5 * (0.85 + 0.15 * min(t * 3, 1))
            rings.append(
                np.stack([r * wave * np.cos(angles), r * wave * np.sin(angles), np.full_like(angles, t * tall)], 1)
            )
        return loft(rings)

    model.add(body(height, radius).moved(z=earth - 0.03), green)
    for i in range(int(g.integers(0, 4))):
        turn, z, out = (
            90 * i + between(g, -20, 20),
            earth + height * between(g, 0.3, 0.55),
            radius + between(g, 0.15, 0.25),
        )
        arm = tube([(radius * 0.6, 0, z), (out * 0.9, 0, z), (out, 0, z + 0.06)], radius * 0.42, 12)
        model.add(arm.turned("z", turn), green)
        model.add(body(height * between(g, 0.25, 0.45), radius * 0.5).moved(out, 0, z).turned("z", turn), green)
    if chance(g, 0.6):
        model.add(_blossom(g, 0.22).moved(z=earth + height - 0.02), painted(bright(g), 0.7))


def _blossom(g: np.random.Generator, size: float) -> Shape:
    petals = int(g.integers(5, 10))
    leaf = _leaf(size, size * between(g, 0.4, 0.8), between(g, -0.2, 0.8), between(g, 10, 50))
    return joined([leaf.turned("z", 360 * i / petals) for i in range(petals)])


def _flowers(model: Model, g: np.random.Generator, earth: float) -> None:
    stem, heart = painted(_green(g), 0.7), painted(pick(g, ((0.95, 0.8, 0.2), (0.35, 0.2, 0.1), pale(g))), 0.9)
    colors = [painted(bright(g), 0.7), painted(pick(g, (bright, pale))(g), 0.7)]
    tall, size = between(g, 0.5, 1.2), between(g, 0.16, 0.34)
    for i in range(int(g.integers(3, 9))):
        lean, turn = between(g, 0.05, 0.55), 137.5 * i + between(g, -20, 20)
        z = earth + tall * between(g, 0.6, 1.0)
        path = [(0.08, 0, earth - 0.05), (0.08 + lean * 0.3, 0, (earth + z) / 2), (0.08 + lean, 0, z)]
        model.add(tube(path, 0.018, 8).turned("z", turn), stem)
        flower = _blossom(g, size).turned("y", between(g, 10, 45)).moved(0.08 + lean, 0, z)
        model.add(flower.turned("z", turn), colors[i % 2])
        model.add(ball(size * 0.26, 12, 8).moved(0.08 + lean, 0, z + 0.02).turned("z", turn), heart)
        model.add(_leaf(0.35, 0.12, 0.8, 50).moved(0.08, 0, earth).turned("z", turn + 60), stem)


def _crown(g: np.random.Generator, radius: float) -> Shape:
    """A lumpy ball of leaves."""
    shape = ball(radius, 16, 10)
    phase = [between(g, 0, 6.3) for _ in range(3)]
    p = shape.vertices / radius
    lumps = (
        1
        + 0.12
        * (np.sin(5 * p[:, 0] + phase[0]) + np.sin(5 * p[:, 1] + phase[1]) + np.sin(5 * p[:, 2] + phase[2]))
        / 1.5
    )
    return Shape(shape.vertices * lumps[:, None], shape.faces, shape.uv)


def _bark(g: np.random.Generator) -> Finish:
    return painted(wood(g), 0.95)


def _tree(model: Model, g: np.random.Generator, earth: float) -> None:
    bark, trunk = _bark(g), between(g, 0.6, 1.2)
    model.add(
        tube(
            [(0, 0, earth - 0.05), (between(g, -0.08, 0.08), 0, earth + trunk / 2), (0, 0, earth + trunk)],
            [0.13, 0.09, 0.07],
            12,
        ),
        bark,
    )
    hue = pick(g, (_green, _green, lambda g: hsv(between(g, 0.02, 0.14), 0.75, 0.8), lambda g: hsv(0.94, 0.35, 0.92)))(
        g
    )
    fruit = painted(bright(g), 0.4) if chance(g, 0.4) else None
    for i in range(int(g.integers(3, 8))):
        r, turn, away = between(g, 0.28, 0.5), 137.5 * i, between(g, 0.15, 0.4) * (i > 0)
        z = earth + trunk + between(g, 0.05, 0.5)
        shade = between(g, 0.85, 1.12)
        finish = painted(toned(hue, shade), 0.9)
        x, y = away * np.cos(np.deg2rad(turn)), away * np.sin(np.deg2rad(turn))
        model.add(_crown(g, r).moved(x, y, z), finish)
        model.add(tube([(0, 0, earth + trunk * 0.7), (x, y, z)], [0.04, 0.02], 8), bark)
        for k in range(4 if fruit else 0):
            a, b = between(g, 0, 6.3), between(g, -0.5, 0.9)
            at = (x + r * np.cos(a) * np.cos(b), y + r * np.sin(a) * np.cos(b), z + r * np.sin(b))
            model.add(ball(0.05 + 0.005 * k, 10, 6).moved(*at), fruit or finish)


def _conifer(model: Model, g: np.random.Generator, earth: float) -> None:
    height, radius, tiers = between(g, 1.2, 2.0), between(g, 0.4, 0.65), int(g.integers(3, 6))
    model.add(tube([(0, 0, earth - 0.05), (0, 0, earth + height * 0.4)], [0.1, 0.07], 12), _bark(g))
    green = _green(g)
    snow = chance(g, 0.25)
    for tier in range(tiers):
        share = tier / tiers
        r, z, tall = radius * (1 - share * 0.75), earth + height * (0.2 + 0.75 * share), height * 1.1 / tiers
        color: Color = toned(green, 0.85 + 0.3 * share)
        cone = lathe([(0, z + tall * 0.12), (r, z), (r * 0.55, z + tall * 0.45), (0.01, z + tall)], 18)
        model.add(cone, painted(color, 0.9))
        if snow:
            model.add(lathe([(r * 0.6, z + tall * 0.43), (0.0, z + tall * 1.02)], 18), painted((0.95, 0.97, 0.98), 0.9))
    if chance(g, 0.4):
        for i in range(14):
            share = i / 14
            r = radius * (1 - share * 0.8) * 0.95
            at = (r * np.cos(2.4 * i), r * np.sin(2.4 * i), earth + height * (0.24 + 0.75 * share))
            model.add(ball(0.05, 10, 6).moved(*at), painted(bright(g), 0.3))
        model.add(ball(0.08, 12, 8).moved(z=z + tall), painted((0.95, 0.8, 0.25), 0.3))
