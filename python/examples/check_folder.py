"""Checks all clips of a folder, a table line each, and goes on after one that cannot be read.

    python check_folder.py INDEX CLIPS
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uniq


def line(clip: Path, index: uniq.Index) -> str:
    """What is said of a clip, in a line."""
    try:
        report = uniq.check(clip, index=index, effort="fast", deadline=600)
    except uniq.UniqError as error:
        return f"{clip.name}\t{error.code}\t{error}"
    sources = ", ".join(sorted({Path(match.source.path).name for match in report.matches if match.kind == "copy"}))
    return f"{clip.name}\t{report.verdict}\t{report.payable_minutes:.2f} min\t{sources}"


def main() -> None:
    """Check the clips, two at a time: the work leaves Python's lock alone."""
    index, folder = uniq.Index.open(sys.argv[1]), Path(sys.argv[2])
    clips = sorted(path for path in folder.iterdir() if path.is_file())
    with ThreadPoolExecutor(2) as pool:
        for answer in pool.map(lambda clip: line(clip, index), clips):
            print(answer)


if __name__ == "__main__":
    main()
