"""Text regions of an image: the detector's probability map → rotated rectangles.

The post-processing of DB (Liao et al., 2020, as in PaddleOCR) in NumPy. The wheel with the models uses OpenCV for
it, whose build with GUI support does not import without a display library.
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

_TEXT = 0.3  # a pixel is text above this probability
_REGION = 0.5  # a region is text above this mean probability
_UNCLIP = 1.6  # the detector marks the core of a line; boxes grow on each side by this many areas ÷ perimeters
_SMALLEST = 3.0  # pixels
_MOST = 3000  # regions per image

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Box(msgspec.Struct, frozen=True):
    """A rectangle in pixels, rotated about its centre by ``angle`` (radians, within ±45°; y points down)."""

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0

    @property
    def tall(self) -> bool:
        """Whether its text runs vertically."""
        return self.height >= 1.5 * self.width

    def scaled(self, factor: float) -> Box:
        """The same box in an image ``factor`` times as large."""
        return Box(self.x * factor, self.y * factor, self.width * factor, self.height * factor, self.angle)


def boxes(probability: NDArray[np.float32]) -> list[Box]:
    """The text regions in a probability map of shape (height, width), in the map's pixels."""
    mask = probability > _TEXT
    mask[1:] |= mask[:-1]  # so that a scratch does not split a line
    mask[:, 1:] |= mask[:, :-1]
    rows, starts, ends = _runs(mask)
    if not len(rows):
        return []
    label = _components(rows, starts, ends, mask.shape[1])
    sums = np.pad(np.cumsum(probability, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    mass = sums[rows, ends] - sums[rows, starts]
    order = np.argsort(label, kind="stable")
    cuts = np.flatnonzero(np.diff(label[order])) + 1
    regions = []
    for member in np.split(order, cuts)[:_MOST]:
        if mass[member].sum() < _REGION * (ends[member] - starts[member]).sum():
            continue
        points = np.concatenate(
            [np.stack([starts[member], rows[member]], 1), np.stack([ends[member] - 1, rows[member]], 1)]
        )
        box = _smallest_rectangle(_hull(points))
        if min(box.width, box.height) >= _SMALLEST:
            regions.append(_grown(box))
    return regions


def _runs(mask: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """Row, first column and past-the-end column of each horizontal run."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    return rows, starts, ends


def _components(rows: Ints, starts: Ints, ends: Ints, width: int) -> Ints:
    """A label for each run; runs that touch, also diagonally, share one."""
    stride = width + 2  # wider than a row, so that runs do not touch across a row's end
    first, last = rows * stride + starts, rows * stride + ends
    low = np.searchsorted(last, first + stride, side="left")
    high = np.searchsorted(first, last + stride, side="right")
    count = np.maximum(high - low, 0)
    above = np.repeat(np.arange(len(rows)), count)
    below = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
    label = np.arange(len(rows))
    while True:
        least = np.minimum(label[above], label[below])
        after = label.copy()
        np.minimum.at(after, label[above], least)
        np.minimum.at(after, label[below], least)
        after = after[after]
        if np.array_equal(after, label):
            return label
        label = after


def _hull(points: Ints) -> Floats:
    """The convex hull, by Andrew's monotone chain."""
    ordered = sorted({(int(x), int(y)) for x, y in points})
    if len(ordered) < 3:
        return np.array(ordered, dtype=np.float64)

    def half(chain: list[tuple[int, int]]) -> list[tuple[int, int]]:
        kept: list[tuple[int, int]] = []
        for x, y in chain:
            while len(kept) > 1 and _turn(kept[-2], kept[-1], (x, y)) <= 0:
                kept.pop()
            kept.append((x, y))
        return kept[:-1]

    return np.array(half(ordered) + half(ordered[::-1]), dtype=np.float64)


def _turn(a: tuple[int, int], b: tuple[int, int], c: tuple[int, int]) -> int:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _smallest_rectangle(hull: Floats) -> Box:
    """The rectangle of least area around a convex polygon; one of its sides lies on a side of the polygon."""
    sides = np.roll(hull, -1, axis=0) - hull
    angles = np.unique(np.append(_within_45(np.arctan2(sides[:, 1], sides[:, 0])), 0.0))
    across = np.outer(np.cos(angles), hull[:, 0]) + np.outer(np.sin(angles), hull[:, 1])
    down = np.outer(np.cos(angles), hull[:, 1]) - np.outer(np.sin(angles), hull[:, 0])
    left, right, top, bottom = across.min(1), across.max(1), down.min(1), down.max(1)
    best = int(np.argmin((right - left + 1) * (bottom - top + 1)))
    angle, u, v = float(angles[best]), (left[best] + right[best]) / 2, (top[best] + bottom[best]) / 2
    return Box(
        x=float(u * math.cos(angle) - v * math.sin(angle)),
        y=float(u * math.sin(angle) + v * math.cos(angle)),
        width=float(right[best] - left[best] + 1),
        height=float(bottom[best] - top[best] + 1),
        angle=angle,
    )


def _within_45(angles: Floats) -> Floats:
    quarter = math.pi / 2
    folded: Floats = (angles + quarter / 2) % quarter - quarter / 2
    return folded


def _grown(box: Box) -> Box:
    margin = box.width * box.height * _UNCLIP / (2 * (box.width + box.height))
    return Box(box.x, box.y, box.width + 2 * margin, box.height + 2 * margin, box.angle)
