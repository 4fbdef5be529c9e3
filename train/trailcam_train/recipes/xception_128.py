"""Xception at 128 px, for small machines: a fifth of the arithmetic of 299 px.

    trailcam train DATA --recipe xception_128
    trailcam train DATA --recipe xception_128 --weights none --set batch_norm=train --set phases.head.epochs=0 \
        --set phases.whole.epochs=40 --set phases.whole.learning_rate=1e-3

The second line starts from scratch, without ImageNet weights.

Hardware, time and accuracy: neither line was measured as written. Without ImageNet weights, taught by a head on
EfficientNet-Lite0 with 95.2 %, answers and features, first on small pictures and then at 128 px: 10 epochs of 4.9
minutes and 7 of 8.6, on 2 cores that multiply bfloat16, beside other work; 9,413 training pictures of Animals-10.

    trailcam train DATA --recipe xception_128 --weights none --teacher LITE0 --split LITE0/split.csv --name small \
        --set input.height=71 --set input.width=71 --set precision=mixed_bfloat16 --set batch_norm=train \
        --set optimizer=adamw --set weight_decay=0.05 --set ema=0.99 --set distillation.features=5 \
        --set distillation.weight=0.9 --set distillation.temperature=2 --set phases.head.epochs=0 \
        --set phases.whole.epochs=10 --set phases.whole.patience=0 --set phases.whole.learning_rate=1e-3 \
        --set phases.whole.warmup_epochs=0.5 --set augmentation.shear=0.1 --set augmentation.zoom=0.1 \
        --set augmentation.crop_area_min=0.4 --set augmentation.brightness=0.2 --set augmentation.contrast=0.2 \
        --set augmentation.saturation=0.2
    trailcam train DATA --recipe xception_128 --weights runs/small/model.keras (the rest as above, without the size) \
        --set phases.whole.epochs=7 --set phases.whole.schedule=cosine

Test top-1 after the first 66.1 % (64.0 to 68.1, n = 2,012), after the second 80.0 % (78.2 to 81.7), worst class dog
69.3 %; validation 83.0 % (n = 2,021). It was right on 84 % of its augmented training pictures. Validation rose from
68.5 to 74.7 % with the first epoch at 128 px, and by half a point in the last, at a rate that fell to zero. An
earlier training without features, 8 epochs at 71 px and one at 128, had reached 65.1 %. The recipe
``xception_growing`` goes on from there to 160 px and 86.2 %. Where ImageNet weights can be fetched, begin with them.
"""

from dataclasses import replace

from trailcam_train.recipe.cost import Cost
from trailcam_train.recipe.schema import ModelInput
from trailcam_train.recipes import xception

COST = Cost(forward_core_ms=36, memory_mb=3500, step_core_ms={"head": 42, "whole": 126})  # batches of 32
WEIGHTS, build = xception.WEIGHTS, xception.build
RECIPE = replace(
    xception.RECIPE,
    name="xception_128",
    input=ModelInput(height=128, width=128, fit="stretch"),
)
