"""Imports the compiled module, and says what is missing if it cannot be loaded."""

from __future__ import annotations

__all__ = ["_uniq"]


def _advice(error: ImportError) -> str:
    text = str(error)
    libraries = ("libavcodec", "libavformat", "libavutil", "libswscale")
    if any(library in text for library in libraries):
        return (
            f"uniq needs the FFmpeg libraries that it was built with, but one is missing ({text}). "
            "Install them: on Debian and Ubuntu with: apt-get install libavcodec59 libavformat59 "
            "libavutil57 libswscale6 (with the numbers that the message names), on Fedora with: dnf install ffmpeg-free, "
            "on macOS with: brew install ffmpeg"
        )
    return f"uniq's compiled module cannot be loaded ({text}). Install uniq again, for this Python and this processor"


try:
    from . import _uniq
except ImportError as error:
    raise ImportError(_advice(error), name="uniq._uniq") from error
