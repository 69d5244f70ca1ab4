"""Chairs, stools, tables, cabinets, shelves and lamps. About a metre in size, front at -y, standing on z = 0."""

from __future__ import annotations

import numpy as np

from manyfields.views.inventory.looks import (
    any_color,
    any_pattern,
    between,
    bright,
    chance,
    grey,
    metal,
    painted,
    pale,
    patterned,
    pick,
    wooden,
)  # fmt: skip
from manyfields.views.inventory.model import Finish, Model
from manyfields.views.inventory.shapes import ball, box, cylinder, lathe, rounded_box, tube


def make_furniture(g: np.random.Generator) -> Model:
    model = Model()
    pick(g, (_chair, _chair, _armchair, _stool, _table, _cabinet, _shelf, _lamp))(model, g)
    return model


def _frame(g: np.random.Generator) -> Finish:
    return pick(g, (wooden, wooden, metal, lambda g: painted(any_color(g))))(g)


def _cloth(g: np.random.Generator) -> Finish:
    return (
        painted(any_color(g), 0.95)
        if chance(g, 0.5)
        else patterned(any_pattern(g, [any_color(g), any_color(g), pale(g)]), 0.95)
    )


def _legs(model: Model, g: np.random.Generator, finish: Finish, width: float, depth: float, height: float) -> None:
    """Four legs, straight or splayed, round, square or turned, perhaps with rails between them."""
    style, thick, splay = int(g.integers(3)), between(g, 0.025, 0.045), between(g, 0, 0.08) * chance(g, 0.5)
    for sx in (-1, 1):
        for sy in (-1, 1):
            x, y = sx * (width / 2 - thick), sy * (depth / 2 - thick)
            if style == 0 and not splay:
                model.add(box((2 * thick, 2 * thick, height), (x, y, height / 2)), finish)
            elif style == 1:
                waves = [
                    (thick * (1 + 0.5 * np.sin(3 * np.pi * t) * (1 - t)), t * height) for t in np.linspace(0, 1, 14)
                ]
                model.add(lathe([(0, 0), *waves, (0, height)], 12).moved(x, y), finish)
            else:
                foot = (x + sx * splay, y + sy * splay, 0.0)
                model.add(tube([foot, (x, y, height)], [thick * 0.7, thick], 10), finish)
    if chance(g, 0.4):
        z = height * between(g, 0.25, 0.5)
        for sign in (-1, 1):
            model.add(box((thick, depth - 2 * thick, thick), (sign * (width / 2 - thick), 0, z)), finish)
        model.add(box((width - 2 * thick, thick, thick), (0, 0, z)), finish)


def _chair(model: Model, g: np.random.Generator) -> None:
    width, depth, seat = between(g, 0.42, 0.55), between(g, 0.42, 0.55), between(g, 0.42, 0.52)
    frame = _frame(g)
    _legs(model, g, frame, width, depth, seat)
    model.add(rounded_box((width, depth, 0.045), (0, 0, seat), 0.02), frame)
    if chance(g, 0.6):
        model.add(rounded_box((width * 0.92, depth * 0.92, 0.07), (0, 0, seat + 0.045), 0.03), _cloth(g))
    height, lean = between(g, 0.38, 0.65), between(g, 0.0, 0.12)
    y, style = depth / 2 - 0.02, int(g.integers(4))
    for sx in (-1, 1):
        x = sx * (width / 2 - 0.025)
        model.add(tube([(x, y, seat - 0.02), (x, y + lean, seat + height)], 0.022, 10), frame)

    def at(share: float) -> tuple[float, float]:
        return y + lean * share, seat + height * share

    if style == 0:
        back_y, back_z = at(0.65)
        panel = rounded_box((width * 0.95, 0.045, height * 0.6), (0, 0, 0), 0.02).turned(
            "x", -np.rad2deg(np.arctan2(lean, height))
        )
        model.add(panel.moved(0, back_y, back_z), _cloth(g))
    elif style == 1:
        for share in np.linspace(0.3, 1.0, int(g.integers(2, 6))):
            rail_y, rail_z = at(float(share))
            model.add(rounded_box((width, 0.025, height * 0.12), (0, rail_y, rail_z - height * 0.06), 0.012), frame)
    elif style == 2:
        rail_y, rail_z = at(0.97)
        model.add(rounded_box((width * 1.05, 0.035, 0.07), (0, rail_y, rail_z), 0.015), frame)
        for x in np.linspace(-0.36, 0.36, int(g.integers(3, 8))) * width:
            model.add(tube([(x, y, seat), (x, rail_y, rail_z)], 0.011, 8), frame)
    else:
        back_y, back_z = at(0.6)
        ring = [
            (0.32 * width * np.cos(a), back_y, back_z + 0.32 * height * np.sin(a))
            for a in np.linspace(0, 2 * np.pi, 21)
        ]
        model.add(tube(ring, 0.018, 8), frame)
        disc = cylinder(0.32, 0.03, 24, 0.01).scaled(width, height, 1).turned("x", 90)
        model.add(disc.moved(0, back_y + 0.015, back_z), _cloth(g))
    if chance(g, 0.3):
        for sx in (-1, 1):
            x = sx * width * 0.52
            model.add(rounded_box((0.045, depth * 0.9, 0.035), (x, 0, seat + 0.22), 0.015), frame)
            model.add(box((0.03, 0.03, 0.22), (x, -depth * 0.4, seat + 0.11)), frame)


def _armchair(model: Model, g: np.random.Generator) -> None:
    width, depth = between(g, 0.7, 1.7), between(g, 0.65, 0.85)
    cloth, cushion = _cloth(g), painted(any_color(g), 0.95)
    base, arm = between(g, 0.18, 0.3), between(g, 0.1, 0.2)
    legs = _frame(g)
    for sx in (-1, 1):
        for sy in (-1, 1):
            model.add(cylinder(0.02, 0.12, 10, top_radius=0.035).moved(sx * width * 0.44, sy * depth * 0.4), legs)
    model.add(rounded_box((width, depth, base), (0, 0, 0.1 + base / 2), 0.05), cloth)
    seats = max(1, round((width - 2 * arm) / 0.6))
    step = (width - 2 * arm) / seats
    for i in range(seats):
        x = -width / 2 + arm + (i + 0.5) * step
        model.add(rounded_box((step * 0.97, depth * 0.85, 0.15), (x, -depth * 0.05, 0.15 + base), 0.05, 3), cushion)
    back = between(g, 0.4, 0.65)
    model.add(
        rounded_box((width, 0.2, back + base), (0, depth / 2 - 0.1, 0.1 + (back + base) / 2), between(g, 0.05, 0.1), 3),
        cloth,
    )
    rise = between(g, 0.2, 0.32)
    for sx in (-1, 1):
        x = sx * (width / 2 - arm / 2)
        model.add(rounded_box((arm, depth, base + rise), (x, 0, 0.1 + (base + rise) / 2), arm * 0.4, 3), cloth)
    for _ in range(int(g.integers(0, 3))):
        pillow = rounded_box((0.34, 0.13, 0.34), (0, 0, 0), 0.06, 3).turned("x", -15)
        model.add(pillow.moved(between(g, -0.3, 0.3) * (width - 2 * arm), depth * 0.2, base + 0.42), _cloth(g))


def _stool(model: Model, g: np.random.Generator) -> None:
    radius, height, frame = between(g, 0.17, 0.26), between(g, 0.4, 0.8), _frame(g)
    seat = _cloth(g) if chance(g, 0.6) else frame
    model.add(cylinder(radius, between(g, 0.05, 0.12), 28, 0.025).moved(z=height), seat)
    if chance(g, 0.35):
        model.add(cylinder(0.03, height, 14), frame)
        model.add(cylinder(radius * 1.1, 0.04, 28, 0.015), frame)
    else:
        count = int(g.integers(3, 5))
        for i in range(count):
            angle = 2 * np.pi * (i + 0.5) / count
            c, s = np.cos(angle), np.sin(angle)
            foot, top = radius * between(g, 1.0, 1.4), radius * 0.75
            model.add(tube([(foot * c, foot * s, 0), (top * c, top * s, height)], [0.016, 0.022], 10), frame)
        z = height * between(g, 0.25, 0.45)
        circle = [(radius * np.cos(a), radius * np.sin(a), z) for a in np.linspace(0, 2 * np.pi, 25)]
        model.add(tube(circle, 0.012, 8), metal(g) if chance(g, 0.5) else frame)


def _table(model: Model, g: np.random.Generator) -> None:
    width, depth, height = between(g, 0.7, 1.6), between(g, 0.6, 0.95), between(g, 0.4, 0.8)
    top, frame = pick(g, (wooden, wooden, lambda g: painted(any_color(g), 0.4), _cloth))(g), _frame(g)
    if chance(g, 0.35):
        radius = depth * 0.6
        model.add(cylinder(radius, 0.045, 36, 0.015).moved(z=height), top)
        stem = [(0.06, 0.05), (0.045, height * 0.3), (0.08, height * 0.6), (0.04, height * 0.8), (0.1, height)]
        model.add(lathe(stem, 18), frame)
        count = int(g.integers(3, 6))
        for i in range(count):
            leg = tube([(0, 0, 0.14), (radius * 0.35, 0, 0.09), (radius * 0.65, 0, 0.02)], [0.035, 0.03, 0.025], 10)
            model.add(leg.turned("z", 360 * i / count), frame)
    else:
        _legs(model, g, frame, width * 0.94, depth * 0.92, height)
        model.add(rounded_box((width, depth, 0.045), (0, 0, height + 0.02), 0.015), top)
        model.add(box((width * 0.86, depth * 0.84, 0.08), (0, 0, height - 0.04)), frame)
        if chance(g, 0.4):
            for x in (-0.2, 0.2):
                model.add(
                    rounded_box((width * 0.36, 0.02, 0.07), (x * width, -depth * 0.43, height - 0.045), 0.006), top
                )
                model.add(ball(0.015, 10, 6).moved(x * width, -depth * 0.455, height - 0.045), metal(g))
    for _ in range(int(g.integers(0, 4))):
        x, y = between(g, -0.3, 0.3) * width, between(g, -0.25, 0.25) * depth
        thing, finish, z = int(g.integers(3)), painted(bright(g), 0.5), height + 0.045
        if thing == 0:
            model.add(cylinder(0.04, 0.1, 18, 0.008, 0.05).moved(x, y, z), finish)
        elif thing == 1:
            model.add(
                rounded_box((0.2, 0.15, 0.04), (0, 0, 0.02), 0.008).turned("z", between(g, 0, 90)).moved(x, y, z),
                finish,
            )
        else:
            model.add(
                lathe([(0, 0), (0.06, 0), (0.13, 0.06), (0.12, 0.06), (0.05, 0.015), (0, 0.015)], 22).moved(x, y, z),
                finish,
            )


def _front_grid(model: Model, g: np.random.Generator, size: tuple[float, float, float], z0: float) -> None:
    """Doors or drawers with knobs or bars on the front of a box."""
    width, depth, height = size
    columns, rows = int(g.integers(1, 4)), int(g.integers(1, 5))
    face, second, grip = _frame(g), _frame(g), metal(g)
    for column in range(columns):
        for row in range(rows):
            w, h = width * 0.94 / columns, height * 0.94 / rows
            x, z = (column + 0.5 - columns / 2) * w, z0 + height * 0.03 + (row + 0.5) * h
            model.add(
                rounded_box((w * 0.95, 0.025, h * 0.94), (x, -depth / 2, z), 0.008),
                second if (row + column) % 2 and rows > 2 else face,
            )
            if h > w * 0.9:
                side = 1 if column < columns / 2 else -1
                model.add(
                    rounded_box((0.018, 0.03, min(0.16, h * 0.4)), (x + side * w * 0.38, -depth / 2 - 0.025, z), 0.006),
                    grip,
                )
            else:
                model.add(ball(0.022, 12, 8).moved(x, -depth / 2 - 0.03, z), grip)


def _cabinet(model: Model, g: np.random.Generator) -> None:
    width, depth, height = between(g, 0.5, 1.4), between(g, 0.35, 0.5), between(g, 0.5, 1.5)
    body, leg = _frame(g), between(g, 0.04, 0.2)
    model.add(rounded_box((width, depth, height), (0, 0, leg + height / 2), 0.015), body)
    model.add(rounded_box((width * 1.05, depth * 1.06, 0.04), (0, 0, leg + height + 0.01), 0.012), wooden(g))
    feet = _frame(g)
    for sx in (-1, 1):
        for sy in (-1, 1):
            model.add(cylinder(0.02, leg + 0.01, 10, top_radius=0.035).moved(sx * width * 0.44, sy * depth * 0.4), feet)
    _front_grid(model, g, (width, depth, height), leg)


def _shelf(model: Model, g: np.random.Generator) -> None:
    width, depth, height = between(g, 0.5, 1.1), between(g, 0.25, 0.35), between(g, 0.8, 1.8)
    frame, boards = _frame(g), int(g.integers(3, 7))
    for sx in (-1, 1):
        model.add(box((0.03, depth, height), (sx * width / 2, 0, height / 2)), frame)
    model.add(box((width, 0.015, height), (0, depth / 2, height / 2)), painted(any_color(g), 0.8))
    step = (height - 0.06) / (boards - 1)
    for board in range(boards):
        z = 0.03 + board * step
        model.add(box((width, depth, 0.025), (0, 0, z)), frame)
        x = -width / 2 + 0.04
        while board < boards - 1 and x < width / 2 - 0.12:
            thick, tall = between(g, 0.025, 0.07), step * between(g, 0.5, 0.85)
            if chance(g, 0.8):
                book = rounded_box(
                    (thick, depth * 0.7, tall), (x + thick / 2, -depth * 0.05, z + 0.013 + tall / 2), 0.006, 1
                )
                model.add(book, painted(any_color(g), 0.7))
            else:
                thick = 0.12
                model.add(ball(min(0.055, step * 0.4), 16, 10).moved(x + 0.06, 0, z + 0.06), painted(bright(g), 0.4))
            x += thick + 0.004 + between(g, 0, 0.12) * chance(g, 0.2)


def _lamp(model: Model, g: np.random.Generator) -> None:
    height, frame = between(g, 0.5, 1.6), _frame(g)
    base = between(g, 0.12, 0.2)
    model.add(cylinder(base, 0.04, 28, 0.015), frame)
    if height < 0.9 and chance(g, 0.7):
        belly = between(g, 0.08, 0.17)
        angles, fullness = np.linspace(0.15, np.pi - 0.1, 14), between(g, 0.7, 1.1)
        profile = [(belly * np.sin(a) ** fullness, 0.03 + height * 0.62 * (1 - np.cos(a)) / 2) for a in angles]
        model.add(lathe(profile, 26), patterned(any_pattern(g, [any_color(g), any_color(g), pale(g)]), 0.4))
    model.add(cylinder(0.014, height, 12), frame)
    low, high, tall = between(g, 0.16, 0.3), between(g, 0.08, 0.2), between(g, 0.18, 0.35)
    shade = painted(pale(g), 0.9) if chance(g, 0.4) else _cloth(g)
    z = height - tall * 0.4
    model.add(lathe([(low, z), (high, z + tall), (high - 0.01, z + tall), (low - 0.01, z)], 30), shade)
    model.add(ball(0.05, 14, 8).moved(z=z + tall * 0.35), painted((1.0, 0.97, 0.85), 0.5))
    model.add(cylinder(high, 0.01, 24).moved(z=z + tall * 0.93), painted(grey(g), 0.8))
