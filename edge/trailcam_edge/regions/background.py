"""A background of two numbers per pixel, its running mean and mean absolute deviation, as pure functions.

    compare(background, luma) -> Comparison         reads
    learn(background, comparison, ...) -> Background   the next background

A change of light is taken off first: the frame is fitted by the background, ``gain * mean + shift``, robust
against what moved. With the median shift alone a lamp that makes the scene 1.6 times brighter leaves bright pixels
changed and dark ones not; with a gain the background is right again in the very frame of the step.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from trailcam_edge.regions.settings import RegionSettings

Plane = npt.NDArray[np.uint8]  # (H, W) luma
Levels = npt.NDArray[np.float32]  # (H, W), in levels of 255
Mask = npt.NDArray[np.uint8]  # (H, W), 0 or 1

_FIRST_DEVIATION = 6.0  # until a pixel has shown its own: half of the smallest step
_FIRST_WEIGHT = 4  # frames that the first deviation weighs
_SAMPLE_STEP = 8  # every eighth pixel in both directions is enough for the light
_MAX_GAIN = 4.0
# While half of the pixels agree as well as that, in levels, or as well as usual, the light has a shift only. The median
# of a normal distribution's distances is 0.85 of their mean.
_STEADY = 1.0
_SEASONED = 25  # frames after which the deviations are the scene's, and no longer the first guess
_MIN_GAIN = 0.9  # of the residual with the shift alone: a gain must explain more than that
_MIN_SPREAD = 4.0  # levels: below this the scene is of one colour and has no gain
_FULL_CONTRAST = 32.0  # standard deviation over the frame, in levels, from which the smallest step is as set
_MIN_STEP_FACTOR = 0.5
_MEAN_RANGE = (-256.0, 1024.0)


@dataclass(frozen=True)
class Background:
    """The model of the scene without movement.

    ``mean`` and ``deviation`` are (H, W) float32 in levels of 255; ``frames`` counts the frames learned, from
    ``begun_s`` to ``time_s``.
    """

    mean: Levels
    deviation: Levels
    frames: int
    begun_s: float
    time_s: float


@dataclass(frozen=True)
class Comparison:
    """One frame beside the background: ``expected`` is the background in the light of this frame.

    ``difference`` is the frame minus ``expected``, (H, W) float32; ``changed`` is 1
    where it is beyond ``limit``.
    ``changed_fraction`` counts the watched pixels only.
    """

    luma: Plane
    expected: Levels
    difference: Levels
    limit: Levels
    changed: Mask
    changed_fraction: float
    gain: float
    shift: float

    @cached_property
    def blocks(self) -> Levels:
        """Fraction that changed of each of 3 rows of 4 blocks."""
        return np.asarray(
            cv2.resize(self.changed * np.uint8(255), (4, 3), interpolation=cv2.INTER_AREA) / 255, np.float32
        )


def begin(luma: Plane, time_s: float) -> Background:
    """Return the background after one frame."""
    return Background(luma.astype(np.float32), np.full(luma.shape, _FIRST_DEVIATION, np.float32), 1, time_s, time_s)


def compare(background: Background, luma: Plane, settings: RegionSettings, watched: Mask | None = None) -> Comparison:
    """Return which pixels of a frame changed.

    Args:
        background: of the same size.
        luma: (H, W) uint8.
        settings: thresholds.
        watched: (H, W) uint8 with 1 where a change counts; None is everywhere.
    """
    gain, shift = _fit_light(background, luma, watched)
    expected = background.mean * np.float32(gain)  # from here on in place: the memory is what takes the time
    expected += np.float32(shift)
    np.clip(expected, 0, 255, out=expected)
    difference = np.asarray(cv2.subtract(luma, expected, dtype=cv2.CV_32F), np.float32)
    limit = background.deviation * np.float32(settings.deviations * gain)
    np.maximum(limit, np.float32(settings.level_step * _step_factor(background.mean)), out=limit)
    changed = (np.abs(difference) > limit).view(np.uint8)
    if watched is not None:
        changed &= watched
    count = luma.size if watched is None else max(1, int(np.count_nonzero(watched)))
    fraction = int(np.count_nonzero(changed)) / count
    return Comparison(luma, expected, difference, limit, changed, fraction, gain, shift)


def learn(
    background: Background, comparison: Comparison, time_s: float, settings: RegionSettings, held: Mask | None = None
) -> Background:
    """Return the background after a frame; changed pixels are learned ``changed_slowdown`` times slower.

    The first frames are averaged with equal weights. A new light is taken over at once.

    Args:
        background: before the frame.
        comparison: of the frame with it.
        time_s: of the frame.
        settings: ``follow_s`` and ``changed_slowdown``.
        held: (H, W) uint8 with 1 where nothing is learned: an animal rests there.
    """
    weight = _weight(background, time_s, settings)
    levels = np.array([weight, weight / settings.changed_slowdown], np.float32)
    weights = levels.take(comparison.changed)
    if held is not None:
        weights[held.astype(bool)] = 0
    # Not clipped to 0..255: a pixel that a lamp drove to white has its level back when the lamp is out.
    mean = background.mean * np.float32(comparison.gain)
    mean += np.float32(comparison.shift)
    np.clip(mean, *_MEAN_RANGE, out=mean)
    mean += weights * comparison.difference
    former = background.deviation if comparison.gain == 1 else background.deviation * np.float32(comparison.gain)
    weights *= np.float32((background.frames + 1) / (background.frames + _FIRST_WEIGHT))
    deviation = np.abs(comparison.difference)
    np.minimum(deviation, comparison.limit, out=deviation)
    deviation -= former
    deviation *= weights
    deviation += former
    return Background(mean, deviation, background.frames + 1, background.begun_s, max(time_s, background.time_s))


def relearn(
    background: Background, comparison: Comparison, time_s: float, settings: RegionSettings, is_turned: bool = False
) -> Background:
    """Return the background after a frame in which nearly everything changed: the frame itself.

    Deviations are kept and may grow, so that a scene in a storm is learned in spite of it; they do not grow while the
    camera ``is_turned``.
    """
    deviation = background.deviation
    if not is_turned:
        weight = np.float32(_weight(background, time_s, settings))
        distance = np.minimum(np.abs(comparison.difference), comparison.limit)
        deviation = np.maximum(deviation + weight * (distance - deviation), np.float32(_FIRST_DEVIATION))
    mean = comparison.luma.astype(np.float32)
    return replace(
        background,
        mean=mean,
        deviation=np.asarray(deviation, np.float32),
        frames=background.frames + 1,
        time_s=max(time_s, background.time_s),
    )


def absorb(background: Background, luma: Plane, mask: Mask) -> Background:
    """Return the background with the pixels of ``mask`` as they are in this frame."""
    mean, deviation = background.mean.copy(), background.deviation.copy()
    chosen = mask.astype(bool)
    mean[chosen] = luma[chosen]
    deviation[chosen] = np.maximum(deviation[chosen], np.float32(_FIRST_DEVIATION))
    return replace(background, mean=mean, deviation=deviation)


def _step_factor(mean: Levels) -> float:
    """Return the factor of the smallest step: at night the whole scene has little contrast, and so has an animal."""
    contrast = float(cv2.meanStdDev(mean[::_SAMPLE_STEP, ::_SAMPLE_STEP])[1][0, 0])
    return min(1.0, max(_MIN_STEP_FACTOR, contrast / _FULL_CONTRAST))


def _weight(background: Background, time_s: float, settings: RegionSettings) -> float:
    elapsed_s = max(0.0, time_s - background.time_s)
    return max(1 - math.exp(-elapsed_s / settings.follow_s), 1 / (background.frames + 1))


def _fit_light(background: Background, luma: Plane, watched: Mask | None) -> tuple[float, float]:
    """Return gain and shift that take the background to the frame, unmoved by less than half of the pixels."""
    sample = (slice(_SAMPLE_STEP // 2, None, _SAMPLE_STEP),) * 2
    old, new = background.mean[sample].ravel(), luma[sample].astype(np.float32).ravel()
    if watched is not None and (kept := watched[sample].ravel().astype(bool)).any():
        old, new = old[kept], new[kept]
    shift = median(new - old) if old.size else 0.0
    usual = median(background.deviation[sample].ravel()) if background.frames >= _SEASONED else 0.0
    if _residual(old, new, 1.0, shift) <= max(_STEADY, usual):
        return 1.0, shift
    is_lit = (new > 2) & (new < 250) & (old > 2) & (old < 250)  # a clipped pixel has lost its level
    old, new = old[is_lit], new[is_lit]
    if old.size < 32 or float(np.std(old)) < _MIN_SPREAD:
        return 1.0, shift
    starts = ((1.0, median(new - old)), (median(new / old), 0.0))
    gain, offset = _refine(old, new, *min(starts, key=lambda light: _residual(old, new, *light)))
    if not 1 / _MAX_GAIN <= gain <= _MAX_GAIN:
        return 1.0, shift
    is_better = _residual(old, new, gain, offset) < _MIN_GAIN * _residual(old, new, *starts[0])
    return (gain, offset) if is_better else (1.0, shift)


def _refine(old: Levels, new: Levels, gain: float, shift: float) -> tuple[float, float]:
    """Fit once more by least squares, to the half of the pixels that agree best."""
    distance = np.abs(new - gain * old - shift)
    agreeing = distance <= median(distance)
    near, far = old[agreeing], new[agreeing]
    spread = float(np.var(near))
    if spread < _MIN_SPREAD**2:
        return gain, shift
    slope = float(np.mean((near - near.mean()) * (far - far.mean()))) / spread
    return slope, float(far.mean() - slope * near.mean())


def _residual(old: Levels, new: Levels, gain: float, shift: float) -> float:
    return median(np.abs(new - gain * old - shift))


def median(values: Levels) -> float:
    """Return the upper median of (N,) values, N at least 1: a fifth of the time of ``np.median``."""
    middle = values.size // 2
    return float(np.partition(values, middle)[middle])
