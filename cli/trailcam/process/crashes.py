"""The last words of a process that a native library ends: where it was, on stderr."""

import faulthandler
import os

_kept: list[int] = []


def report_crashes() -> None:
    """Let an abort, such as that of a decoder, write the stack of every thread to the stderr of now.

    A library that aborts leaves no exception, and stderr may be redirected at that moment. Systemd starts the service
    again, and the journal then has the place where the last one ended.
    """
    if not faulthandler.is_enabled():
        _kept.append(os.dup(2))
        faulthandler.enable(_kept[-1])
