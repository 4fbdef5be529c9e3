"""Labelled pictures of other programs and of stores, as a data set for training."""
