"""Where a setting stands: its value with the place that has it, so that a sentence can name that place.

dlt's providers are asked in their order: the environment, secrets.toml, config.toml, the nearest section first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from conversync.errors import SettingsError
from conversync.settings import accounts
from conversync.settings.lookup import project_dir
from conversync.settings.registry import guess

ENVIRONMENT = "Environment Variables"
# The variables whose value came out of a file, and what names that: `BESITOS_TOKEN_FILE` (see providers.py).
FROM_FILES: dict[str, str] = {}


@dataclass(frozen=True)
class Given:
    """A setting as it was found; `place` is the second half of "it stands in ..."."""

    name: str
    value: Any
    place: str

    @property
    def text(self) -> str:
        """The value as a person wrote it, near enough: true, not True."""
        return str(self.value).lower() if isinstance(self.value, bool) else str(self.value)

    @property
    def is_shared(self) -> bool:
        """Whether it stands in the file that is no secret."""
        return self.place.endswith("config.toml")

    def wrong(self, wanted: str, more: str = "") -> SettingsError:
        """`wanted`: what it must be. To be used for what is no secret: the sentence shows the value."""
        return SettingsError(f'{self.name} is "{self.text:.60}" in {self.place}, but must be {wanted}.{more}')


def standing(name: str, *sections: tuple[str, ...]) -> Given | None:
    """The first value that a provider has in one of these sections; None where it is set nowhere."""
    return next(everywhere(name, *sections), None)


def everywhere(name: str, *sections: tuple[str, ...]) -> Iterator[Given]:
    """Every value that a provider has in one of these sections; the first one counts."""
    from conversync.dlt_internals import Container, PluggableRunContext

    for provider in Container()[PluggableRunContext].providers.providers:
        for section in sections:
            value, key = provider.get_value(name, str, None, *section)
            if value is not None and not isinstance(value, dict):
                yield Given(name, value, _place(provider.name, key, section))


def of_source(name: str, source: str) -> Given | None:
    """A setting of a source (`besitos`, `besitos:eu`), where its configspec takes it from."""
    return next(all_of_source(name, source), None)


def all_of_source(name: str, source: str) -> Iterator[Given]:
    """A setting of a source wherever it stands; the first one counts.

    What an account has of its own is no other value of what it would else share.
    """
    nearest, *shared = accounts.sections(source, name)
    found = list(everywhere(name, *([nearest] if ":" in source else [nearest, *shared])))
    yield from found or everywhere(name, *shared)


def _one_that_counts(name: str, source: str) -> tuple[Given | None, list[Given]]:
    """A setting's first place, and all others."""
    found = list(all_of_source(name, source))
    return (found[0] if found else None), found[1:]


def overruled(name: str, source: str, *, is_secret: bool) -> Iterator[str]:
    """A sentence for each place where another value of a source's setting stands, which does not count.

    Of a secret no value is shown; one in config.toml is a matter of `shared`.
    """
    counts, others = _one_that_counts(name, source)
    for other in others:
        if counts is None or other.text == counts.text or (is_secret and other.is_shared):
            continue
        mine, theirs = ("", "") if is_secret else (f'"{counts.text:.60}" ', f'"{other.text:.60}" ')
        yield f"{name} stands in two places: {mine}in {counts.place} counts, {theirs}in {other.place} does not."


def shared(name: str, source: str) -> Iterator[str]:
    """A sentence where a secret stands in config.toml, too, beside the place that counts."""
    counts, others = _one_that_counts(name, source)
    for other in others:
        if counts is not None and other.is_shared:
            yield (
                f"{name} stands in {other.place}, too, which may be shared. The one in {counts.place} counts: "
                "delete it there."
            )


def of_project(name: str) -> Given | None:
    """A setting of the project: CONVERSYNC_<NAME>, else the top of a file."""
    variable = f"CONVERSYNC_{name.upper()}"
    if given := os.environ.get(variable):
        return Given(name, given, in_environment(variable))
    return standing(name, ())


def in_environment(variable: str) -> str:
    """A variable's place, or that of the file that it was read from."""
    return (
        f"the file that {FROM_FILES[variable]} names"
        if variable in FROM_FILES
        else f"the environment ({variable})"
    )


def _place(provider: str, key: str, section: Sequence[str]) -> str:
    if provider == ENVIRONMENT:
        return in_environment(key)
    file = project_dir() / ".dlt" / provider
    return f"[{'.'.join(section)}] of {file}" if section else str(file)


def number(found: Given, least: float, most: float, *, whole: bool = False, above: bool = False) -> float:
    """The value as a number between both, which are among them (`above`: but the least is not)."""
    try:
        value = float(found.text)
    except ValueError:
        value = float("nan")
    fits = (least < value if above else least <= value) and value <= most
    if not fits or not isfinite(value) or (whole and value != int(value)):
        raise found.wrong(_number_words(least, most, whole=whole, above=above))
    return value


def _number_words(least: float, most: float, *, whole: bool, above: bool) -> str:
    kind = "a whole number" if whole else "a number"
    from_ = f"above {least:g}" if above else f"of {least:g} or more"
    up_to = f", at most {most:,g}" if most < float("inf") else ""
    return f"{kind} {from_}{up_to}"


def choice(found: Given, choices: Sequence[str]) -> str:
    """One of these words."""
    if found.text not in choices:
        raise found.wrong(f"{', '.join(choices[:-1])} or {choices[-1]}", guess(found.text, choices))
    return found.text
