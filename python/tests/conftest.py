"""Footage that ffmpeg makes, and an index of it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import uniq

# A flight into the Mandelbrot set, turning: rich, and never the same twice.
FLIGHT = (
    "mandelbrot=s=480x480:r=12:start_scale=0.04:end_scale=0.0008:end_pts=336"
    ":start_x=-0.16070135:start_y=1.0375665,rotate=0.15*t,crop=426:240,hue=h=140"
)
OTHER = (
    "mandelbrot=s=480x480:r=12:start_scale=0.02:end_scale=0.0004:end_pts=336"
    ":start_x=-0.7435669:start_y=0.1314023,rotate=-0.2*t,crop=426:240,hue=h=20"
)


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg so that it makes the same pictures on every processor."""
    steady = ["-threads", "1", "-x264-params", "cpu-independent=1"]
    *before, output = [str(argument) for argument in arguments]
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-cpuflags", "0", *before, *steady, output]
    subprocess.run(command, check=True)


@dataclass(frozen=True)
class Footage:
    """Files to index and to check."""

    videos: Path
    film: Path
    copy: Path
    other: Path
    black: Path
    broken: Path
    still: Path


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    folder = tmp_path_factory.mktemp("footage")
    videos = folder / "videos"
    videos.mkdir()
    film, copy, other = videos / "film.mp4", folder / "copy.mp4", folder / "other.mp4"
    black, broken, still = folder / "black.mp4", folder / "broken.mp4", folder / "still.jpg"
    yuv = ["-pix_fmt", "yuv420p"]
    ffmpeg("-f", "lavfi", "-i", FLIGHT, "-t", "12", *yuv, film)
    ffmpeg("-ss", "3", "-t", "6", "-i", film, "-vf", "hflip,scale=320:180", *yuv, copy)
    ffmpeg("-f", "lavfi", "-i", OTHER, "-t", "6", *yuv, other)
    ffmpeg("-f", "lavfi", "-i", "color=black:s=320x180:r=12", "-t", "4", *yuv, black)
    ffmpeg("-ss", "5", "-i", film, "-frames:v", "1", still)
    broken.write_bytes(b"no video at all" * 100)
    return Footage(videos, film, copy, other, black, broken, still)


@pytest.fixture(scope="session")
def index(footage: Footage, tmp_path_factory: pytest.TempPathFactory) -> uniq.Index:
    made, summary = uniq.Index.build(tmp_path_factory.mktemp("index") / "index", footage.videos)
    assert summary.added == 1
    return made
