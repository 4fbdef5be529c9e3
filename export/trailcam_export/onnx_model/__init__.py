"""ONNX classifiers that were trained elsewhere."""
