"""Text recognition: an image → its printed lines, each with its position and the model's confidence.

The models are PP-OCRv4 for Chinese and English, from the wheel `rapidocr-onnxruntime`. Its code is not imported:
it needs OpenCV with GUI support (which does not import without a display library), loses the spaces of English
headings, and wrongly turns single lines upside down. Here a page is rotated as a whole, to the orientation with the
highest confidence, and spaces are restored from the gaps in the image.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from activities.readers.ocr.boxes import Box, boxes
from activities.readers.ocr.words import spaced

if TYPE_CHECKING:
    import onnxruntime

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when onnxruntime is loaded; it reports to its makers otherwise

_DETECTOR, _RECOGNISER = "ch_PP-OCRv4_det_infer.onnx", "ch_PP-OCRv4_rec_infer.onnx"
_MOST_THREADS = 4  # more threads hardly speed up these small models
_SIDE, _LARGEST_SIDE = 1280, 2560  # pixels of the longer side for detection: 110 dpi of an A4 page
_MOST_GROWTH = 3.0  # enlargement of a small image for detection
_SMALL, _CLEAR = 14.0, 18.0  # line heights in the detector's pixels: too small to separate lines, large enough
_MULTIPLE = 32  # the models' input sides are rounded to it: few shapes keep ONNX Runtime's memory flat
_LONG = 2.2  # height ÷ width above which an image is processed in bands
_BAND = 1.5  # height of a band ÷ width
_MOST_BANDS = 100  # bands of an image higher than these are higher
_LINE_HEIGHT = 48  # height in pixels of the recogniser's input
_NARROWEST, _WIDEST = 320, 3200  # width in pixels of the recogniser's input
_SAMPLE = 6  # lines that decide the orientation of a page
_UNSURE = 0.85  # median confidence below which a page may be upside down
_LEAST, _LEAST_SHORT = 0.6, 0.8  # confidence below which a line, or a short line, is not text
_LEVEL = 0.15  # a line that rises by less, in line heights, is cropped without rotation

Pixels = NDArray[np.uint8]
Turn = Image.Transpose


class TextLine(msgspec.Struct):
    """One line of text with its confidence (0–1). ``box`` is in pixels of the rotated image."""

    text: str
    score: float
    box: Box


class Recognised(msgspec.Struct):
    """The lines of an image, unordered, and its size in pixels after it was rotated upright."""

    lines: list[TextLine]
    width: int
    height: int


def recognise(image: Image.Image) -> Recognised:
    """Recognises all text in an RGB image; rotates pages that lie on their side or are upside down first."""
    engine = _engine()
    places = engine.detect(image)
    if places and sum(box.height for box in places if box.tall) > sum(box.width for box in places if not box.tall):
        image = image.transpose(engine.better_turn(image, places, Turn.ROTATE_90, Turn.ROTATE_270))
        places = engine.detect(image)
    lines = engine.read(image, places)
    if lines and median(line.score for line in lines) < _UNSURE:
        turned = image.transpose(Turn.ROTATE_180)
        opposite = [msgspec.structs.replace(box, x=image.width - box.x, y=image.height - box.y) for box in places]
        if engine.reads_better(turned, opposite, image, places):
            image, lines = turned, engine.read(turned, opposite)
    return Recognised(lines=[line for line in lines if _is_text(line)], width=image.width, height=image.height)


def _is_text(line: TextLine) -> bool:
    letters = [character for character in line.text if not character.isspace()]
    short = len(letters) < 3 and line.text.isascii()
    return bool(letters) and line.score >= (_LEAST_SHORT if short else _LEAST)


@cache
def _engine() -> _Engine:
    """The models of this process, loaded on first use because their threads do not survive a fork."""
    return _Engine()


def threads() -> int:
    """Threads for one document: at most half of the cores, since other documents are processed at the same time."""
    return max(1, min(_MOST_THREADS, len(os.sched_getaffinity(0)) // 2))


class _Engine:
    """The detection and the recognition model."""

    def __init__(self) -> None:
        package = find_spec("rapidocr_onnxruntime")  # located without an import
        if package is None or package.origin is None:
            raise ModuleNotFoundError("rapidocr_onnxruntime")
        folder = Path(package.origin).parent / "models"
        self._detector, self._recogniser = (_session(folder / name) for name in (_DETECTOR, _RECOGNISER))
        alphabet = self._recogniser.get_modelmeta().custom_metadata_map["character"].splitlines()
        self._alphabet = ["", *alphabet, " "]

    def detect(self, image: Image.Image) -> list[Box]:
        """The boxes of text lines, in the image's pixels; enlarges an image with small print and detects again."""
        boxes_found: list[Box] = []
        for top, bottom in _bands(image):
            band = image.crop((0, top, image.width, bottom))
            factor = min(_MOST_GROWTH, _SIDE / max(band.size))
            places = self._detect(band, factor)
            heights = [min(box.width, box.height) * factor for box in places]
            if heights and median(heights) < _SMALL:
                places = self._detect(band, min(factor * _CLEAR / median(heights), _LARGEST_SIDE / max(band.size)))
            boxes_found += [msgspec.structs.replace(box, y=box.y + top) for box in places]
        return boxes_found

    def _detect(self, image: Image.Image, factor: float) -> list[Box]:
        width, height = (max(_MULTIPLE, round(side * factor / _MULTIPLE) * _MULTIPLE) for side in image.size)
        resized = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
        (output,) = self._detector.run(None, {"x": _normalised(resized)[None]})
        across, down = image.width / width, image.height / height
        return [
            Box(box.x * across, box.y * down, box.width * across, box.height * down, box.angle)
            for box in boxes(output[0, 0])
        ]

    def read(self, image: Image.Image, places: Sequence[Box]) -> list[TextLine]:
        """Recognises the text of each box; a tall box is read in both directions and the better result is kept."""
        flat = [box for box in places if not box.tall]
        tall = [box for box in places if box.tall]
        lines = self._texts([_cut(image, box) for box in flat])
        for readings in zip(
            *(
                self._texts([_cut(image, box).transpose(turn) for box in tall])
                for turn in (Turn.ROTATE_90, Turn.ROTATE_270)
            ),
            strict=True,
        ):
            lines.append(max(readings, key=lambda reading: reading[1]))
        return [TextLine(text, score, box) for (text, score), box in zip(lines, [*flat, *tall], strict=True)]

    def better_turn(self, image: Image.Image, places: Sequence[Box], one: Turn, other: Turn) -> Turn:
        """The rotation after which the longest lines, now on their side, are recognised with more confidence."""
        sample = [_cut(image, box) for box in sorted(places, key=lambda box: -box.height)[:_SAMPLE]]
        first, second = (_mean(self._texts([cut.transpose(turn) for cut in sample])) for turn in (one, other))
        return one if first >= second else other

    def reads_better(self, one: Image.Image, first: Sequence[Box], other: Image.Image, second: Sequence[Box]) -> bool:
        """Whether the longest lines are recognised with more confidence in ``one`` than in ``other``."""
        longest = sorted(range(len(first)), key=lambda index: -first[index].width)[:_SAMPLE]
        readings = (
            _mean(self._texts([_cut(image, places[index]) for index in longest]))
            for image, places in ((one, first), (other, second))
        )
        return next(readings) > next(readings)

    def _texts(self, cuts: Sequence[Image.Image]) -> list[tuple[str, float]]:
        """The text and confidence of each line, one at a time because batches are slower on a CPU."""
        return [self._text(_to_line(cut)) for cut in cuts]

    def _text(self, line: Image.Image) -> tuple[str, float]:
        width = max(_NARROWEST, -(-line.width // _MULTIPLE) * _MULTIPLE)
        tensor = np.zeros((1, 3, _LINE_HEIGHT, width), dtype=np.float32)
        tensor[0, :, :, : line.width] = _normalised(line)
        (output,) = self._recogniser.run(None, {"x": tensor})
        return self._decoded(output[0], line, width)

    def _decoded(self, output: NDArray[np.float32], line: Image.Image, width: int) -> tuple[str, float]:
        """Connectionist temporal classification: repeats are one character, class 0 is the blank."""
        best = output.argmax(axis=1)
        steps = np.flatnonzero((best != 0) & (best != np.concatenate([[0], best[:-1]])))
        if not len(steps):
            return "", 0.0
        characters = [self._alphabet[best[step]] for step in steps]
        centres = (steps + 0.5) * np.float64(width / len(best))
        return spaced(characters, centres, np.asarray(line.convert("L"))), float(output.max(axis=1)[steps].mean())


def _session(path: Path) -> onnxruntime.InferenceSession:
    import onnxruntime  # noqa: PLC0415 — starts a thread, which a fork of the fork server would lose

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads()
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # pages have many shapes, and each would keep a memory plan
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads use no CPU time
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _normalised(image: Image.Image) -> NDArray[np.float32]:
    """The image as an array (channel, row, column) with channels blue, green, red; values from -1 to 1."""
    pixels = np.asarray(image, dtype=np.float32)[:, :, ::-1].transpose(2, 0, 1)
    return pixels / np.float32(127.5) - np.float32(1)


def _bands(image: Image.Image) -> list[tuple[int, int]]:
    """Top and bottom of the bands of an image much higher than wide, cut between lines of text."""
    if image.height <= _LONG * image.width:
        return [(0, image.height)]
    grey = np.asarray(image.convert("L"))
    contrast = np.abs(np.diff(grey.astype(np.int16), axis=1)).sum(axis=1)
    least = max(image.width, image.height // _MOST_BANDS)
    bands, top, step = [], 0, round(_BAND * least)
    while image.height - top > step + least:
        window = contrast[top + least : top + step]
        bottom = top + least + int(len(window) - 1 - window[::-1].argmin())
        bands.append((top, bottom))
        top = bottom
    return [*bands, (top, image.height)]


def _cut(image: Image.Image, box: Box) -> Image.Image:
    """The image inside a box, rotated to the horizontal."""
    width, height = max(1, round(box.width)), max(1, round(box.height))
    if abs(math.sin(box.angle)) * max(width, height) < _LEVEL * min(width, height):
        left, top = max(0, round(box.x - width / 2)), max(0, round(box.y - height / 2))
        right, bottom = min(image.width, left + width), min(image.height, top + height)
        return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    cosine, sine = math.cos(box.angle), math.sin(box.angle)
    matrix = (
        cosine, -sine, box.x - cosine * width / 2 + sine * height / 2,
        sine, cosine, box.y - sine * width / 2 - cosine * height / 2,
    )  # fmt: skip
    return image.transform(
        (width, height), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255)
    )


def _to_line(cut: Image.Image) -> Image.Image:
    width = min(_WIDEST, max(1, math.ceil(cut.width * _LINE_HEIGHT / cut.height)))
    return cut.resize((width, _LINE_HEIGHT), Image.Resampling.BILINEAR)


def _mean(texts: Sequence[tuple[str, float]]) -> float:
    return sum(score for _, score in texts) / max(1, len(texts))
