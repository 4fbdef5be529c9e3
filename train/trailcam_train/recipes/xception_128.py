"""Xception at 128 px, for small machines: a fifth of the arithmetic of 299 px.

    trailcam train DATA --recipe xception_128
    trailcam train DATA --recipe xception_128 --weights none --set batch_norm=train --set phases.head.epochs=0 \
        --set phases.whole.epochs=40 --set phases.whole.learning_rate=1e-3

The second line starts from nothing, where ImageNet weights cannot be had.

Hardware, time and accuracy: not measured yet.
"""

from dataclasses import replace

from trailcam_train.recipe import ModelInput
from trailcam_train.recipes import xception
from trailcam_train.recipes.xception import build

__all__ = ["RECIPE", "build"]

RECIPE = replace(
    xception.RECIPE,
    name="xception_128",
    input=ModelInput(height=128, width=128, fit="stretch"),
)
