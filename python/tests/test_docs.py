"""The examples of the documentation run as they stand."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from conftest import Footage

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("page", ["README.md", "python/README.md", "docs/python.md"])
def test_the_first_example_of_a_page_runs(
    page: str,
    footage: Footage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    example = re.search(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)
    assert example, f"{page} has no example"
    monkeypatch.chdir(tmp_path)
    Path("videos").mkdir()
    shutil.copy(footage.film, "videos/film.mp4")
    shutil.copy(footage.copy, "clip.mp4")
    exec(compile(example[1], page, "exec"), {})
    assert capsys.readouterr().out.startswith("published ")
