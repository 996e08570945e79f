"""Where requests may go and what they may carry: the setting `<vendor>_url`, and the fixed headers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from conversync.errors import SettingsError

DEFAULT_PORTS = {"https": 443, "http": 80}

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


@dataclass(frozen=True)
class Origin:
    """Scheme, host and port; `prefix` comes before every path: "" or "/...", without a last slash."""

    scheme: str
    host: str
    port: int
    prefix: str = ""

    @property
    def root(self) -> str:
        """The URL that paths are appended to."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.prefix}"

    def holds(self, url: str) -> bool:
        """Whether an absolute URL leads to this scheme, host and port."""
        try:
            parts = urlsplit(url)
            port = parts.port or DEFAULT_PORTS.get(parts.scheme)
        except ValueError:
            return False
        return (
            parts.scheme == self.scheme
            and parts.hostname == self.host
            and port == self.port
            and "@" not in parts.netloc
        )


def parse_origin(url: str, setting: str) -> Origin:
    """The origin that a setting configures; SettingsError names the setting and what is wrong with it.

    https everywhere; http to loopback only. No user name, query or fragment. A path is kept as a prefix.
    """
    if not isinstance(url, str) or not url.strip():
        raise SettingsError(
            f"{setting} is empty: give the vendor's address, such as https://api.example.com."
        )
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise SettingsError(f"{setting} holds a space, a control or a non-ASCII character: write it plainly.")
    parts, port = split(url)
    if "@" in parts.netloc:
        raise SettingsError(
            f"{setting} holds a user name or a password: credentials have their own settings."
        )
    if "?" in url or "#" in url:
        raise SettingsError(f"{setting} holds a query or a fragment: give scheme, host and path only.")
    return _checked(parts, port, setting)


def _checked(parts: SplitResult, port: int | None, setting: str) -> Origin:
    host = parts.hostname or ""
    if parts.scheme not in DEFAULT_PORTS or not is_host(host) or port == 0:
        raise SettingsError(f"{setting} is no https address: give one such as https://api.example.com.")
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingsError(
            f"{setting} is plain http, which would show the credentials to the network: use https."
        )
    prefix = parts.path.rstrip("/")
    if not _PATH.fullmatch(prefix) or has_dot_segment(prefix):
        raise SettingsError(
            f"{setting} holds a path that is not plain: percent-encode it, and leave out '..'."
        )
    return Origin(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme], prefix)


def split(url: str) -> tuple[SplitResult, int | None]:
    """The parts of an address, and its port; empty ones where it is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return SplitResult("", "", "", "", ""), None
    return parts, port


def is_host(host: str) -> bool:
    """Whether this is a name or an address as a URL has it."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _HOST.fullmatch(host) is not None
    return "%" not in host


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: localhost, 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def has_dot_segment(path: str) -> bool:
    """Whether a path climbs or stands still ("..", ".", also percent-encoded)."""
    segments = path.lower().replace("%2e", ".").split("/")
    return ".." in segments or "." in segments


def check_headers(headers: Mapping[str, str], hint: str) -> dict[str, str]:
    """The headers as given; SettingsError names a header whose value no header can carry, never the value.

    `hint` says where the credentials stand.
    """
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError("a header name must be an HTTP token")
        problem = _problem(value)
        if problem:
            raise SettingsError(f"The value for the header {name} {problem}. {hint}")
    return dict(headers)


def _problem(value: str) -> str | None:
    if not value.isprintable():
        return "holds a line break or another character that cannot be seen"
    if any(ord(character) > 0xFF for character in value):
        return "holds a character that a header cannot carry"
    if value != value.strip():
        return "begins or ends with a space"
    return None if value else "is empty"


def printable_host(url: str) -> str:
    """The host of an address that a vendor gave, fit for a sentence; never its path, query or user name."""
    try:
        host = urlsplit(url.replace("\\", "/")).hostname or ""
    except ValueError:
        host = ""
    return host if is_host(host) else "an address that cannot be read"
