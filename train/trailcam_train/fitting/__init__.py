"""The training loop, phases, losses and checkpoints."""
