"""Xception at 128 px, for small machines: a fifth of the arithmetic of 299 px.

    trailcam train DATA --recipe xception_128
    trailcam train DATA --recipe xception_128 --weights none --set batch_norm=train --set phases.head.epochs=0 \
        --set phases.whole.epochs=40 --set phases.whole.learning_rate=1e-3

The second line starts from scratch, without ImageNet weights.

Hardware, time and accuracy: neither line was measured as written. Without ImageNet weights, taught by the built-in
model's run, first on small pictures and then for one epoch at 128 px, on 2 cores without a GPU: 76 and 27 minutes for
9,413 training pictures of Animals-10.

    trailcam train DATA --recipe xception_128 --weights none --teacher LITE2 --split LITE2/split.csv --others OTHERS \
        --name small --set input.height=71 --set input.width=71 --set batch_norm=train --set optimizer=adamw \
        --set weight_decay=0.05 --set distillation.views=4 --set distillation.weight=0.9 \
        --set distillation.temperature=2 --set phases.head.epochs=0 --set phases.whole.epochs=8 \
        --set phases.whole.patience=0 --set phases.whole.learning_rate=1e-3 --set phases.whole.schedule=cosine \
        --set phases.whole.warmup_epochs=0.5 --set augmentation.crop_area_min=0.4 --set augmentation.brightness=0.2 \
        --set augmentation.contrast=0.2 --set augmentation.saturation=0.2
    trailcam train DATA --recipe xception_128 --weights runs/small/model.keras (the rest as above) \
        --set distillation.views=1 --set phases.head.epochs=3 --set phases.head.views=1 --set phases.head.patience=0 \
        --set phases.whole.epochs=1 --set phases.whole.learning_rate=3e-4 --set phases.whole.warmup_epochs=0.1

Test top-1 after the first 61.9 % (59.7 to 64.0, n = 2,012), after the second 65.1 % (63.0 to 67.2), worst class dog
45.0 %. It was still getting better, by 2 to 5 points an epoch: nine epochs are too few, two cores allow no more in an
evening. Where ImageNet weights can be fetched, begin with them.
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
