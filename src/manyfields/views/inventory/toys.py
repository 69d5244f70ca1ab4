"""Toys: stacking rings, robots, block castles, rockets, locomotives and animals on wheels. Front at -y."""

from __future__ import annotations

import numpy as np

from manyfields.views.inventory.looks import (
    any_color,
    any_pattern,
    between,
    bright,
    chance,
    checks,
    dark,
    lettering,
    metal,
    painted,
    pale,
    patterned,
    pick,
    stripes,
    wooden,
)  # fmt: skip
from manyfields.views.inventory.model import Finish, Model
from manyfields.views.inventory.shapes import ball, box, cylinder, lathe, rounded_box, tube

WHITE, INK = painted((0.97, 0.97, 0.95), 0.4), painted((0.05, 0.05, 0.06), 0.4)


def make_toy(g: np.random.Generator) -> Model:
    model = Model()
    pick(g, (_rings, _robot, _robot, _blocks, _rocket, _train, _animal, _animal, _top))(model, g)
    return model


def _plastic(g: np.random.Generator) -> Finish:
    return painted(bright(g), 0.35)


def _decorated(g: np.random.Generator) -> Finish:
    return patterned(any_pattern(g, [bright(g), bright(g), pale(g)]), 0.4)


def _rings(model: Model, g: np.random.Generator) -> None:
    model.add(cylinder(0.75, 0.12, 32, 0.04), wooden(g))
    z, count = 0.12, int(g.integers(4, 8))
    for i in range(count):
        radius, thick = 0.72 - 0.45 * i / count, between(g, 0.12, 0.17)
        angles = np.linspace(-np.pi, np.pi, 13)
        torus = [(radius - thick + thick * np.cos(a), z + thick * (1 + np.sin(a))) for a in angles]
        model.add(lathe(torus, 32), _decorated(g) if chance(g, 0.2) else _plastic(g))
        z += 1.85 * thick
    model.add(cylinder(0.1, z + 0.05, 16), wooden(g))
    model.add(ball(between(g, 0.15, 0.24), 20, 12).moved(z=z + 0.15), _plastic(g))


def _eyes(model: Model, x: float, y: float, z: float, size: float) -> None:
    model.add_pair(ball(size, 14, 10).moved(x, y, z), WHITE)
    model.add_pair(ball(size * 0.55, 12, 8).moved(x, y - size * 0.62, z), INK)


def _robot(model: Model, g: np.random.Generator) -> None:
    body = metal(g) if chance(g, 0.3) else _plastic(g)
    limb, trim = painted(any_color(g), 0.4), _plastic(g)
    width, height, depth, leg = between(g, 0.6, 1.0), between(g, 0.6, 0.95), between(g, 0.4, 0.6), between(g, 0.3, 0.55)
    model.add(rounded_box((width, depth, height), (0, 0, leg + height / 2), between(g, 0.03, 0.14), 3), body)
    face = patterned(
        pick(
            g,
            (
                checks(bright(g), pale(g), 4, 4),
                lettering(g, dark(g), bright(g), 2, digits=True),
                stripes([bright(g), dark(g)], 8),
            ),
        )
    )
    model.add(rounded_box((width * 0.6, 0.06, height * 0.45), (0, -depth / 2, leg + height * 0.55), 0.02), face)
    for x in np.linspace(-0.25, 0.25, int(g.integers(2, 5))) * width:
        model.add(ball(0.04, 12, 8).moved(x, -depth / 2, leg + height * 0.18), _plastic(g))
    top = leg + height + 0.08
    model.add(cylinder(0.12, 0.1, 16).moved(z=leg + height - 0.01), limb)
    head, tall = width * between(g, 0.6, 0.95), between(g, 0.35, 0.5)
    skull = ball(head / 2, 24, 14).scaled(1, 0.9, tall / head * 1.2).moved(z=top + tall / 2)
    if chance(g, 0.6):
        skull = rounded_box((head, depth * 0.9, tall), (0, 0, top + tall / 2), between(g, 0.04, 0.15), 3)
    model.add(skull, body if chance(g, 0.5) else trim)
    _eyes(model, head * 0.22, -depth * 0.43, top + tall * 0.58, head * between(g, 0.1, 0.14))
    model.add(rounded_box((head * 0.4, 0.05, 0.05), (0, -depth * 0.44, top + tall * 0.22), 0.015), INK)
    for x in (0.0,) if chance(g, 0.5) else (-head * 0.3, head * 0.3):
        model.add(cylinder(0.02, 0.25, 8).moved(x, 0, top + tall - 0.02), limb)
        model.add(ball(0.06, 12, 8).moved(x, 0, top + tall + 0.24), trim)
    lift = between(g, -0.35, 0.3)
    for side in (-1, 1):
        shoulder = (side * (width / 2 + 0.06), 0.0, leg + height * 0.82)
        hand = (side * (width / 2 + 0.2), -0.18, leg + height * (0.3 + lift))
        elbow = (side * (width / 2 + 0.22), 0.0, leg + height * 0.5)
        model.add(tube([shoulder, elbow, hand], 0.065, 12), limb)
        model.add(ball(0.11, 14, 10).moved(*hand), trim)
        model.add(ball(0.11, 14, 10).moved(*shoulder), trim)
        model.add(cylinder(0.1, leg, 14).moved(side * width * 0.26), limb)
        model.add(rounded_box((width * 0.38, depth * 0.9, 0.16), (side * width * 0.27, -0.06, 0.08), 0.05), trim)


def _blocks(model: Model, g: np.random.Generator) -> None:
    size = between(g, 0.4, 0.5)
    for level in range(int(g.integers(2, 5))):
        count = max(1, 3 - level)
        for i in range(count):
            at = ((i - (count - 1) / 2) * size * 1.12, between(g, -0.06, 0.06), (level + 0.5) * size)
            sign = lettering(g, bright(g), pale(g), 1, digits=chance(g, 0.3))
            art = pick(g, (patterned(sign, 0.5), patterned(sign, 0.5), _plastic(g), _decorated(g)))
            shape = rounded_box((size, size, size), (0, 0, 0), 0.03).turned("z", between(g, -14, 14))
            model.add(shape.moved(*at), art)
    top = (level + 1) * size
    crown = pick(g, ("cone", "ball", "roof"))
    if crown == "cone":
        model.add(cylinder(size * 0.5, size, 24, 0.0, 0.01).moved(z=top), _plastic(g))
    elif crown == "ball":
        model.add(ball(size * 0.4, 20, 12).moved(z=top + size * 0.38), _decorated(g))
    else:
        model.add(cylinder(size * 0.68, size * 0.7, 4, 0.0, 0.01).turned("z", 45).moved(z=top), _plastic(g))


def _rocket(model: Model, g: np.random.Generator) -> None:
    height, radius, fins = between(g, 1.6, 2.4), between(g, 0.3, 0.5), int(g.integers(3, 6))
    t = np.linspace(0, 1, 20)
    wide = radius * np.sin(np.pi * (0.22 + 0.78 * t)) ** 0.7
    skin, trim = _decorated(g), _plastic(g)
    lower = [(float(r), 0.25 + float(s) * height) for r, s in zip(wide, t, strict=True) if s <= 0.76]
    upper = [(max(float(r), 0.0), 0.25 + float(s) * height) for r, s in zip(wide, t, strict=True) if s >= 0.73]
    model.add(lathe([(0, 0.25), *lower], 28), skin)
    model.add(lathe(upper, 28), trim)
    model.add(cylinder(radius * 0.55, 0.2, 20, 0.0, radius * 0.4).moved(z=0.1), metal(g))
    for i in range(fins):
        fin = rounded_box((radius * 1.1, 0.07, height * 0.32), (radius * 1.0, 0, 0.32), 0.03)
        model.add(fin.turned("z", 360 * i / fins + 30), trim)
    for z in (0.52, 0.36)[: int(g.integers(1, 3))]:
        r = radius * np.sin(np.pi * (0.22 + 0.78 * z)) ** 0.7
        port = cylinder(radius * 0.36, 0.08, 24, 0.02).turned("x", 90).moved(0, -r + 0.04, 0.25 + z * height)
        model.add(port, metal(g))
        glass = cylinder(radius * 0.25, 0.1, 24, 0.02).turned("x", 90).moved(0, -r + 0.04, 0.25 + z * height)
        model.add(glass, painted((0.3, 0.6, 0.85), 0.2))


def _train(model: Model, g: np.random.Generator) -> None:
    body, cab, trim = _plastic(g), _plastic(g), _plastic(g)
    length, radius, wheel = between(g, 0.8, 1.3), between(g, 0.26, 0.36), between(g, 0.18, 0.26)
    z = wheel + radius + 0.12
    model.add(rounded_box((0.8, length + 0.75, 0.16), (0, 0.2, wheel + 0.06), 0.04), trim)
    front = -length / 2 - 0.15
    model.add(cylinder(radius, length, 28, 0.03).turned("x", -90).moved(0, front, z), body)
    for share in (0.3, 0.7):
        model.add(cylinder(radius * 1.04, 0.07, 28).turned("x", -90).moved(0, front + share * length, z), metal(g))
    size = (0.78, 0.6, between(g, 0.75, 1.0))
    at = front + length + 0.28
    model.add(rounded_box(size, (0, at, wheel + 0.1 + size[2] / 2), 0.05), cab)
    model.add(rounded_box((0.92, 0.74, 0.09), (0, at, wheel + 0.12 + size[2]), 0.04), trim)
    for side in (-1, 1):
        model.add(rounded_box((0.04, 0.34, 0.3), (side * 0.39, at, wheel + size[2] * 0.78), 0.02), INK)
    chimney = [(0.09, 0), (0.09, 0.2), (between(g, 0.1, 0.2), 0.42), (0.07, 0.42)]
    model.add(lathe(chimney, 18).moved(0, front + 0.2, z + radius - 0.05), trim)
    model.add(ball(0.13, 16, 10).moved(0, front + length * 0.6, z + radius), metal(g))
    model.add(ball(0.09, 14, 8).moved(0, front - 0.02, z + 0.02), painted((0.98, 0.95, 0.7), 0.3))
    rim = patterned(stripes([bright(g), pale(g)], 8), 0.5) if chance(g, 0.5) else _plastic(g)
    for y in np.linspace(front + 0.2, at, int(g.integers(2, 4))):
        disc = cylinder(wheel, 0.1, 22, 0.02).turned("y", 90)
        model.add_pair(disc.moved(0.36, y, wheel), rim)
        model.add_pair(cylinder(wheel * 0.35, 0.14, 14, 0.02).turned("y", 90).moved(0.36, y, wheel), trim)


def _animal(model: Model, g: np.random.Generator) -> None:
    """A round animal on four legs or wheels, with ears, a snout and a tail."""
    coat = _plastic(g) if chance(g, 0.5) else painted(any_color(g), 0.8)
    spots = _decorated(g) if chance(g, 0.4) else coat
    trim = painted(any_color(g), 0.6)
    length, girth, leg = between(g, 1.0, 1.6), between(g, 0.5, 0.8), between(g, 0.2, 0.7)
    z = leg + girth * 0.42
    model.add(ball(0.5, 26, 16).scaled(girth, length, girth).moved(z=z), spots)
    neck = between(g, 0.0, 0.8) * chance(g, 0.6)
    head, y = between(g, 0.24, 0.36), -length * 0.48 - neck * 0.2
    top = z + girth * 0.3 + neck
    model.add(tube([(0, -length * 0.3, z + girth * 0.1), (0, y, top)], [girth * 0.3, head * 0.6], 14), coat)
    model.add(ball(head, 22, 14).scaled(1, 1.1, 0.95).moved(0, y, top), coat)
    snout = between(g, 0.1, 0.4)
    if chance(g, 0.25):  # a trunk
        model.add(
            tube(
                [
                    (0, y - head * 0.8, top),
                    (0, y - head * 1.5, top - 0.15),
                    (0, y - head * 1.6, top - 0.5),
                    (0, y - head * 1.9, top - 0.6),
                ],
                [0.12, 0.1, 0.08, 0.06],
                12,
            ),
            coat,
        )
    else:
        model.add(ball(head * 0.55, 16, 10).scaled(1, 1 + snout, 0.8).moved(0, y - head * 0.9, top - head * 0.25), trim)
        model.add(ball(0.05, 10, 6).moved(0, y - head * (1.4 + 0.5 * snout), top - head * 0.12), INK)
    _eyes(model, head * 0.42, y - head * 0.82, top + head * 0.35, head * 0.2)
    tall, wide = between(g, 0.12, 0.5), between(g, 0.08, 0.26)
    ear = (
        ball(0.5, 14, 10)
        .scaled(wide, 0.06, tall)
        .turned("y", between(g, 5, 50))
        .moved(head * 0.65, y + 0.02, top + head * 0.75)
    )
    model.add_pair(ear, trim if chance(g, 0.5) else coat)
    if chance(g, 0.3):
        model.add_pair(
            cylinder(0.05, 0.25, 10, 0.0, 0.01).turned("y", 15).moved(head * 0.3, y, top + head * 0.8), WHITE
        )
    wheels = chance(g, 0.35)
    for sy in (-1, 1):
        at = (girth * 0.3, sy * length * 0.28)
        model.add_pair(cylinder(0.1, leg + girth * 0.25, 14).moved(*at), coat)
        if wheels:
            model.add_pair(cylinder(0.17, 0.1, 20, 0.02).turned("y", 90).moved(at[0] + 0.06, at[1], 0.1), trim)
        else:
            model.add_pair(ball(0.13, 14, 8).scaled(1, 1.2, 0.6).moved(at[0], at[1] - 0.03, 0.05), trim)
    curl = between(g, 0.2, 0.6)
    model.add(
        tube(
            [(0, length * 0.45, z), (0, length * 0.45 + 0.2, z + curl * 0.4), (0, length * 0.45 + 0.22, z + curl)],
            [0.06, 0.05, 0.035],
            10,
        ),
        trim,
    )
    if chance(g, 0.3):
        model.add(box((girth * 0.9, length * 0.4, 0.05), (0, 0, z + girth * 0.47)), _decorated(g))


def _top(model: Model, g: np.random.Generator) -> None:
    """A spinning top on its tip."""
    radius, height = between(g, 0.6, 0.9), between(g, 0.7, 1.1)
    at = between(g, 0.45, 0.65)
    model.add(
        lathe([(0.0, 0.0), (0.06, 0.08), (radius * 0.75, height * at * 0.7), (radius, height * at)], 36), _decorated(g)
    )
    model.add(lathe([(radius, height * at), (radius * 0.9, height * (at + 0.15)), (0.1, height)], 36), _decorated(g))
    model.add(cylinder(0.07, between(g, 0.3, 0.55), 14).moved(z=height - 0.03), wooden(g))
    model.add(ball(0.13, 16, 10).moved(z=height + 0.45), _plastic(g))
