"""Features of images as the trained model sees them: the input of its last dense layer."""

import keras
import numpy as np
import tensorflow as tf

from trailcam_export.calibration.select import FeatureFunction, Features
from trailcam_export.inference.batches import Images


def feature_function(model: keras.Model) -> FeatureFunction:
    """Return a function that maps images to the input of the last dense layer, or to the logits if there is none.

    The layer is also found inside nested models, as in models trained elsewhere.
    """
    seen = _before_last_dense(model) or model
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)]
    call = tf.function(lambda images: seen(images, training=False), input_signature=signature)

    def features(images: Images) -> Features:
        found = np.asarray(call(tf.constant(images)).numpy(), np.float32)
        return found.reshape(len(found), -1)

    return features


def _before_last_dense(model: keras.Model) -> keras.Model | None:
    """Return the model up to the input of its final dense layer, None if it ends otherwise."""
    output = model.outputs[0]
    while True:
        last, node, _ = output._keras_history
        taken = last._inbound_nodes[node].input_tensors
        if isinstance(last, keras.Model):
            inner = _before_last_dense(last)
            return inner and keras.Model(model.inputs, inner(taken if len(taken) > 1 else taken[0]))
        if isinstance(last, keras.layers.Dense):
            return keras.Model(model.inputs, taken[0])
        if not isinstance(last, keras.layers.Activation):
            return None
        output = taken[0]  # a linear activation in float32, the last layer of mixed-precision models
