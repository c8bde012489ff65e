"""The examples of the documentation run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conftest import ffmpeg

ROOT = Path(__file__).resolve().parents[2]
# A slow game of life: quick to search, unlike the footage of the other tests.
LIFE = (
    "life=s=40x24:r=1:mold=20:ratio=0.4:seed=7:life_color=white:death_color=0x404040:mold_color=0x101010"
    ",trim=start=4,setpts=PTS-STARTPTS,framerate=fps=12,scale=426:240:flags=bicubic,gblur=4"
)


@pytest.mark.parametrize("page", ["README.md", "python/README.md", "docs/python.md"])
def test_the_first_example_of_a_page_runs(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    example = re.search(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    assert example, f"{page} has no example"
    monkeypatch.chdir(tmp_path)
    film = Path("videos/film.mp4")
    film.parent.mkdir()
    ffmpeg("-f", "lavfi", "-i", LIFE, "-t", "6", "-pix_fmt", "yuv420p", film)
    ffmpeg("-ss", "1", "-t", "4", "-i", film, "-vf", "hflip,scale=320:180", "-pix_fmt", "yuv420p", "clip.mp4")
    exec(compile(example[1], page, "exec"), {})
    assert capsys.readouterr().out.startswith("published ")
