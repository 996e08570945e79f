"""A vendor's `Variants` written as text: `NAME=VALUE`, for the command line and the control endpoints."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

AnyVariants = TypeVar("AnyVariants")


class UnknownVariantError(ValueError):
    """There is no variant of that name; the sentence lists those there are."""


def parse(pairs: Iterable[str], base: AnyVariants) -> AnyVariants:
    """`["order=newest", "page_cap=100", "ignores=page,per_page"]` over `base`; ValueError says why not."""
    hints = get_type_hints(type(base))
    changes: dict[str, Any] = {}
    for pair in pairs:
        name, _, text = pair.partition("=")
        if name not in hints:
            names = ", ".join(field.name for field in fields(base))  # type: ignore[arg-type]
            raise UnknownVariantError(f"no variant {name!r}{meant(name, hints)}; there are {names}")
        changes[name] = _value(name, text, hints[name])
    return replace(base, **changes)  # type: ignore[type-var]


def meant(word: str, known: Iterable[str]) -> str:
    """`" (did you mean order?)"`, or nothing where none of them is alike."""
    near = get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def listed(base: object) -> list[str]:
    """Every variant with the values it takes, its present one first: `order=oldest|newest|shuffled|random`."""
    hints = get_type_hints(type(base))
    return [f"{field.name}={_values(getattr(base, field.name), hints[field.name])}" for field in fields(base)]  # type: ignore[arg-type]


def _values(value: object, kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(dict.fromkeys([str(value), *get_args(kind)]))
    if kind is bool:
        return "true|false" if value else "false|true"
    if get_origin(kind) is frozenset:
        return "A,B,..."
    return str(value) or "TEXT"


def _value(name: str, text: str, kind: Any) -> object:
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ValueError(
                f"variant {name} is one of {', '.join(get_args(kind))}, not {text!r}{meant(text, get_args(kind))}"
            )
        return text
    if kind is bool:
        if text not in ("true", "false"):
            raise ValueError(f"variant {name} is true or false, not {text!r}")
        return text == "true"
    if get_origin(kind) is frozenset:
        return frozenset(part for part in text.split(",") if part)
    return kind(text)
