"""The words of the library's enums and errors, held against its source text."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest

from uniq import report

ROOT = Path(__file__).resolve().parents[2]


def variants(file: str, enum: str) -> list[str]:
    """Names of an enum's variants."""
    body = re.search(rf"pub enum {enum} {{\n(.*?)\n}}\n", (ROOT / file).read_text(), re.DOTALL)
    assert body, f"{file} has no enum {enum}"
    return re.findall(r"^    ([A-Z]\w*)", body[1], re.MULTILINE)


def snake(name: str) -> str:
    return re.sub(r"(?<=.)([A-Z])", r"_\1", name).lower()


def words(owner: type, field: str) -> tuple[str, ...]:
    kind = typing.get_type_hints(owner)[field]
    options = typing.get_args(kind)
    literal = next((option for option in options if typing.get_origin(option) is typing.Literal), kind)
    return typing.get_args(literal)


@pytest.mark.parametrize(
    ("file", "enum", "owner", "field"),
    [
        ("src/verdict.rs", "Verdict", report.Report, "verdict"),
        ("src/verdict.rs", "SpanState", report.Span, "state"),
        ("src/verdict.rs", "MatchKind", report.Match, "kind"),
        ("src/verdict/reason.rs", "ReasonCode", report.Reason, "code"),
        ("src/report.rs", "Effort", report.SearchSummary, "effort"),
        ("src/report.rs", "StreamState", report.Stream, "state"),
        ("src/facts/mod.rs", "ResolutionState", report.Resolution, "state"),
        ("src/facts/mod.rs", "RateState", report.FrameRate, "state"),
        ("src/facts/mod.rs", "ScanState", report.Scan, "state"),
        ("src/facts/mod.rs", "Finding", report.Bars, "state"),
        ("src/facts/mod.rs", "OverlayKind", report.Overlay, "kind"),
        ("src/facts/mod.rs", "Manifest", report.Declared, "manifest"),
        ("src/facts/mod.rs", "Generated", report.Declared, "generated"),
        ("src/facts/mod.rs", "Training", report.Declared, "training"),
    ],
)
def test_literals_have_the_words_of_the_library(file: str, enum: str, owner: type, field: str) -> None:
    assert sorted(words(owner, field)) == sorted(map(snake, variants(file, enum)))


def test_every_error_has_a_family() -> None:
    families = (ROOT / "python/src/errors.rs").read_text()
    named = set(re.findall(r"Error::([A-Z]\w*)", families))
    assert named == set(variants("src/error.rs", "Error"))
