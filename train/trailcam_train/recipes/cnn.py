"""The CNN of the article that started this project, layer by layer, from scratch.

    trailcam train DATA --recipe cnn

Hardware, time and accuracy: not measured yet.

128x128 px, Adam, cross-entropy, 20 epochs, 20 % of the pictures for validation; shear 0.2, zoom 0.2 and mirroring as
the article augments. The article has no test split; here 15 % of the pictures are kept for one.
"""

import keras

from trailcam_train.augmentation import ARTICLE
from trailcam_train.recipe import ModelInput, Phase, Recipe

__all__ = ["RECIPE", "build"]

RECIPE = Recipe(
    name="cnn",
    input=ModelInput(height=128, width=128, fit="stretch"),
    weights="none",
    batch_norm="train",
    batch_size=32,
    optimizer="adam",
    dropout=0.4,
    validation=0.2,
    test=0.15,
    augmentation=ARTICLE,
    phases=(Phase("all", epochs=20, learning_rate=1e-3),),
)


def build(recipe: Recipe, class_count: int) -> keras.Model:
    """Build the network: (N, H, W, 3) uint8 to (N, class_count) logits."""
    layers = keras.layers
    return keras.Sequential(
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
            layers.Dense(class_count, dtype="float32", name="logits"),
        ],
        name="cnn",
    )
