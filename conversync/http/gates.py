"""What stands before a vendor and answers in its place: a login page, a bot check, a firewall."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

_LOGIN = re.compile(
    r"(?<![a-z])(?:(?:wp|user|admin)?(?:log|sign)[-_]?(?:in|on)|auth|oauth2?|sso|saml2?|authenticate|authori[sz]e)(?![a-z])"
)
# Headers by which a guard can be told, each with its name.
_GUARDS = {
    "cf-ray": "Cloudflare",
    "x-sucuri-id": "Sucuri",
    "x-iinfo": "Imperva",
    "x-amz-cf-id": "Amazon CloudFront",
    "x-akamai-transformed": "Akamai",
    "x-datadome": "DataDome",
    "x-ddos-guard": "DDoS-Guard",
}
_SERVERS = {"cloudflare": "Cloudflare", "akamai": "Akamai", "ddos-guard": "DDoS-Guard", "sucuri": "Sucuri"}


def leads_to_login(url: str) -> bool:
    """Whether an address is by its path, or the first part of its host, one where people log in."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return bool(_LOGIN.search(parts.path.lower()) or _LOGIN.fullmatch(host.partition(".")[0]))


def guard(headers: Mapping[str, str]) -> str:
    """Who sent a page that forbids, as far as its headers tell."""
    for name, guard in _GUARDS.items():
        if name in headers:
            return guard
    server = headers.get("Server", "").lower()
    named = next((guard for mark, guard in _SERVERS.items() if mark in server), None)
    return named or "a bot check or a firewall"
