"""Vases, bottles, cups, teapots, bowls and jars: surfaces of revolution with handles, spouts and lids."""

from __future__ import annotations

import numpy as np

from manyfields.views.inventory.looks import (
    any_color,
    any_pattern,
    between,
    bright,
    chance,
    dark,
    filled,
    lettering,
    metal,
    painted,
    pale,
    patterned,
    pick,
    wood,
)  # fmt: skip
from manyfields.views.inventory.model import Finish, Model
from manyfields.views.inventory.shapes import ball, cylinder, lathe, tube

Profile = list[tuple[float, float]]


def make_vessel(g: np.random.Generator) -> Model:
    model = Model()
    pick(g, (_vase, _vase, _bottle, _cup, _cup, _teapot, _bowl, _jar))(model, g)
    return model


def _glaze(g: np.random.Generator) -> Finish:
    colors = [any_color(g), any_color(g), bright(g)]
    return painted(colors[0], 0.35) if chance(g, 0.25) else patterned(any_pattern(g, colors), 0.35)


def _smooth(knots: Profile, steps: int = 28) -> Profile:
    """A smooth curve through (radius, z) knots that does not overshoot."""
    from scipy.interpolate import PchipInterpolator

    points = np.array(knots)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    curve = PchipInterpolator(along, points)(np.linspace(0, along[-1], steps))
    return [(max(float(r), 0.0), float(z)) for r, z in curve]


def _hollow(model: Model, outside: Profile, wall: float, outer: Finish, inner: Finish, depth: float = 0.85) -> None:
    """The outside of a pot, its closed foot, a rounded rim and the inside down to `depth` of its height."""
    (foot, z0), (mouth, z1) = outside[0], outside[-1]
    model.add(lathe([(0, z0), (foot, z0)], 32), outer)
    model.add(lathe(outside, 32), outer)
    bottom = z1 - (z1 - z0) * depth
    inside = [(max(r - wall, 0.01), z) for r, z in outside if z > bottom]
    rim = [(mouth, z1), (mouth - wall * 0.5, z1 + wall * 0.4), (max(mouth - wall, 0.01), z1)]
    model.add(lathe([*rim, *inside[::-1], (0, inside[0][1])], 32), inner)


def _handle(
    model: Model, finish: Finish, x: float, low: float, high: float, out: float, thick: float, turn: float = 0.0
) -> None:
    angles = np.linspace(-np.pi / 2, np.pi / 2, 13)
    middle, half = (low + high) / 2, (high - low) / 2
    path = [(x + out * np.cos(a), 0.0, middle + half * np.sin(a)) for a in angles]
    model.add(tube(path, thick).turned("z", turn), finish)


def _vase(model: Model, g: np.random.Generator) -> None:
    height = between(g, 1.4, 2.6)
    foot, belly, neck = between(g, 0.2, 0.5), between(g, 0.45, 0.9), between(g, 0.12, 0.4)
    at = between(g, 0.25, 0.65)
    knots = [
        (foot, 0.0), (foot * between(g, 0.8, 1.1), 0.06), (belly, height * at),
        (neck, height * between(g, 0.78, 0.88)), (neck * between(g, 1.0, 1.9), height),
    ]  # fmt: skip
    glaze = _glaze(g)
    _hollow(model, _smooth(knots), 0.05, glaze, painted(any_color(g), 0.4))
    if chance(g, 0.4):
        trim = metal(g) if chance(g, 0.3) else painted(any_color(g))
        for turn in (0, 180):
            _handle(model, trim, neck * 0.95, height * at * 1.15, height * 0.85, between(g, 0.3, 0.6), 0.05, turn)


def _bottle(model: Model, g: np.random.Generator) -> None:
    height, radius = between(g, 1.8, 2.8), between(g, 0.35, 0.55)
    neck, shoulder = radius * between(g, 0.28, 0.45), between(g, 0.5, 0.72)
    body = [
        (radius * 0.94, 0.0), (radius, 0.05), (radius * between(g, 0.85, 1.05), height * shoulder * 0.5),
        (radius, height * shoulder), (neck, height * (shoulder + 0.16)), (neck, height),
    ]  # fmt: skip
    finish = painted(pick(g, (bright, bright, dark, pale))(g), 0.2)
    model.add(lathe([(0, 0), *_smooth(body, 36), (0, height)], 32), finish)
    low, high = height * shoulder * between(g, 0.15, 0.3), height * shoulder * between(g, 0.7, 0.95)
    sign = lettering(g, pale(g), dark(g), int(g.integers(3, 6)))
    label = np.tile(
        np.concatenate([filled(bright(g), 6, sign.shape[1]), sign, filled(bright(g), 6, sign.shape[1])]), (1, 2, 1)
    )
    art = patterned(label) if chance(g, 0.7) else _glaze(g)
    if body[2][0] < radius:
        model.add(lathe([(radius * 1.01, low), (radius * 1.01, high)], 32), art)
    else:
        model.add(lathe([(radius * 1.06, low), (radius * 1.06, high)], 32), art)
    cap = metal(g) if chance(g, 0.5) else painted(pick(g, (bright, wood))(g))
    model.add(cylinder(neck * 1.15, between(g, 0.12, 0.35), 20, 0.02).moved(z=height - 0.06), cap)


def _cup(model: Model, g: np.random.Generator) -> None:
    height, radius = between(g, 0.8, 1.4), between(g, 0.42, 0.6)
    foot = radius * between(g, 0.55, 1.0)
    knots = [(foot, 0.0), (foot * 1.03, 0.04), (radius * between(g, 0.85, 1.1), height * 0.5), (radius, height)]
    glaze = _glaze(g)
    inner = painted(pale(g), 0.35)
    _hollow(model, _smooth(knots, 18), 0.05, glaze, inner, 0.9)
    handle = painted(any_color(g), 0.4) if chance(g, 0.5) else inner
    side = pick(g, (0.0, 0.0, 180.0))
    _handle(
        model, handle, radius * 0.88, height * 0.2, height * 0.82, between(g, 0.28, 0.45), between(g, 0.04, 0.07), side
    )
    if chance(g, 0.6):
        drink = pick(g, ((0.25, 0.13, 0.06), (0.65, 0.3, 0.1), (0.93, 0.9, 0.85), (0.5, 0.65, 0.2)))
        model.add(lathe([(radius * 0.9, height * 0.85), (0, height * 0.85)], 28), painted(drink, 0.3))
    if chance(g, 0.4):
        plate = [
            (0, -0.08),
            (radius, -0.08),
            (radius * 1.6, 0.02),
            (radius * 1.65, 0.06),
            (radius * 1.1, -0.02),
            (0, -0.02),
        ]
        model.add(lathe(plate, 32), glaze if chance(g, 0.5) else handle)


def _teapot(model: Model, g: np.random.Generator) -> None:
    height, radius = between(g, 0.9, 1.4), between(g, 0.65, 0.9)
    opening = radius * between(g, 0.35, 0.6)
    knots = [(radius * between(g, 0.45, 0.75), 0.0), (radius, height * between(g, 0.35, 0.6)), (opening, height)]
    glaze, trim = _glaze(g), painted(any_color(g), 0.35)
    model.add(lathe([(0, 0), *_smooth(knots, 26)], 32), glaze)
    lid = between(g, 0.1, 0.3)
    model.add(
        lathe(
            [
                (opening * 1.08, height - 0.02),
                (opening * 1.05, height + 0.05),
                *_smooth([(opening, height + 0.05), (opening * 0.6, height + lid), (0, height + lid * 1.1)], 8),
            ],
            28,
        ),
        trim,
    )
    model.add(
        ball(between(g, 0.08, 0.13), 14, 8).moved(z=height + lid * 1.1 + 0.06), metal(g) if chance(g, 0.3) else trim
    )
    reach = between(g, 0.5, 0.75)
    spout = [
        (radius * 0.75, 0, height * 0.3),
        (radius + reach * 0.45, 0, height * 0.45),
        (radius + reach * 0.7, 0, height * 0.75),
        (radius + reach, 0, height * between(g, 0.9, 1.1)),
    ]
    model.add(tube(spout, [0.17, 0.13, 0.09, 0.075], 14).mirrored(), trim if chance(g, 0.6) else glaze)
    if chance(g, 0.6):
        _handle(model, trim, radius * 0.8, height * 0.2, height * 0.85, between(g, 0.4, 0.6), 0.06)
    else:
        angles = np.linspace(0, np.pi, 15)
        path = [(radius * 0.75 * np.cos(a), 0.0, height * 0.8 + height * 0.9 * np.sin(a)) for a in angles]
        model.add(tube(path, 0.05), trim)


def _bowl(model: Model, g: np.random.Generator) -> None:
    radius, height = between(g, 0.8, 1.2), between(g, 0.4, 0.8)
    knots = [(radius * between(g, 0.3, 0.5), 0.0), (radius * 0.7, height * 0.3), (radius, height)]
    _hollow(model, _smooth(knots, 16), 0.05, _glaze(g), _glaze(g), 0.9)
    if chance(g, 0.6):
        for _ in range(int(g.integers(4, 11))):
            size, angle, away = between(g, 0.16, 0.26), between(g, 0, 2 * np.pi), between(g, 0, radius * 0.5)
            fruit = ball(size, 16, 10).scaled(1, 1, between(g, 0.8, 1.2))
            at = (away * np.cos(angle), away * np.sin(angle), height * 0.75 + (radius * 0.6 - away) * 0.3)
            model.add(fruit.moved(*at), painted(bright(g), 0.4))


def _jar(model: Model, g: np.random.Generator) -> None:
    height, radius = between(g, 0.9, 1.8), between(g, 0.5, 0.75)
    neck = radius * between(g, 0.7, 0.92)
    knots = [(radius * 0.9, 0.0), (radius, 0.1), (radius, height * 0.75), (neck, height * 0.88), (neck, height)]
    model.add(lathe([(0, 0), *_smooth(knots, 24), (0, height)], 32), _glaze(g))
    lid = painted(wood(g), 0.8) if chance(g, 0.4) else (metal(g) if chance(g, 0.5) else painted(any_color(g), 0.4))
    model.add(cylinder(neck * between(g, 1.05, 1.2), between(g, 0.1, 0.25), 28, 0.03).moved(z=height), lid)
    if chance(g, 0.5):
        model.add(ball(between(g, 0.08, 0.14), 14, 8).moved(z=height + 0.25), lid)
