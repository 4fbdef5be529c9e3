"""Xception in two phases, as in the article: 299 px, GlobalAveragePooling, Dense 516, Dense K.

    trailcam train DATA --recipe xception

Hardware, time and accuracy: not measured. Its ImageNet weights were not available, and from
scratch, 299 px are too slow on two cores without a GPU; ``xception_128`` has the results at 128 px.

Both phases at 299 px were tried with 42 photographs of three labels and a file of the published layout whose weights
are random, so the network knows nothing. It takes as much time and memory as with the published weights.

    python -c 'import keras; keras.applications.Xception(weights=None, include_top=False).save_weights("x.weights.h5")'
    trailcam train PHOTOS --recipe xception --weights x.weights.h5 --set batch_size=8 \
        --set phases.head.epochs=2 --set phases.whole.epochs=2

143 s of processor time in all, with Ctrl-C in each phase and two resumptions. Peak memory with batches of 8: 1.6 GB in
the first phase, 4.4 GB to the end of the second. Ctrl-C ends after the current step, and a resumed training repeats the
epoch. The export to float32, int8 and both ONNX files takes 104 s of processor time and 8.4 GB.

Phase one trains the head on the frozen backbone. Phase two trains the whole network at a lower rate with BatchNorm held
in inference mode: letting its statistics follow small batches of another data set destroys what ImageNet taught it.
"""

import keras

from trailcam_train.input.augmentation import ARTICLE
from trailcam_train.models.backbones import load_weights, with_pixel_input
from trailcam_train.models.imagenet_file import ImageNetFile
from trailcam_train.recipe.cost import Cost
from trailcam_train.recipe.schema import ModelInput, Phase, Recipe

WEIGHTS = ImageNetFile(
    "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
    "https://storage.googleapis.com/tensorflow/keras-applications/xception",
    size_bytes=83_683_744,
    md5="b0042744bf5b25fce3cb969f33bebb97",  # Source: keras.applications.xception
)

COST = Cost(forward_core_ms=165, memory_mb=12000, step_core_ms={"head": 176, "whole": 650})
RECIPE = Recipe(
    name="xception",
    input=ModelInput(height=299, width=299, fit="stretch"),
    weights="imagenet",
    batch_norm="inference",
    batch_size=32,
    optimizer="adam",
    augmentation=ARTICLE,
    phases=(
        Phase("head", epochs=5, learning_rate=1e-3, first_layer="head", patience=2),
        Phase("whole", epochs=10, learning_rate=1e-5, patience=3),
    ),
)


def build(recipe: Recipe, class_count: int) -> keras.Model:
    """Build the network: (N, H, W, 3) uint8 to (N, class_count) logits."""
    size = (recipe.input.height, recipe.input.width)
    backbone = keras.applications.Xception(input_shape=(*size, 3), include_top=False, weights=None, name="xception")
    load_weights(backbone, recipe.weights, WEIGHTS)
    pixels, features = with_pixel_input(
        backbone, *size, scale=1 / 127.5, offset=-1.0, trains_statistics=recipe.batch_norm == "train"
    )
    x = keras.layers.GlobalAveragePooling2D(name="head")(features)
    x = keras.layers.Dense(516, activation="relu", name="head_dense")(x)
    x = keras.layers.Dropout(recipe.dropout, name="head_dropout")(x)
    logits = keras.layers.Dense(class_count, dtype="float32", name="logits")(x)
    return keras.Model(pixels, logits, name="xception")
