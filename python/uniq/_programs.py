"""Finds the programs in the wheel, and starts the command ``uniq``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["PROGRAMS", "decoder", "main"]

PROGRAMS: Path = Path(__file__).resolve().parent / "bin"


def decoder() -> Path:
    """Return the path of ``uniq-media``, the program whose process decodes.

    Returns
    -------
    pathlib.Path
        The program in the package's folder. This does not check that it exists.
    """
    return PROGRAMS / "uniq-media"


def main() -> int:
    """Become the program ``uniq``.

    Returns
    -------
    int
        Exit code, only if the program cannot be started.
    """
    program = PROGRAMS / "uniq"
    try:
        os.execv(program, ["uniq", *sys.argv[1:]])
    except OSError as error:
        sys.stderr.write(f"uniq: {program} cannot be run: {error.strerror}; install the wheel again\n")
    return 2
