"""The command ``trailcam``: a table of subcommands, each imported only when it is called.

Exit codes: 0 done, 1 our error with a next step, 2 usage, 3 a check did not pass, 130 interrupted. After SIGTERM a
command ends as after Ctrl-C, and then by that signal, so that a service or queue manager sees what it asked for.
Results go to stdout, progress and errors to stderr.
"""

import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

COMMANDS = {
    "demo": "recognise animals now, with the built-in bundle, on real photographs",
    "classify": "classify picture files and folders",
    "card": "read a card of photographs and clips: visits by station, true times",
    "watch": "live recognition, frame by frame",
    "service": "run the camera from power-on, as a systemd service",
    "cameras": "list the cameras of this machine, and why others are missing",
    "status": "show the state of this camera: bundle, update, last frame, last visit, store",
    "events": "list, filter and export the events of a camera",
    "review": "correct the visits of a store on a page",
    "data": "check a folder of photographs before training on it",
    "train": "train a model on folders of photographs",
    "export": "convert a run into bundles and measure the drift",
    "inspect": "describe a bundle and check that it is intact",
    "release": "manage the signed repository from which cameras fetch bundles",
    "deploy": "install a bundle on cameras over SSH, and watch that it works",
    "update": "update the bundle of this camera; show the state or roll back",
    "benchmark": "compare bundles: latency, memory, accuracy, long runs",
    "doctor": "check packages, camera, clock, disk and service; name cures",
    "completion": "print the script for the tab key of bash, zsh or fish",
}
ACTIONS = {  # subcommands; a folder of such a name is written ./compare
    "train compare": "compare two runs on the same test pictures",
    "deploy status": "show the bundle and state of every camera of a fleet",
    "deploy rollback": "return cameras to their previous bundle",
    "deploy logs": "show the journals of cameras",
    "deploy collect": "bring new visits and pictures of cameras home",
    "deploy sdcard": "write first-boot files onto a freshly imaged card",
}
_WITH_SECRETS = ("watch", "service", "update", "release", "deploy")  # only their user may write what these make
_WITH_PICTURES = ("demo", "classify", "watch", "data", "train", "export", "inspect", "benchmark")

_INTERRUPTED = 130
_seen: list[int] = []  # numbers of the signals that came while a command ran


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    with _interrupts():
        from trailcam.logs import mask_tracebacks
        from trailcam.streams import discard_output, prepare_streams

        if argv is None:
            mask_tracebacks()
        prepare_streams()
        if "_ARGCOMPLETE" in os.environ:
            from trailcam.help.completion import complete

            complete(COMMANDS, ACTIONS)
        try:
            try:
                return _dispatch(list(sys.argv[1:] if argv is None else argv))
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            discard_output()
            return 1
        except OSError as error:  # of a result that was not written yet
            discard_output()
            return _explain("", error)


@contextmanager
def _interrupts() -> Iterator[None]:
    """End the process at Ctrl-C while modules are imported: an extension module would turn it into another error.

    SIGTERM has its usual effect there, and again when the block ends, also if it came before.
    """
    former = signal.getsignal(signal.SIGINT)
    try:
        if former is signal.default_int_handler:
            signal.signal(signal.SIGINT, _end)
    except ValueError:  # outside of the main thread Python takes no signals
        former = None
    try:
        yield
    finally:
        if former is signal.default_int_handler:
            signal.signal(signal.SIGINT, former)
        if signal.SIGTERM in _seen:
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGTERM)
        if signal.getsignal(signal.SIGTERM) is _raise:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"\ntrailcam: interrupted.\n")
    os._exit(_INTERRUPTED)


def _raise(number: int, _frame: FrameType | None) -> None:
    if number == signal.SIGTERM:
        signal.signal(number, signal.SIG_DFL)  # of a second one, for work that does not end
    _seen.append(number)
    raise KeyboardInterrupt


def _listen() -> None:
    """Let Ctrl-C and SIGTERM raise ``KeyboardInterrupt``, where they would end the process."""
    _seen.clear()
    for number, usual in ((signal.SIGINT, _end), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is usual and threading.current_thread() is threading.main_thread():
            signal.signal(number, _raise)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(_overview())
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        from trailcam import __version__

        print(f"trailcam {__version__}")
        return 0
    if words[0] == "help":
        return _dispatch([*words[1:], "--help"])
    if words[0] not in COMMANDS:
        import difflib

        close = difflib.get_close_matches(words[0], COMMANDS, n=1)
        hint = f'Did you mean "trailcam {close[0]}"?' if close else f"There are: {', '.join(COMMANDS)}."
        return _fail(f"no command '{words[0]}'. {hint} \"trailcam --help\" explains them.", 2)
    if " ".join(words[:2]) in ACTIONS:
        return _run(" ".join(words[:2]), words[2:])
    hint = _likely_action(words[:2])
    return _fail(hint, 2) if hint else _run(words[0], words[1:])


def _likely_action(words: list[str]) -> str:
    """Return a sentence with the subcommand that a word resembles, or nothing; a path is meant as such."""
    name, word = words[0], "".join(words[1:])
    actions = [action.split()[1] for action in ACTIONS if action.split()[0] == name]
    if not actions or not word or word.startswith("-") or os.sep in word or os.path.lexists(word):
        return ""
    import difflib

    close = difflib.get_close_matches(word, actions, n=1, cutoff=0.75)
    return f"no folder or subcommand '{word}'. Did you mean \"trailcam {name} {close[0]}\"?" if close else ""


def _overview() -> str:
    meanings = COMMANDS | ACTIONS
    width = max(map(len, meanings)) + 2
    names = [name for command in COMMANDS for name in (command, *(a for a in ACTIONS if a.split()[0] == command))]
    rows = "\n".join(f"  {name:<{width}}{meanings[name]}" for name in names)
    return (
        "usage: trailcam COMMAND [OPTIONS]\n\n"
        "From a folder of photographs to animal recognition that is proven to work on a field camera.\n\n"
        f"{rows}\n\n"
        '"trailcam help COMMAND" explains one of them, "trailcam doctor" checks this machine.'
    )


def _run(name: str, words: list[str]) -> int:
    from trailcam.help.groups import shorten_usage
    from trailcam.help.parser import SafeParser, UsageError

    try:
        command = importlib.import_module(f"trailcam.commands.{name.replace(' ', '.')}")
    except (ImportError, MemoryError) as error:
        return _explain(name, error)
    parser = SafeParser(
        prog=f"trailcam {name}",
        description=_sentence((COMMANDS | ACTIONS)[name]),
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    shorten_usage(parser)
    parser.epilog = "\n\n".join(filter(None, [_examples(name), parser.epilog]))
    arguments = parser.parse_args(words)
    if name.split()[0] in _WITH_SECRETS:
        os.umask(os.umask(0o077) | 0o022)
    if name.split()[0] in _WITH_PICTURES:
        _warn_of_two_opencvs()
    _listen()
    try:
        return int(command.run(arguments))
    except KeyboardInterrupt:
        print(f"\ntrailcam: {'ended by SIGTERM' if signal.SIGTERM in _seen else 'interrupted'}.", file=sys.stderr)
        return _INTERRUPTED
    except UsageError as error:
        parser.error(str(error))
    except BrokenPipeError:
        raise
    except Exception as error:
        if _seen and isinstance(error, ImportError):  # Ctrl-C while an extension module was imported
            return _fail("interrupted.", _INTERRUPTED)
        return _explain(name, error)


def _sentence(meaning: str) -> str:
    return f"{meaning[0].upper()}{meaning[1:]}."


def _examples(name: str) -> str:
    from trailcam.help.examples import EXAMPLES

    return "\n  ".join(["examples:", *EXAMPLES[name]])


def _warn_of_two_opencvs() -> None:
    from trailcam_core.images.opencv_packages import explain_conflict, owners_of_cv2

    conflict = explain_conflict(owners_of_cv2())
    if conflict is not None:
        print(f"trailcam: {conflict}", file=sys.stderr)


def _explain(name: str, error: Exception) -> int:
    """Print an error that the user can act on and return its exit code; raise another one again."""
    from trailcam.failures import explain
    from trailcam_core.records.rules import FieldError

    message = explain(name, error)
    if message is None:
        raise error
    return _fail(message, 2 if isinstance(error, FieldError) else 1)


def _fail(message: str, status: int = 1) -> int:
    import logging

    from trailcam.logs import journal_prefix, safe_message
    from trailcam.terminal import show_note

    show_note(f"{journal_prefix(logging.ERROR)}trailcam: {safe_message(message)}", sys.stderr)
    return status
