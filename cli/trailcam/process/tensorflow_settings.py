"""Environment variables that TensorFlow reads when it is imported."""

import logging
import os


def prepare_tensorflow() -> None:
    """Quieten TensorFlow's log and turn oneDNN on, unless the environment sets them; call it before the import.

    TensorFlow leaves oneDNN off on processors without AVX512-VNNI, where an epoch then takes 1.5 times as long.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # It warns of every network whose batches have several sizes, as the last batch of an evaluation has.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
