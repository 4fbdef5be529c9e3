"""Xception from nothing, taught, on pictures that grow from 71 to 160 px: where ImageNet weights cannot be fetched.

    trailcam train DATA --recipe xception_growing --teacher LITE0 --split LITE0/split.csv \
        --set precision=mixed_bfloat16

Hardware, time and accuracy: 2 cores that multiply bfloat16, beside other work; 9,413 training pictures of Animals-10;
the teacher was a head on EfficientNet-Lite0 with 95.2 %.

    phase     px    epochs    minutes    validation    test top-1 (n = 2,012)
    small     71        10         49        69.3 %    66.1 % (64.0 to 68.1)
    middle   128         7         60        83.0 %    80.0 % (78.2 to 81.7)
    again    128         6         53        83.8 %    81.1 % (79.3 to 82.8)
    whole    160         5         59        87.2 %    86.2 % (84.6 to 87.6), worst class dog 76.2 %

At the end 93 % of the augmented training pictures are right. Each phase was a separate training, which began with
"--weights" of the one before, because the recipe was written afterwards: in a single run the seeds of the views differ.
In the first epoch of "again" the rate fell by 1 %.
"""

from dataclasses import replace

from trailcam_train.input.augmentation import Augmentation
from trailcam_train.recipe.cost import Cost
from trailcam_train.recipe.schema import Distillation, ModelInput, Phase
from trailcam_train.recipes import xception

# Those of xception_128 times (160 / 128)**2.
COST = Cost(forward_core_ms=56, memory_mb=5500)
WEIGHTS, build = xception.WEIGHTS, xception.build
RECIPE = replace(
    xception.RECIPE,
    name="xception_growing",
    input=ModelInput(height=160, width=160, fit="stretch"),
    weights="none",
    batch_norm="train",
    optimizer="adamw",
    weight_decay=0.05,
    ema=0.99,
    augmentation=Augmentation(
        flip=0.5, crop_area_min=0.4, zoom=0.1, shear=0.1, brightness=0.2, contrast=0.2, saturation=0.2
    ),
    distillation=Distillation(weight=0.9, temperature=2.0, features=5.0),
    phases=(
        Phase("small", epochs=10, learning_rate=1e-3, warmup_epochs=0.5, scale=71 / 160),
        Phase("middle", epochs=7, learning_rate=1e-3, schedule="cosine", warmup_epochs=0.5, scale=0.8),
        Phase("again", epochs=6, learning_rate=7e-4, warmup_epochs=0.5, scale=0.8),
        Phase("whole", epochs=5, learning_rate=5e-4, schedule="cosine", warmup_epochs=0.5),
    ),
)
