"""Metrics, predictions and explanations of a trained model."""
