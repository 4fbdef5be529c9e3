"""Suppression of the native log of the interpreter."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_native_log() -> Iterator[None]:
    """Hide the stderr output of native code while a model is opened; print it if an error occurs.

    LiteRT announces its XNNPACK delegate on every start and Python cannot ask it not to. Remove this when
    https://github.com/google-ai-edge/LiteRT/issues/7420 is done.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except BaseException:
            log.seek(0)
            os.write(kept, log.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
