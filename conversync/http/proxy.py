"""The one way to a vendor that is not the straight one: a proxy that a setting names, by CONNECT.

Through it goes TLS from end to end: the proxy learns the vendor's host and port, and nothing of what is asked. The
environment's HTTPS_PROXY is heeded only where the setting says "env", for other programs may have set it.
"""

from __future__ import annotations

import base64
import logging
import os
import socket
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote

from requests.utils import should_bypass_proxies

from conversync.errors import SettingsError
from conversync.http.origin import Origin, is_host, split
from conversync.http.redact import remember

log = logging.getLogger("conversync.proxy")

VARIABLE = "CONVERSYNC_PROXY"
FROM_ENVIRONMENT, NONE = "env", "none"
# What other programs read, in their order.
_OTHERS = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
# Of what a proxy answers to CONNECT, in bytes.
_MOST = 64 * 1024

_configured: str | None = None
_told = False


class TunnelError(OSError):
    """The proxy opened no way to the vendor. `final`: asking again cannot help."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


@dataclass(frozen=True)
class Proxy:
    """Where it is, and what it wants to see."""

    host: str
    port: int
    authorization: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """For a sentence."""
        return f"{self.host}:{self.port}"

    def tunnel(self, host: str, port: int, timeout: float | None) -> socket.socket:
        """A connection to the host that leads through the proxy. Raises TunnelError, and TimeoutError."""
        try:
            sock = socket.create_connection((self.host, self.port), timeout)
        except TimeoutError:
            raise
        except OSError as error:
            unknown = isinstance(error, socket.gaierror)
            reason = "its name is not known" if unknown else os.strerror(error.errno or 0).lower()
            raise TunnelError(reason) from None
        try:
            sock.sendall(self._question(host, port))
            _judge(_answer(sock))
        except BaseException:
            sock.close()
            raise
        return sock

    def _question(self, host: str, port: int) -> bytes:
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        own = f"Proxy-Authorization: Basic {self.authorization}\r\n" if self.authorization else ""
        return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{own}\r\n".encode("ascii")


def _answer(sock: socket.socket) -> bytes:
    """The head of the proxy's answer, byte for byte: what follows it is the vendor's."""
    head = bytearray()
    while not head.endswith((b"\r\n\r\n", b"\n\n")):
        try:
            byte = sock.recv(1)
        except TimeoutError:
            raise
        except OSError:
            byte = b""
        if not byte or len(head) > _MOST:
            raise TunnelError("it broke off")
        head += byte
    return bytes(head)


def _judge(head: bytes) -> None:
    words = head.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise TunnelError("it does not answer like a proxy", final=True)
    status = int(words[1])
    if status == 407:
        raise TunnelError("it wants another user name and password, 407", final=True)
    if not 200 <= status < 300:
        raise TunnelError(f"it refused the way, {status}", final=400 <= status < 500)


def use(address: str | None) -> None:
    """What config.toml or secrets.toml has; the environment's variable goes before it."""
    global _configured
    _configured = address


def way_to(origin: Origin) -> Proxy | None:
    """The proxy that leads to an origin; None for the straight way. SettingsError for one that cannot be used.

    Plain http stays on this machine, and NO_PROXY is heeded. A variable of other programs that is not heeded is told.
    """
    if origin.scheme != "https" or should_bypass_proxies(origin.root, no_proxy=None):
        return None
    given = os.environ.get(VARIABLE, _configured or "").strip()
    other = next(filter(os.environ.get, _OTHERS), None)
    if given.lower() == NONE:
        return None
    if given.lower() == FROM_ENVIRONMENT:
        return parse(os.environ[other], other) if other else None
    if given:
        return parse(given, VARIABLE)
    if other:
        _tell(other)
    return None


def _tell(variable: str) -> None:
    global _told
    if not _told:
        _told = True
        text = (
            f"{variable} is set, and is not used: the vendors are asked directly. To go through it, set "
            f'{VARIABLE}={FROM_ENVIRONMENT}, or proxy = "{FROM_ENVIRONMENT}" in .dlt/config.toml; '
            f"to hear no more of it, {NONE}."
        )
        log.warning("%s", text, extra={"told": {"event": "note", "text": text}})


def parse(address: str, setting: str) -> Proxy:
    """`http://host:port` or `http://user:password@host:port`; SettingsError names the setting, never its value."""
    parts, port = split(address if "://" in address else f"http://{address}")
    if parts.scheme != "http":
        raise SettingsError(
            f"{setting} names a proxy that is not spoken to by plain http: give one such as http://proxy:3128."
        )
    host = parts.hostname or ""
    if not is_host(host) or port == 0 or parts.path.strip("/") or parts.query:
        raise SettingsError(f"{setting} is no address of a proxy: give one such as http://proxy:3128.")
    return Proxy(host, port or 80, _authorization(parts))


def _authorization(parts: SplitResult) -> str:
    """The user's name and password as the proxy wants to see them; "" where there are none."""
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not user and not password:
        return ""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    remember(password, pair)
    return pair
