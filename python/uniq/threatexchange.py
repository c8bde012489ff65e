"""Keys of uniq as a signal type of ``threatexchange``, for the Hasher-Matcher-Actioner.

Needs ``pip install uniq[threatexchange]``. A signal is the key of one whole picture: 256 bits in
hexadecimal, alike if at most 72 of them differ. It finds pictures that were re-encoded, scaled or graded.
Only a check finds crops and mirrored pictures, because it also compares regions.
"""

from __future__ import annotations

import pathlib
import random
import re

from threatexchange.content_type.content_base import ContentType
from threatexchange.content_type.photo import PhotoContent
from threatexchange.content_type.video import VideoContent
from threatexchange.signal_type import signal_base
from threatexchange.signal_type.index import SignalTypeIndex

from ._options import Decoding
from .checking import fingerprint

__all__ = ["RADIUS", "UniqKeySignal", "UniqKeySignalIndex", "signals_of_clip"]

#: Maximum Hamming distance of two keys that are alike, in bits.
RADIUS = 72

_HEX = re.compile("[0-9a-f]{64}")


def signals_of_clip(path: pathlib.Path, *, decoding: Decoding | None = None) -> dict[float, str]:
    """Make the signals of a clip's keyframes.

    Parameters
    ----------
    path : pathlib.Path
        The clip.
    decoding : Decoding, optional
        How it is decoded.

    Returns
    -------
    dict
        For the time of each keyframe in seconds, its signal. Keyframes in which nothing can be
        recognised have none.
    """
    made = fingerprint(path, decoding=decoding)
    return {key.time_s: key.key for key in made.keys if key.kind == "whole"}


class UniqKeySignal(
    signal_base.SimpleSignalType, signal_base.FileHasher, signal_base.CanGenerateRandomSignal
):
    """The key of a whole picture by uniq, compared by Hamming distance."""

    @classmethod
    def get_name(cls) -> str:
        """Name of the signal type."""
        return "uniq_key"

    @classmethod
    def get_content_types(cls) -> list[type[ContentType]]:
        """Content types: pictures, and the keyframes of videos."""
        return [PhotoContent, VideoContent]

    @classmethod
    def get_index_cls(cls) -> type[SignalTypeIndex]:  # type: ignore[type-arg]
        """An index that compares with all signals."""
        return UniqKeySignalIndex

    @classmethod
    def validate_signal_str(cls, signal_str: str) -> str:
        """Return the signal in lower case, or raise ``ValueError`` if it is not one."""
        signal = signal_str.strip().lower()
        if not _HEX.fullmatch(signal):
            raise ValueError("not a key of uniq; give 64 hexadecimal digits")
        return signal

    @classmethod
    def compare_hash(
        cls, hash1: str, hash2: str, radius: int = RADIUS
    ) -> signal_base.SignalComparisonResult:
        """Compare two signals by the number of bits in which they differ."""
        distance = (int(hash1, 16) ^ int(hash2, 16)).bit_count()
        return signal_base.SignalComparisonResult.from_simple_dist(distance, radius)

    @classmethod
    def hash_from_file(cls, file: pathlib.Path) -> str:
        """Make the signal of a picture, or of the first keyframe of a video that has one.

        An empty text means that nothing in it can be recognised: it is black, flat or plain.
        """
        return next(iter(signals_of_clip(file).values()), "")

    @classmethod
    def get_random_signal(cls) -> str:
        """Make a random signal."""
        return f"{random.getrandbits(256):064x}"

    @staticmethod
    def get_examples() -> list[str]:
        """Return no signals, since none are useful as examples."""
        return []


class UniqKeySignalIndex(signal_base.TrivialLinearSearchHashIndex):  # type: ignore[type-arg]
    """Compares with all signals, one after the other."""

    _SIGNAL_TYPE = UniqKeySignal
