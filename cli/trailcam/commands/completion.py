"""``trailcam completion``: print the script by which a shell completes commands and options at the tab key."""

import argparse

_PLACES = {
    "bash": 'eval "$(trailcam completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(trailcam completion zsh)" in ~/.zshrc, after compinit',
    "fish": "trailcam completion fish | source in ~/.config/fish/config.fish",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``trailcam completion``."""
    parser.add_argument("shell", choices=sorted(_PLACES), help="put this line into its start file: see the end")
    parser.epilog = "\n".join(f"{shell:<6}{line}" for shell, line in _PLACES.items())


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["trailcam"], shell=arguments.shell))
    return 0
