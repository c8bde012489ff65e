"""Reads JSON into frozen dataclasses, and writes it as the library does, byte for byte."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import types
import typing
from typing import Any, TypeVar

__all__ = ["FIRST", "OMITTED", "from_json", "to_json"]

T = TypeVar("T")

#: Metadata of a field that is written before those that its class inherits.
FIRST = {"first": True}
#: Metadata of a field that is omitted while it is ``None``.
OMITTED = {"omitted": True}


def from_json(kind: type[T], data: str | bytes) -> T:
    """Read a value.

    Parameters
    ----------
    kind : type
        A dataclass, or a tuple of them.
    data : str or bytes
        JSON.

    Returns
    -------
    object
        A value of that type.

    Raises
    ------
    ValueError
        If it is not JSON, or a field is missing, unknown, or of the wrong type.
    """
    return typing.cast(T, _read(kind, json.loads(data), getattr(kind, "__name__", "value")))


def to_json(value: object) -> bytes:
    """Write a value on one line, as ``uniq check --json`` does.

    Parameters
    ----------
    value : object
        A dataclass, or a tuple of them.

    Returns
    -------
    bytes
        JSON in UTF-8, without a line feed.
    """
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", _text(value)).encode()


# Control characters, line separators and bidirectional marks, which could control a terminal.
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


@functools.cache
def _written(kind: type) -> tuple[dataclasses.Field[Any], ...]:
    fields = dataclasses.fields(kind)
    first = [field for field in fields if field.metadata.get("first")]
    return (*first, *(field for field in fields if not field.metadata.get("first")))


def _name(field: dataclasses.Field[Any]) -> str:
    # A field that is a Python keyword on the wire has another name in the class.
    return str(field.metadata.get("name", field.name))


def _wrong(where: str, kind: object, value: object) -> ValueError:
    name = kind.__name__ if isinstance(kind, type) else str(kind)
    return ValueError(f"{where}: expected {name}, found {json.dumps(value)[:80]}")


def _read(kind: Any, value: object, where: str) -> object:
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        inner = [option for option in typing.get_args(kind) if option is not type(None)]
        return None if value is None else _read(inner[0], value, where)
    if origin is typing.Literal:
        # A later version may have values that are unknown here.
        kind = str
    elif origin is tuple:
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        inner = typing.get_args(kind)[0]
        return tuple(_read(inner, item, f"{where}[{number}]") for number, item in enumerate(value))
    elif dataclasses.is_dataclass(kind):
        return _read_fields(typing.cast(type, kind), value, where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise _wrong(where, kind, value)
    return value


def _read_fields(kind: type, value: object, where: str) -> object:
    if not isinstance(value, dict):
        raise _wrong(where, kind, value)
    hints = _hints(kind)
    made = {}
    known = set()
    for field in dataclasses.fields(kind):
        name = _name(field)
        known.add(name)
        if name in value:
            made[field.name] = _read(hints[field.name], value[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ValueError(f"{where}: has no {name}")
    unknown = [name for name in value if name not in known]
    if unknown:
        raise ValueError(f"{where}: has {unknown[0]}, which this version does not know; install a newer one")
    return kind(**made)


def _text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple):
        return "[" + ",".join(_text(item) for item in value) + "]"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = []
        for field in _written(type(value)):
            item = getattr(value, field.name)
            if item is not None or not field.metadata.get("omitted"):
                parts.append(f'"{_name(field)}":{_text(item)}')
        return "{" + ",".join(parts) + "}"
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number in JSON")
    digits, _, exponent = repr(value).partition("e")
    if exponent == "-05":
        # Python writes numbers below 0.0001 with an exponent, the library only those below 0.00001.
        sign = "-" if value < 0 else ""
        return f"{sign}0.0000{digits.replace('.', '').removeprefix('-')}"
    if exponent:
        return f"{digits}e{exponent[0]}{exponent[1:].lstrip('0')}"
    return digits
