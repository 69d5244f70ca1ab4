"""Cars and pickups. Length about 4 (along y), front at -y, standing on z = 0."""

from __future__ import annotations

import numpy as np

from manyfields.views.inventory.looks import any_color, between, chance, grey, painted
from manyfields.views.inventory.model import Model
from manyfields.views.inventory.shapes import box, cylinder, rounded_box
from manyfields.views.inventory.vehicle_parts import (
    BLACK,
    CHROME,
    RUBBER,
    Wheels,
    add_arches,
    add_cabin,
    add_extras,
    add_face,
    add_mirrors,
    add_wheels,
    body,
    livery,
    paint_color,
)


def add_car(model: Model, g: np.random.Generator) -> None:
    length, width = between(g, 3.3, 4.7), between(g, 1.6, 1.95)
    sporty = chance(g, 0.25)
    tall = not sporty and chance(g, 0.4)
    radius = between(g, 0.36, 0.46) if tall else between(g, 0.29, 0.36)
    low = radius * between(g, 0.55, 0.8)
    belt = low + (between(g, 0.62, 0.8) if tall else between(g, 0.48, 0.62))
    hood, trunk = belt - between(g, 0.03, 0.14), belt - between(g, -0.04, 0.10)
    radius = min(radius, (min(hood, trunk) - 0.1) / 2.18)  # the wheel arches end below the bonnet
    front, rear = -length / 2, length / 2
    nose = between(g, 0.70, 0.92)
    corner = between(g, 4.0, 8.0)
    stations = [
        (front, width * nose * 0.9, low + 0.10, hood - 0.18),
        (front + 0.08, width * nose, low + 0.02, hood - 0.08),
        (front + 0.35, width * 0.97, low, hood - 0.02),
        (front + length * 0.28, width, low, hood + 0.02),
        (front + length * 0.36, width, low, belt),
        (rear - length * 0.22, width, low, belt),
        (rear - 0.3, width * 0.98, low, trunk),
        (rear - 0.06, width * 0.92, low + 0.03, trunk - 0.05),
        (rear, width * 0.85, low + 0.10, trunk - 0.15),
    ]
    paint = paint_color(g)
    finish = livery(g, paint)
    model.add(body(stations, corner), finish)
    wheelbase = length * between(g, 0.56, 0.64)
    shift = between(g, -0.05, 0.1)
    axles = (shift - wheelbase / 2, shift + wheelbase / 2)
    wheels = Wheels(radius, between(g, 0.2, 0.3), width + 0.05, axles)
    add_arches(model, wheels, BLACK)
    add_wheels(model, g, wheels, paint if chance(g, 0.15) else None)
    roof_z = belt + (between(g, 0.34, 0.44) if sporty else between(g, 0.45, 0.62))
    start = front + length * between(g, 0.28, 0.36)
    estate = chance(g, 0.5)
    end = rear - (between(g, 0.08, 0.25) if estate else length * between(g, 0.16, 0.22))
    rake_front, rake_rear = between(g, 0.35, 0.65), between(g, 0.1, 0.35) if estate else between(g, 0.35, 0.7)
    roof = painted(any_color(g), 0.4) if chance(g, 0.25) else painted(paint, 0.4)
    top = (start + rake_front, end - rake_rear, width * between(g, 0.68, 0.8))
    if top[1] - top[0] < 0.5:
        top = (top[0], top[0] + 0.5, top[2])
    add_cabin(model, (start, end, width * 0.92), top, (belt - 0.03, roof_z), roof, int(g.integers(1, 4)))
    add_face(model, g, front + 0.03, width * nose, low, hood)
    add_face(model, g, rear - 0.03, width * 0.85, low, trunk)
    add_mirrors(model, width, start + 0.25, belt + 0.06, painted(paint, 0.4))
    for y in np.linspace(start + 0.6, end - 0.7, 2):
        model.add_pair(rounded_box((0.03, 0.16, 0.035), (width / 2, y, belt - 0.12), 0.01), CHROME)
    if sporty and chance(g, 0.7):
        wing = rounded_box((width * 0.9, 0.25, 0.04), (0, rear - 0.2, trunk + 0.24), 0.02)
        model.add(wing, painted(paint, 0.4))
        model.add_pair(box((0.04, 0.14, 0.3), (width * 0.3, rear - 0.2, trunk + 0.1)), BLACK)
    else:
        add_extras(model, g, (top[0], top[1], top[2], roof_z + 0.01), painted(paint))
    if tall and chance(g, 0.3):
        spare = cylinder(radius * 0.9, 0.18, 24, 0.04).turned("x", -90).moved(0, rear - 0.02, belt - 0.15)
        model.add(spare, RUBBER)


def add_pickup(model: Model, g: np.random.Generator) -> None:
    length, width = between(g, 4.2, 5.0), between(g, 1.75, 2.0)
    radius = between(g, 0.38, 0.55)
    low, height = radius * 0.9, between(g, 0.55, 0.7)
    belt = low + height
    front, rear = -length / 2, length / 2
    paint = painted(paint_color(g), 0.4)
    split = front + length * between(g, 0.52, 0.62)
    stations = [
        (front, width * 0.86, low + 0.06, belt - 0.16),
        (front + 0.12, width * 0.95, low, belt - 0.07),
        (front + length * 0.25, width, low, belt - 0.02),
        (split - 0.1, width, low, belt),
        (split, width, low, belt),
    ]
    model.add(body(stations, 8.0), paint)
    bed, wall = rear - split, between(g, 0.3, 0.5)
    floor = painted(grey(g, 0.15, 0.4), 0.8)
    model.add(rounded_box((width, bed, height * 0.45), (0, split + bed / 2, low + height * 0.23), 0.04), paint)
    model.add(box((width * 0.9, bed * 0.94, 0.03), (0, split + bed / 2, low + height * 0.46)), floor)
    side = low + height * 0.45 + wall / 2
    model.add_pair(rounded_box((0.09, bed, wall), (width / 2 - 0.045, split + bed / 2, side), 0.03), paint)
    model.add(rounded_box((width, 0.09, wall), (0, rear - 0.045, side), 0.03), paint)
    for _ in range(int(g.integers(0, 4))):
        size = (between(g, 0.3, 0.7), between(g, 0.3, 0.7), between(g, 0.25, 0.6))
        at = (between(g, -0.4, 0.4), split + between(g, 0.3, 0.75) * bed, low + height * 0.47 + size[2] / 2)
        model.add(rounded_box(size, at, 0.03), painted(any_color(g), 0.8))
    start = front + length * between(g, 0.24, 0.3)
    roof_z = belt + between(g, 0.5, 0.62)
    top = (start + between(g, 0.3, 0.5), split - between(g, 0.06, 0.2), width * 0.78)
    add_cabin(model, (start, split - 0.04, width * 0.94), top, (belt - 0.03, roof_z), paint, int(g.integers(1, 3)))
    wheels = Wheels(radius, between(g, 0.26, 0.36), width + 0.08, (front + length * 0.19, rear - length * 0.2))
    add_arches(model, wheels, BLACK)
    add_wheels(model, g, wheels)
    add_face(model, g, front + 0.03, width * 0.86, low, belt - 0.05)
    add_face(model, g, rear, width * 0.86, low, low + height * 0.9)
    add_mirrors(model, width, start + 0.25, belt + 0.08, BLACK)
    add_extras(model, g, (top[0], top[1], top[2], roof_z + 0.01), paint)
