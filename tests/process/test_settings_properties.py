"""K02: whatever text a setting holds, it is understood, or refused by its name; nothing else ever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from conversync.errors import SettingsError
from conversync.settings import lookup
from conversync.vendors import LoadRequest, targets, vendors

RIGHT = {
    "BESITOS_TOKEN": "abc-123",
    "INFOBIP_USERNAME": "aladdin",
    "INFOBIP_PASSWORD": "open-sesame",
    "INFOBIP_PAIRS": '[{"process_key": "47A3"}]',
    "CONDUCTRICS_API_KEY": "admin-abc",
    "CONDUCTRICS_ACCOUNT": "acc-abc",
    "KEITARO_API_KEY": "def-456",
    "KEITARO_URL": "https://tracker.example.com",
    "KEITARO_POSTBACK_KEY": "5eb63bb",
    "OPTIBASE_PUBLIC_API_KEY": "clv3047v70dsat664sgrzwotq",
}
SPECS = {name: (vendor.settings, name) for name, vendor in vendors().items()}
SPECS |= {f"send-{name}": (target.settings, name.partition(".")[0]) for name, target in targets().items()}
FIELDS = [(name, one) for name, (spec, _) in SPECS.items() for one in spec.get_resolvable_fields()]
NUMBERS = [(name, one) for name, one in FIELDS if SPECS[name][0].get_resolvable_fields()[one] is int]
LIKELY = (
    *(
        "true",
        "null",
        "[]",
        "{}",
        "[1]",
        '["a"]',
        '[{"process_key": 1}]',
        '"x"',
        "1e3",
        "0x10",
        "9" * 5000,
        "-0",
    ),
    *(
        "7.0",
        " 7 ",
        "2024-01-01",
        "0001-01-01",
        "9999-12-31",
        "2024-02-30",
        "https://",
        "https://a.b:99999",
        "UTC",
    ),
)
TEXTS = some.one_of(
    some.sampled_from(LIKELY),
    some.integers().map(str),
    some.floats().map(str),
    some.text(some.characters(exclude_characters="\0", exclude_categories=["Cs"])),
)
FEW = hypothesis_settings(max_examples=4, deadline=None)


@pytest.mark.quick(16)
@pytest.mark.parametrize(("spec", "name"), FIELDS, ids=lambda value: str(value))
@FEW
@given(text=TEXTS)
def test_k02_any_text_is_understood_or_refused_by_name(spec: str, name: str, text: str) -> None:
    """No other error, and none that names another setting; what is understood can be planned with."""
    understood_or_refused(spec, name, text)


@pytest.mark.long
@hypothesis_settings(max_examples=3_000, deadline=None)
@given(field=some.sampled_from(FIELDS), text=TEXTS)
def test_k02_long_any_text_is_understood_or_refused_by_name(field: tuple[str, str], text: str) -> None:
    """As above, for more texts than anybody thinks of."""
    understood_or_refused(*field, text)


def understood_or_refused(spec: str, name: str, text: str) -> None:
    with environment({**RIGHT, name.upper(): text}):
        try:
            resolved, refused = lookup.resolve(*SPECS[spec]), None
        except SettingsError as error:
            resolved, refused = None, str(error)
        if refused is None and spec in vendors():
            assert list(vendors()[spec].steps({}, resolved, LoadRequest())) != []
    assert refused is None or name in refused


@pytest.mark.parametrize(("spec", "name"), NUMBERS, ids=lambda value: str(value))
@FEW
@given(number=some.one_of(some.integers(max_value=-1), some.integers(min_value=100_001)))
def test_k02_a_number_that_cannot_be_meant_is_refused_with_what_can(
    spec: str, name: str, number: int
) -> None:
    """Below and above every range, the name, the number and both ends of what may stand there."""
    with environment({**RIGHT, name.upper(): str(number)}), pytest.raises(SettingsError) as refused:
        lookup.resolve(*SPECS[spec])
    assert f"{name} is {number}, but must be at least" in str(refused.value)
    assert "at most" in str(refused.value)


@contextmanager
def environment(variables: Mapping[str, Any]) -> Iterator[None]:
    """These settings and no others."""
    before = dict(os.environ)
    for name in set(before) - {"PATH", "HOME"}:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
