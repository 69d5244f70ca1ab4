"""Vehicles of all sorts; here vans, trucks and buses. Length 4 to 7 (along y), front at -y, standing on z = 0."""

from __future__ import annotations

import numpy as np

from manyfields.views.inventory.cars import add_car, add_pickup
from manyfields.views.inventory.looks import (
    any_color,
    between,
    chance,
    grey,
    lettering,
    painted,
    pale,
    patterned,
    pick,
    stripes,
)
from manyfields.views.inventory.model import Model
from manyfields.views.inventory.shapes import box, cylinder, lathe, panel, part_of, rounded_box
from manyfields.views.inventory.vehicle_parts import (
    BLACK,
    CHROME,
    GLASS,
    Wheels,
    add_arches,
    add_extras,
    add_face,
    add_mirrors,
    add_wheels,
    add_windows,
    body,
    livery,
    paint_color,
    side_art,
)


def make_vehicle(g: np.random.Generator) -> Model:
    model = Model()
    pick(g, (add_car, add_car, add_car, add_pickup, _van, _truck, _bus))(model, g)
    return model


def _van(model: Model, g: np.random.Generator) -> None:
    length, width, height = between(g, 3.8, 5.2), between(g, 1.7, 2.0), between(g, 1.4, 1.9)
    radius = between(g, 0.32, 0.4)
    low = radius * 0.75
    top, front, rear = low + height, -length / 2, length / 2
    slope, paint = between(g, 0.15, 0.8), paint_color(g)
    middle = low + height * between(g, 0.42, 0.55)
    profile = [
        (front, width * 0.88, low + 0.08, middle - 0.15),
        (front + 0.1, width * 0.95, low, middle - 0.04),
        (front + 0.12 + slope * 0.5, width, low, middle + 0.03),
        (front + 0.2 + slope * 1.2, width, low, top - 0.04),
        (front + 0.5 + slope * 1.2, width, low, top),
        (rear - 0.15, width, low, top),
        (rear, width * 0.97, low + 0.04, top - 0.06),
    ]
    model.add(body(profile, 8.0), livery(g, paint))
    y0, z0, y1, z1 = profile[2][0], profile[2][3], profile[3][0], profile[3][3]
    screen = [(-width * 0.42, y0, z0), (width * 0.42, y0, z0), (width * 0.42, y1, z1), (-width * 0.42, y1, z1)]
    model.add(panel(part_of(screen, 0.02, 0.98, 0.1, 0.9), lift=0.035), GLASS)
    windows = (middle + 0.08, top - 0.18)
    start = front + 0.4 + slope * 1.2
    if chance(g, 0.5):
        add_windows(model, width, (start, rear - 0.2), windows, int(g.integers(3, 6)))
    else:
        add_windows(model, width, (start, start + 0.7), windows, 1)
        art = side_art(g, paint)
        size = (width + 0.03, rear - start - 1.0, height * 0.55)  # one box for both sides: lettering is not mirrored
        model.add(box(size, (0, (start + rear + 0.7) / 2, middle + 0.1)), art)
    model.add_pair(
        rounded_box((width * 0.36, 0.04, height * 0.3), (width * 0.21, rear, top - height * 0.28), 0.02), GLASS
    )
    wheels = Wheels(radius, 0.24, width + 0.04, (front + length * 0.2, rear - length * 0.2))
    add_arches(model, wheels, BLACK)
    add_wheels(model, g, wheels)
    add_face(model, g, front + 0.03, width * 0.88, low, middle)
    add_face(model, g, rear, width * 0.9, low, middle)
    add_mirrors(model, width, start - 0.05, middle + 0.15, BLACK)
    add_extras(model, g, (start, rear - 0.3, width * 0.9, top), painted(paint))


def _truck(model: Model, g: np.random.Generator) -> None:
    length, width = between(g, 4.6, 6.0), between(g, 1.8, 2.1)
    radius = between(g, 0.38, 0.5)
    front, rear, low = -length / 2, length / 2, radius * 1.05
    cab, cab_height = between(g, 1.0, 1.5), between(g, 1.2, 1.7)
    paint = painted(paint_color(g), 0.4)
    model.add(box((width * 0.5, length * 0.96, 0.2), (0, 0, low)), BLACK)
    model.add(
        rounded_box((width, cab, cab_height), (0, front + cab / 2, low + cab_height / 2), between(g, 0.06, 0.25)), paint
    )
    glass = low + cab_height * 0.7
    model.add(rounded_box((width * 0.86, 0.04, cab_height * 0.36), (0, front, glass), 0.03), GLASS)
    add_windows(
        model, width, (front + cab * 0.2, front + cab * 0.85), (glass - cab_height * 0.17, glass + cab_height * 0.17), 1
    )
    start = front + cab + between(g, 0.08, 0.2)
    room, middle = rear - start, (start + rear) / 2
    floor = low + 0.12
    load = int(g.integers(5))
    if load <= 1:
        height = between(g, 1.2, 2.0)
        container = rounded_box((width * 1.04, room, height), (0, middle, floor + height / 2), 0.05)
        model.add(container, side_art(g, paint_color(g)))
    elif load == 2:
        tank = between(g, 0.55, 0.8)
        shape = lathe(
            [(0, 0), (tank * 0.7, 0.04), (tank, 0.2), (tank, room - 0.2), (tank * 0.7, room - 0.04), (0, room)], 28
        )
        hoops = patterned(stripes([any_color(g), pale(g)], 4).transpose(1, 0, 2), 0.4)
        body = pick(g, (CHROME, painted(paint_color(g), 0.4), hoops))
        model.add(shape.turned("x", -90).moved(0, start, floor + tank), body)
        model.add(cylinder(0.2, 0.12, 16).moved(0, middle, floor + 2 * tank - 0.03), BLACK)
    elif load == 3:
        wall = between(g, 0.5, 0.9)
        tub = painted(any_color(g), 0.6)
        model.add(box((width, room, 0.1), (0, middle, floor + 0.05)), tub)
        model.add_pair(rounded_box((0.1, room, wall), (width / 2 - 0.05, middle, floor + wall / 2), 0.03), tub)
        for y in (start + 0.05, rear - 0.05):
            model.add(rounded_box((width, 0.1, wall), (0, y, floor + wall / 2), 0.03), tub)
        sand = lathe([(room * 0.46, 0), (room * 0.3, wall * 0.4), (0, wall * 0.7)], 12).scaled(
            width / room * 0.95, 1, 1
        )
        model.add(
            sand.moved(0, middle, floor + wall * 0.55),
            painted(pick(g, ((0.7, 0.55, 0.35), (0.4, 0.3, 0.22), (0.5, 0.5, 0.5))), 0.95),
        )
    else:
        model.add(
            rounded_box((width, room, 0.12), (0, middle, floor + 0.06), 0.03),
            painted(pick(g, ((0.5, 0.35, 0.2), (0.4, 0.4, 0.42)))),
        )
        for _ in range(int(g.integers(2, 6))):
            size = (between(g, 0.5, width * 0.8), between(g, 0.5, room * 0.4), between(g, 0.4, 1.0))
            at = (between(g, -0.2, 0.2), middle + between(g, -0.3, 0.3) * room, floor + 0.12 + size[2] / 2)
            model.add(rounded_box(size, at, 0.03), side_art(g, any_color(g)))
    axles = [front + cab * 0.55, rear - radius * 1.6]
    if chance(g, 0.5):
        axles.append(axles[-1] - radius * 2.15)
    wheels = Wheels(radius, between(g, 0.26, 0.34), width + 0.02, tuple(axles))
    add_arches(model, Wheels(radius, wheels.width, wheels.track, wheels.axles[:1]), BLACK)
    add_wheels(model, g, wheels)
    add_face(model, g, front, width * 0.92, low - 0.12, low + cab_height * 0.48)
    add_face(model, g, rear, width * 0.8, low - 0.15, low + 0.2)
    add_mirrors(model, width, front + 0.1, glass, BLACK)
    if chance(g, 0.4):
        model.add_pair(
            cylinder(0.06, cab_height * 0.9, 10).moved(width * 0.4, front + cab + 0.06, low + cab_height * 0.3), CHROME
        )
    add_extras(model, g, (front + 0.1, front + cab, width * 0.9, low + cab_height), paint)


def _bus(model: Model, g: np.random.Generator) -> None:
    length, width = between(g, 5.0, 7.0), between(g, 1.7, 2.0)
    decks = 2 if chance(g, 0.25) else 1
    radius = between(g, 0.36, 0.44)
    low, height = radius * 0.7, between(g, 1.6, 1.9) * (1.75 if decks == 2 else 1)
    front, rear = -length / 2, length / 2
    paint = paint_color(g)
    model.add(rounded_box((width, length, height), (0, 0, low + height / 2), between(g, 0.08, 0.3)), side_art(g, paint))
    model.add(
        rounded_box((width * 1.01, length * 0.98, height * 0.12), (0, 0, low + height * 0.06), 0.05),
        painted(any_color(g)),
    )
    windows = int(g.integers(5, 10))
    for deck in range(decks):
        z = low + height * (0.5 if decks == 1 else (0.3, 0.68)[deck])
        tall = height * (0.34 if decks == 1 else 0.2)
        add_windows(model, width, (front + 0.35, rear - 0.3), (z, z + tall), windows)
        model.add(rounded_box((width * 0.86, 0.04, tall * 1.2), (0, front, z + tall * 0.5), 0.02), GLASS)
        model.add(rounded_box((width * 0.8, 0.04, tall * 0.9), (0, rear, z + tall * 0.5), 0.02), GLASS)
    sign = lettering(g, (0.08, 0.08, 0.08), (0.98, 0.75, 0.15), 5, digits=chance(g, 0.5))
    model.add(rounded_box((width * 0.7, 0.05, 0.18), (0, front, low + height * 0.94), 0.02), patterned(sign))
    for y in (front + length * 0.13, front + length * 0.6):
        model.add(
            rounded_box((0.03, 0.55, height * 0.6 / decks), (width / 2, y, low + height * 0.36 / decks), 0.02), GLASS
        )
    wheels = Wheels(radius, 0.28, width + 0.03, (front + length * 0.25, rear - length * 0.22))
    add_arches(model, wheels, BLACK)
    add_wheels(model, g, wheels)
    add_face(model, g, front, width * 0.9, low, low + height * 0.42 / decks)
    add_face(model, g, rear, width * 0.9, low, low + height * 0.42 / decks)
    add_mirrors(model, width, front + 0.05, low + height * 0.7 / decks, BLACK)
    if chance(g, 0.6):
        for y in np.linspace(-0.3, 0.3, int(g.integers(1, 4))) * length:
            model.add(
                rounded_box((width * 0.5, 0.6, 0.16), (0, y, low + height + 0.05), 0.05), painted(grey(g, 0.5, 0.9))
            )
