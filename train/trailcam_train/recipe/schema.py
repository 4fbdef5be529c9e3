"""The settings of a training as frozen dataclasses; ``toml.py`` writes, reads and overrides them.

The recipes are the modules of ``trailcam_train.recipes``.
"""

import dataclasses
from dataclasses import dataclass
from typing import Annotated

from trailcam_core.records import Choice, Key, Pattern, Range
from trailcam_core.spec import FITS, MAX_INPUT_PX, MIN_INPUT_PX, InputSpec
from trailcam_train.field.settings import FieldSettings
from trailcam_train.input.augmentation import OFF, Augmentation
from trailcam_train.input.epoch_order import SAMPLINGS

AUTO = "auto"
EARLIER_WEIGHTS = "earlier"  # those of the run that a training takes up, which its provenance names
VALIDATION_FRACTION = TEST_FRACTION = 0.15  # of every recipe: a split depends on pictures and options alone

_Side = Annotated[int, Range(MIN_INPUT_PX, MAX_INPUT_PX)]
_Count = Annotated[int, Range(0, 1_000_000_000)]
_Views = Annotated[int, Range(0, 1000)]
_Fraction = Annotated[float, Range(0.0, 1.0)]
_BelowOne = Annotated[float, Range(0.0, 0.99999)]
_SplitFraction = Annotated[float, Range(0.01, 0.99999)]
_BatchSize = Annotated[int, Range(1, 65536)]


@dataclass(frozen=True)
class ModelInput:
    """The input of the model: raw pixels of this size in px; ``fit`` is the rule for other aspect ratios."""

    height: _Side
    width: _Side
    fit: Annotated[str, Choice(*FITS)] = "crop"

    @property
    def spec(self) -> InputSpec:
        """The input of the bundle."""
        return InputSpec(self.height, self.width, self.fit)


@dataclass(frozen=True)
class Phase:
    """A part of a training with one set of trainable weights and one learning-rate schedule.

    ``first_layer`` is the first trainable layer, all before it are frozen; empty: all are trainable. The rate rises for
    ``warmup_epochs`` to ``learning_rate`` and then stays constant or falls along a half cosine to zero. ``patience``
    ends the phase after that many epochs without a better validation; 0 never does. ``epochs = 0`` skips the phase.
    With ``views`` above 0 the frozen layers run once over that many augmented views of every picture, see
    ``frozen_features.py``.

    With ``scale`` below 1 the phase learns from, and is validated on, pictures whose sides are that fraction of the
    input of the model, which takes about its square of the time. Source: Tan and Le, "EfficientNetV2: smaller models
    and faster training", ICML 2021, section 4 (progressive learning).

    With ``weight_interpolation``, ``blend`` in the file, below 1 the phase ends with (1 - blend) * its first weights +
    blend * its best ones, whether or not they validate better. That keeps what a pretrained backbone has learned from
    other pictures. If no epoch of the phase was better than all before, it ends with the best before. Source: Wortsman
    et al., "Robust fine-tuning of zero-shot models", CVPR 2022 (WiSE-FT), section 3.
    """

    name: str
    epochs: _Count
    learning_rate: Annotated[float, Range(1e-12, 100.0)]
    schedule: Annotated[str, Choice("constant", "cosine")] = "constant"
    warmup_epochs: Annotated[float, Range(0.0, 1e9)] = 0.0
    first_layer: str = ""
    patience: _Count = 0
    views: _Views = 0
    scale: Annotated[float, Range(0.1, 1.0)] = 1.0
    weight_interpolation: Annotated[_Fraction, Key("blend")] = 1.0


@dataclass(frozen=True)
class Distillation:
    """Learning from stronger runs; ``teacher`` is their folders, separated by commas, empty for none.

    The loss is (1 - weight) * cross-entropy with the labels + weight * temperature^2 * KL(teacher || student), both
    softened by ``temperature``; a weight of 1 ignores the labels. Source: Hinton et al., "Distilling the knowledge in a
    neural network", 2015. With ``views`` above 0 the teacher answers that many augmented views of every picture once,
    in advance, and epochs alternate between them; with 0 it answers new pictures in each epoch. In a phase with its own
    views the teacher answers those.

    ``features`` is the weight of one more term: the fraction of the variance of the teacher's features that the student
    does not predict, see ``feature_distillation.py``.
    """

    teacher: str = ""
    weight: _Fraction = 0.7
    temperature: Annotated[float, Range(0.1, 100.0)] = 3.0
    views: _Views = 0
    features: Annotated[float, Range(0.0, 1000.0)] = 0.0


@dataclass(frozen=True)
class Recipe:
    """Every setting of a training.

    ``weights`` is ``imagenet``, ``none``, the path of a backbone file, or ``earlier`` in a run of ``--from``.
    ``batch_norm = "inference"`` keeps the statistics of a pretrained backbone. ``ema`` is the momentum of an average
    of the weights, which is then validated and saved; 0 turns it off. ``class_weights = "balanced"`` gives every class
    the same sum of weights in the loss, ``sampling = "balanced"`` shows every class equally often; one of them is
    enough. With ``outliers_weight`` above 0 and a folder of out-of-distribution images, ``outliers_per_batch`` images
    of their tuning half are added to every batch, see ``losses.py``. ``precision = "auto"`` trains in mixed bfloat16 on
    a GPU and in float32 elsewhere; the saved model is always float32. ``devices`` is the number of devices that share
    each batch, or ``auto`` for as many as possible, see ``data_parallel.py``. ``field`` names the labels that are never
    an answer, and configures the views of a field camera that ``--negatives`` makes.
    """

    name: str
    input: ModelInput
    phases: tuple[Phase, ...]
    weights: str = "none"
    seed: _Count = 0
    batch_size: _BatchSize = 32
    optimizer: Annotated[str, Choice("adam", "adamw")] = "adam"
    weight_decay: Annotated[float, Range(0.0, 1e9)] = 0.0
    batch_norm: Annotated[str, Choice("train", "inference")] = "train"
    dropout: _BelowOne = 0.0
    label_smoothing: _BelowOne = 0.0
    class_weights: Annotated[str, Choice("none", "balanced")] = "none"
    sampling: Annotated[str, Choice(*SAMPLINGS)] = "natural"
    outliers_weight: Annotated[float, Range(0.0, 100.0)] = 0.0
    outliers_per_batch: _BatchSize = 8
    ema: _BelowOne = 0.0
    precision: Annotated[str, Choice(AUTO, "float32", "mixed_bfloat16")] = AUTO
    devices: Annotated[str, Pattern("auto|[1-9][0-9]{0,3}", "auto or a number from 1")] = AUTO
    validation: _SplitFraction = VALIDATION_FRACTION
    test: _SplitFraction = TEST_FRACTION
    augmentation: Augmentation = OFF
    distillation: Distillation = dataclasses.field(default_factory=Distillation)
    field: FieldSettings = dataclasses.field(default_factory=FieldSettings)

    def at_scale(self, scale: float) -> "Recipe":
        """Return the recipe with the input of a phase of this scale, at least ``MIN_INPUT_PX``."""
        height, width = (max(MIN_INPUT_PX, round(side_px * scale)) for side_px in (self.input.height, self.input.width))
        return dataclasses.replace(self, input=dataclasses.replace(self.input, height=height, width=width))
