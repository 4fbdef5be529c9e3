"""Keep the interpreter's own greeting off a person's terminal."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quiet_native_log"]


@contextmanager
def quiet_native_log() -> Iterator[None]:
    """Swallow what native code writes to stderr while a model is opened; on an error it is shown after all.

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
