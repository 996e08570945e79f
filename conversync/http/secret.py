"""Secrets as a person set them: neither missing, nor a placeholder, nor with something around them."""

from __future__ import annotations

import re

from conversync.errors import SettingsError
from conversync.http.redact import remember

_WHAT = r"(?:access|api|auth|bearer)?[ _-]?(?:token|key|password|passwd|secret)"
_PLACEHOLDER = re.compile(
    r"<.*>|\[.*\]|\{.*\}|\$\(.*\)|\$\{.*\}|\$\w+|%\w+%|@\w+@|x{3,}|\*{3,}|\.{3,}|-{3,}|_{3,}|…"
    r"|(?:change|configure|replace|fill|set)[ _-]?(?:me|it|this|in)"
    rf"|(?:your|insert|enter|paste|put)[ _-].*|.*[ _-]here|(?:my|the|some|an?|dummy|example|sample|fake)?[ _-]?{_WHAT}"
    r"|todo|fixme|tbd|placeholder|example|dummy|redacted|none|null|nil|undefined|n/?a",
    re.IGNORECASE | re.DOTALL,
)
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "„": "“", "\u2018": "\u2019", "«": "»"}
_SCHEME = re.compile(r"(bearer|basic|token|api-key)[: ]+\S", re.IGNORECASE)


def check_secret(name: str, value: str) -> None:
    """SettingsError, naming the setting and never its value, unless this may be a secret; then `redact` knows it."""
    if problem := _problem(name, value):
        raise SettingsError(
            f"{name} {problem}: write {name} into .dlt/secrets.toml, or set {name.upper()} in the environment."
        )
    remember(value)


def _problem(name: str, value: str) -> str | None:
    inner = value.strip()
    quoted = len(inner) > 1 and inner[-1] == _QUOTES.get(inner[0])
    said = inner[1:-1].strip() if quoted else inner
    scheme = _SCHEME.match(inner)
    problems = {
        "is empty": not said,
        "still holds a placeholder": bool(_PLACEHOLDER.fullmatch(said)),
        "holds a line break or another character that cannot be seen": not inner.isprintable(),
        "begins or ends with a blank or a line break, which is not part of it": inner != value,
        "stands in quotes, which would be sent with it (an env-file of docker takes none)": quoted,
        "holds its own name and an equals sign": inner.upper().startswith(f"{name.upper()}="),
        f'begins with "{scheme and scheme[1]}", which is not part of it': bool(scheme),
    }
    return next((problem for problem, is_so in problems.items() if is_so), None)
