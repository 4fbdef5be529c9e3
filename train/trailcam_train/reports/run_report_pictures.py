"""The parts of a report that are pictures: mistakes, likely label errors, attention and first layers of the network.

A sentence above each explains how to read it. Pictures are (H, W, 3) uint8 RGB.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

from trailcam_core.datasets.run_directory import SplitRow
from trailcam_core.images.decode import read_image
from trailcam_core.images.resize import Image, fit_image
from trailcam_core.report.markup import Html, fill, paragraph
from trailcam_core.report.pictures import picture, pictures
from trailcam_core.report.tables import html_table
from trailcam_core.spec import InputSpec
from trailcam_train.evaluation.explain import FeatureMaps, feature_maps, grad_cam
from trailcam_train.evaluation.label_errors import find_label_errors

Floats = npt.NDArray[np.floating[Any]]
Positions = npt.NDArray[np.intp]

_THUMBNAIL = InputSpec(128, 128, "letterbox")
_SHOWN = 24  # mistakes and label errors as pictures; each is about 6 kB of the page
_LISTED = 300  # label errors by name
_MOST_WRONG = 0.2  # of the held-out pictures: a worse model contradicts more right labels than wrong ones
_EXPLAINED = 6  # right and wrong answers each
_EXPLAINED_PX = 160  # longer side of each picture in a row
_CHANNELS, _COLUMNS, _CHANNEL_PX = 32, 8, 56  # of a layer


@dataclass(frozen=True)
class Pictures:
    """Pictures that a model answered: N ``rows`` below ``data``, their ``class_ids`` (N,) and ``shares`` (N, K).

    Shares are probabilities, 0..1.
    """

    data: Path
    labels: tuple[str, ...]
    rows: tuple[SplitRow, ...]
    class_ids: npt.NDArray[np.int32]
    shares: Floats

    @property
    def answers(self) -> Positions:
        """The class id answered for each, (N,)."""
        return np.asarray(self.shares.argmax(axis=1))

    @property
    def confidence(self) -> Floats:
        """The probability of each answer, (N,)."""
        return np.asarray(self.shares.max(axis=1))

    def mistakes(self) -> Positions:
        """Return the positions of wrong answers, the most confident first."""
        wrong = np.flatnonzero(self.answers != self.class_ids)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")]

    def fitted(self, position: int, spec: InputSpec) -> Image:
        """Return a picture as an input of this kind."""
        return fit_image(read_image(self.data / self.rows[position].file, spec), spec)

    def caption(self, position: int) -> list[tuple[str, str]]:
        """Return label, answer with its confidence, and file of a picture, as lines of a caption."""
        row, answer = self.rows[position], self.labels[int(self.answers[position])]
        right = answer == row.label
        answered = f"answered {answer} {self.confidence[position]:.0%}\N{NO-BREAK SPACE}{'✓' if right else '✗'}"
        return [("truth", row.label), ("right" if right else "wrong", answered), ("file", row.file)]


def show_mistakes(test: Pictures) -> Html:
    """Return the most confident mistakes.

    Raises:
        SourceError: a picture can no longer be read; so for all parts here.
    """
    wrong = test.mistakes()
    if not len(wrong):
        return paragraph("None on the test pictures.")
    shown = wrong[:_SHOWN]
    count = f"{len(shown)} of {len(wrong):,}" if len(shown) < len(wrong) else f"All {len(wrong)}"
    text = paragraph(f"{count}. The label first, then the answer with its confidence.", "hint")
    return text + pictures(picture(test.fitted(p, _THUMBNAIL), test.caption(p)) for p in shown)


def show_label_errors(held_out: Pictures) -> Html:
    """Return pictures whose label is likely wrong, among validation and test pictures together."""
    wrong_fraction = len(held_out.mistakes()) / len(held_out.rows)
    if wrong_fraction > _MOST_WRONG:
        return paragraph(
            f"Not judged: this model is itself wrong on {wrong_fraction:.0%} of the validation and test pictures. A "
            f"label is suspected only by a model that is wrong on at most {_MOST_WRONG:.0%}."
        )
    found = find_label_errors(held_out.shares, held_out.class_ids)
    text = paragraph(
        f"{len(found):,} of {len(held_out.rows):,} validation and test pictures are suspected by confident learning: "
        "the model is as sure of another class as it usually is of pictures with that label. Training pictures cannot "
        "be judged so, because the model has learned their labels."
    )
    if not found:
        return text
    text += paragraph(
        "Does the picture show its label? If not, move it to the right folder and train again; if it does, the model "
        "is wrong.",
        "hint",
    )
    rows = [held_out.rows[error.position] for error in found]
    given = [f"{row.label} {error.given_probability:.0%}" for row, error in zip(rows, found, strict=True)]
    rather = [f"rather {held_out.labels[error.suggested]} {error.suggested_probability:.0%}" for error in found]
    text += pictures(
        picture(held_out.fitted(error.position, _THUMBNAIL), [("truth", label), ("wrong", other), ("file", row.file)])
        for error, label, other, row in zip(found[:_SHOWN], given, rather, rows, strict=False)
    )
    if len(found) > _SHOWN:
        every = [(row.file, row.split, *names) for row, *names in zip(rows, given, rather, strict=True)][:_LISTED]
        listed = html_table(["file", "split", "label", "rather"], every, kind="texts")
        text += fill("<details><summary>The first {:,} by name</summary>{}</details>", len(every), listed)
    return text


def show_attention(test: Pictures, model: keras.Model, spec: InputSpec) -> Html:
    """Return Grad-CAM of a few wrong and a few right answers; ``spec`` is the input of ``model``."""
    wrong = test.mistakes()[:_EXPLAINED]
    right = _from_sure_to_unsure(test)
    positions = np.concatenate([wrong, right])
    images = np.stack([test.fitted(p, spec) for p in positions])
    asked = np.concatenate([images, images[: len(wrong)]])
    class_ids = np.concatenate([test.answers[positions], test.class_ids[wrong]])
    maps = grad_cam(model, asked, class_ids)
    if not maps.size:
        return paragraph("This network has no last convolution to trace an answer back to, so there is no Grad-CAM.")
    figures = []
    for number, position in enumerate(positions):
        heats = [(maps[number], f"for {test.labels[class_ids[number]]}")]
        if number < len(wrong):
            heats.append((maps[len(positions) + number], f"for {test.labels[class_ids[len(positions) + number]]}"))
        image = _shrink(images[number])
        row = [(image, "picture"), *((_glow(image, heat), text) for heat, text in heats)]
        figures.append(picture(row, test.caption(position)))
    text = paragraph(
        "Grad-CAM: bright where the picture speaks for a class. It should lie on the animal; light on the background, "
        "a caption or the frame means that the network learned the surroundings.",
        "hint",
    )
    for heading, shown in (
        ("Wrong answers, the most confident", figures[: len(wrong)]),
        ("Right answers, from the surest to the least sure", figures[len(wrong) :]),
    ):
        text += fill("<h3>{}</h3>{}", heading, pictures(shown, "wide")) if shown else ""
    return text


def show_first_layers(test: Pictures, model: keras.Model, spec: InputSpec) -> Html:
    """Return the output of the first convolution and the first pooling for one test picture."""
    chosen = _from_sure_to_unsure(test)
    position = int(chosen[0]) if len(chosen) else 0
    image = test.fitted(position, spec)
    found = feature_maps(model, image)
    if not found:
        return paragraph("This network has no convolution, so there are no feature maps.")
    text = paragraph(
        "Each tile is one channel, bright where it answers strongly. Edges, colours and textures are healthy; many "
        "flat or equal tiles mean channels that do no work.",
        "hint",
    )
    text += pictures([picture(_shrink(image), test.caption(position))])
    figures = []
    for maps in found:
        height, width, count = maps.maps.shape
        shown = f"the first {_CHANNELS} of {count:,}" if count > _CHANNELS else f"{count}"
        caption = f"After the first {maps.kind}, layer {maps.layer}: {shown} channels of {width} x {height} px"
        figures.append(picture(_tile(maps), [("", caption)]))
    text += pictures(figures, "large")
    if len(found) == 1:
        text += paragraph("This network pools only just before its answer: strides shrink the picture.")
    return text


def _from_sure_to_unsure(test: Pictures) -> Positions:
    """Return the positions of a few right answers, evenly spread over the confidence they had."""
    right = np.flatnonzero(test.answers == test.class_ids)
    ordered = right[np.argsort(-test.confidence[right], kind="stable")]
    chosen = np.linspace(0, len(ordered) - 1, min(_EXPLAINED, len(ordered))).round().astype(int)
    return np.asarray(ordered[chosen])


def _shrink(image: Image) -> Image:
    scale = _EXPLAINED_PX / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def _glow(image: Image, heat: npt.NDArray[np.float32]) -> Image:
    """Lay a map, (h, w) in 0..1, over a grey copy of the picture."""
    height, width = image.shape[:2]
    smooth = np.clip(cv2.resize(heat, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)[..., None]
    grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    colours = cv2.cvtColor(cv2.applyColorMap((smooth * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    opacity = 0.25 + 0.4 * smooth
    return np.asarray(grey * (1 - opacity) + colours * opacity, np.uint8)


def _tile(maps: FeatureMaps) -> Image:
    """Return channels as tiles of one picture, each from its least to its largest value."""
    channels = maps.maps[..., :_CHANNELS]
    low, high = channels.min(axis=(0, 1)), channels.max(axis=(0, 1))
    scaled = ((channels - low) / np.where(high > low, high - low, 1.0) * 255).astype(np.uint8)
    height, width, count = scaled.shape
    scale = _CHANNEL_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))  # (width, height) of a tile
    rows, gap = -(-count // _COLUMNS), 2
    sheet = np.full((rows * (size[1] + gap) - gap, _COLUMNS * (size[0] + gap) - gap), 128, np.uint8)
    for number in range(count):
        top, left = number // _COLUMNS * (size[1] + gap), number % _COLUMNS * (size[0] + gap)
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
        tile = cv2.resize(np.ascontiguousarray(scaled[..., number]), size, interpolation=interpolation)
        sheet[top : top + size[1], left : left + size[0]] = tile
    return np.asarray(cv2.cvtColor(sheet, cv2.COLOR_GRAY2RGB))
