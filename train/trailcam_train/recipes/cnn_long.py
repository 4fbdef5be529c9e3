"""The layers of the article's CNN, trained for 150 epochs with new views of every picture in each.

    trailcam train DATA --recipe cnn_long
    trailcam train DATA --recipe cnn_long --teacher LITE2 --split LITE2/split.csv

The second line learns from the answers of a stronger run on the same new views. "--set distillation.views=16" lets the
teacher answer 16 stored views of every picture once instead: an epoch is then as short as without a teacher.

Accuracy: not measured; all epochs take 4.8 hours. With "--set precision=mixed_bfloat16" and a teacher's 8 stored views
an epoch of 9,413 pictures took 1.9 minutes on 2 cores without a GPU that multiply bfloat16; ``cnn`` in float32 takes
4.7 on older ones. A teacher such as EfficientNet-Lite2 adds 24 ms of one core for each picture and view. The training
can be interrupted at any time and resumed.

AdamW with a cosine from 2e-3 after one epoch of warm-up, averaged weights, less dropout than the article: with new
views in every epoch the network has no picture to learn by heart.
"""

from dataclasses import replace

from trailcam_train.input.augmentation import Augmentation
from trailcam_train.recipe.cost import Cost
from trailcam_train.recipe.schema import Distillation, Phase
from trailcam_train.recipes import cnn

COST = Cost(forward_core_ms=6, memory_mb=1500, step_core_ms={"all": 35})  # as measured for the recipe cnn
build = cnn.build
RECIPE = replace(
    cnn.RECIPE,
    name="cnn_long",
    batch_size=64,
    optimizer="adamw",
    weight_decay=0.01,
    dropout=0.15,
    ema=0.998,
    augmentation=Augmentation(
        flip=0.5,
        crop_area_min=0.5,
        zoom=0.1,
        shear=0.1,
        rotate_deg=5,
        brightness=0.2,
        contrast=0.2,
        saturation=0.2,
    ),
    distillation=Distillation(weight=0.9, temperature=2.0, views=0),
    phases=(Phase("all", epochs=150, learning_rate=2e-3, schedule="cosine", warmup_epochs=1.0),),
)
