"""The training input: order, augmentation, pipeline."""
