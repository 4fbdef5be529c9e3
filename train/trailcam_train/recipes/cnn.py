"""The CNN of the article that started this project, layer by layer, from scratch.

    trailcam train DATA --recipe cnn

2 cores without a GPU, the 9,413 training pictures of the built-in model's split (--split LITE2/split.csv): 4.7 minutes
an epoch, 95 minutes; a step has become a quarter shorter since. Test top-1 60.6 % (58.4 to 62.7, n = 2,012), top-5
95.5 %, worst class dog 32.7 %; at 94.3 % of animals kept, max_logit turns away 19 of 115 things and 13 of 60 other
animals. It was still learning: its last epoch was its best, and it was right on 65 % of its training pictures. The
recipe cnn_long brings the same layers to 74.7 %.

Taught by the built-in model's run, for 16 epochs, on the same two cores, shared with much other work: 90 minutes.

    trailcam train DATA --recipe cnn --teacher LITE2 --split LITE2/split.csv --others OTHERS \
        --set distillation.views=4 --set distillation.weight=0.9 --set distillation.temperature=2 \
        --set phases.all.epochs=16 --set phases.all.learning_rate=2e-3 --set phases.all.schedule=cosine \
        --set phases.all.warmup_epochs=1 --set optimizer=adamw --set weight_decay=0.01 --set ema=0.998 \
        --set dropout=0.15 --set batch_size=64 --set augmentation.crop_area_min=0.6 \
        --set augmentation.brightness=0.2 --set augmentation.contrast=0.2 --set augmentation.saturation=0.2

Test top-1 67.5 % (65.5 to 69.6, n = 2,012), worst class dog 45.5 %; at 95.2 % of animals kept, energy turns away 24 %
of 115 things and 20 % of 60 other animals. In the last epoch it was right on 77.6 % of its augmented training pictures:
four stored views are too few, it learned them by heart.

128x128 px, Adam, cross-entropy, 20 epochs; shear 0.2, zoom 0.2 and mirroring as the article augments. The article keeps
20 % of the pictures for validation and has no test split. Here every recipe has the same split: 15 % for each.
"""

import keras

from trailcam_train.input.augmentation import ARTICLE
from trailcam_train.models.backbones import load_weights
from trailcam_train.recipe.cost import Cost
from trailcam_train.recipe.schema import ModelInput, Phase, Recipe

COST = Cost(forward_core_ms=6, memory_mb=1500, step_core_ms={"all": 25})
RECIPE = Recipe(
    name="cnn",
    input=ModelInput(height=128, width=128, fit="stretch"),
    weights="none",
    batch_norm="train",
    batch_size=32,
    optimizer="adam",
    dropout=0.4,
    augmentation=ARTICLE,
    phases=(Phase("all", epochs=20, learning_rate=1e-3),),
)


def build(recipe: Recipe, class_count: int) -> keras.Model:
    """Build the network: (N, H, W, 3) uint8 to (N, class_count) logits.

    ``recipe.weights`` may name a network of this recipe; all of it but its last layer is taken.
    """
    layers = keras.layers
    body = keras.Sequential(
        [
            keras.Input((recipe.input.height, recipe.input.width, 3), dtype="uint8", name="pixels"),
            layers.Rescaling(1 / 255, name="rescaling", dtype="float32"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.Conv2D(32, 5, strides=2, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(recipe.dropout),
            layers.Conv2D(64, 5, strides=2, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.BatchNormalization(),
            layers.Dropout(recipe.dropout),
            layers.Flatten(),
            layers.Dropout(recipe.dropout),
            layers.Dense(64, activation="relu"),
            layers.BatchNormalization(),
        ],
        name="cnn",
    )
    load_weights(body, recipe.weights, None)
    body.add(layers.Dense(class_count, dtype="float32", name="logits"))
    return body
