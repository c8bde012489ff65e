"""The dataclasses mirror the library's JSON."""

from __future__ import annotations

import dataclasses
import json
import random
import struct
from typing import Any

import pytest

import uniq
from uniq import _uniq, _wire


def test_a_report_with_every_field_is_read_and_written_byte_for_byte() -> None:
    # A field that is added to the library has a value there, and is refused here until it is known.
    data = _uniq._every_field()
    report = uniq.Report.from_json(data)
    assert report.to_json() == data
    assert report.matches[0].stream == 2
    assert report.matches[0].source.url == "https://example.org/a"
    assert report.clip.path == 'Über "東京" \x1b[2J\u202e\x7f\\ 🎬\n'
    assert report.submission is not None
    assert report.submission.deductions[0].there is not None


def test_every_field_of_the_dataclasses_is_in_the_report() -> None:
    # So none is left that the library does not have any more: without defaults all of them are there.
    def compare(value: Any, written: Any) -> int:
        if isinstance(value, tuple):
            assert value, "a list is empty, and its fields go unseen"
            return sum(compare(*pair) for pair in zip(value, written, strict=True))
        if not dataclasses.is_dataclass(value):
            assert value is not None
            return 1
        fields = dataclasses.fields(value)
        names = {field.metadata.get("name", field.name): field.name for field in fields}
        assert list(written) == sorted(written, key=list(written).index)
        assert set(names) == set(written)
        return sum(compare(getattr(value, names[name]), written[name]) for name in written)

    data = _uniq._every_field()
    assert compare(uniq.Report.from_json(data), json.loads(data)) > 150


def test_a_field_that_is_unknown_missing_or_of_another_type_is_named() -> None:
    data = json.loads(_uniq._every_field())
    data["clip"]["colour"] = 1
    with pytest.raises(ValueError, match=r"Report\.clip: has colour, which this version does not know"):
        uniq.Report.from_json(json.dumps(data))
    del data["clip"]["colour"], data["clip"]["sha256"]
    with pytest.raises(ValueError, match=r"Report\.clip: has no sha256"):
        uniq.Report.from_json(json.dumps(data))
    data["clip"] = 3
    with pytest.raises(ValueError, match=r"Report\.clip: expected Clip, found 3"):
        uniq.Report.from_json(json.dumps(data))


def test_older_reports_have_fewer_fields() -> None:
    data = json.loads(_uniq._every_field())
    for name in ("streams", "searchable", "quality", "amount", "checked_at", "submission"):
        del data[name]
    report = uniq.Report.from_json(json.dumps(data))
    assert (report.streams, report.searchable, report.submission) == ((), None, None)
    assert b"submission" not in report.to_json()


def test_numbers_read_back_as_they_were() -> None:
    dice = random.Random(1)
    for _ in range(20_000):
        number = struct.unpack("<d", dice.randbytes(8))[0]
        if number - number == 0:
            text = _wire.to_json(number).decode()
            assert float(text) == number
            assert "e-0" not in text and "e+0" not in text


def test_reports_cannot_be_changed() -> None:
    report = uniq.Report.from_json(_uniq._every_field())
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.verdict = "published"  # type: ignore[misc]
