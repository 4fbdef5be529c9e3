"""MobileNetV2 with ImageNet weights.

    trailcam train DATA --recipe mobilenet_v2

Hardware, time and accuracy: not measured with these settings. At 128 px, with fewer epochs, on 2 cores without a GPU,
shared with other work: 9 minutes for 9,413 training pictures of Animals-10.

    trailcam train DATA --recipe mobilenet_v2 --weights mobilenet_v2_imagenet_notop.weights.h5 --others OTHERS \
        --set input.height=128 --set input.width=128 --set phases.head.epochs=4 --set phases.head.views=1 \
        --set phases.whole.epochs=2 --set ema=0.99

Test top-1 91.8 % (90.5 to 92.9, n = 2,012), worst class dog 80.2 %, validation 93.2 %; the head alone, before the
second phase: validation 89.7 %. At 93.4 % of animals kept, max_logit turns away 69 % of 115 things and 40 % of 60 other
animals.

First the new head alone, then the whole network at a lower rate with BatchNorm held at its ImageNet statistics.
"""

import keras

from trailcam_train.input.augmentation import Augmentation
from trailcam_train.models.backbones import load_weights, with_pixel_input
from trailcam_train.models.imagenet_file import ImageNetFile
from trailcam_train.recipe.cost import Cost
from trailcam_train.recipe.schema import ModelInput, Phase, Recipe

WEIGHTS = ImageNetFile(
    "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2",
    size_bytes=9_406_464,
)

COST = Cost(forward_core_ms=22, memory_mb=4400, step_core_ms={"head": 22, "whole": 66})
RECIPE = Recipe(
    name="mobilenet_v2",
    input=ModelInput(height=224, width=224, fit="crop"),
    weights="imagenet",
    batch_norm="inference",
    batch_size=32,
    optimizer="adamw",
    weight_decay=0.01,
    dropout=0.2,
    label_smoothing=0.1,
    ema=0.998,
    augmentation=Augmentation(flip=0.5, crop_area_min=0.4, brightness=0.2, contrast=0.2, saturation=0.2),
    phases=(
        Phase("head", epochs=2, learning_rate=1e-3, first_layer="head"),
        Phase("whole", epochs=10, learning_rate=2e-4, schedule="cosine", warmup_epochs=0.5),
    ),
)


def build(recipe: Recipe, class_count: int) -> keras.Model:
    """Build the network: (N, H, W, 3) uint8 to (N, class_count) logits."""
    size = (recipe.input.height, recipe.input.width)
    backbone = keras.applications.MobileNetV2(
        input_shape=(*size, 3), include_top=False, weights=None, name="mobilenet_v2"
    )
    load_weights(backbone, recipe.weights, WEIGHTS)
    pixels, features = with_pixel_input(
        backbone, *size, scale=1 / 127.5, offset=-1.0, trains_statistics=recipe.batch_norm == "train"
    )
    x = keras.layers.GlobalAveragePooling2D(name="head")(features)
    x = keras.layers.Dropout(recipe.dropout, name="head_dropout")(x)
    logits = keras.layers.Dense(class_count, dtype="float32", name="logits")(x)
    return keras.Model(pixels, logits, name="mobilenet_v2")
