"""Loading of trained Keras models, ours and foreign ones."""
