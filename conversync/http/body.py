"""A body off the wire: decoded piece by piece, so that a small answer cannot grow into a large one."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from conversync.http.limits import Limits

PIECE = 1024 * 1024
# Compressed bytes are looked at in small pieces: the ratio is checked after each.
PACKED_PIECE = 32 * 1024
# Below this a high ratio harms nobody: an empty page padded with spaces compresses well too.
RATIO_FLOOR = 4 * 1024 * 1024

_GZIP, _ZLIB, _RAW_DEFLATE = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


class MangledError(Exception):
    """The body is not in the encoding that it claims; the text says how, in a few words."""


class TooLargeError(Exception):
    """The body is larger than the limits allow, or would be; the text says of what there is too much."""


class Source(Protocol):
    """Where raw bytes come from; b"" is the end."""

    def read(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """At most `amt` bytes, as they were sent."""


def weigh(body: bytes, limits: Limits) -> None:
    """TooLargeError where more would be made of a body of JSON than fits: counted are the signs that begin a value.

    Those in texts count, too: the bounds leave room for them. Nothing is counted in a body that is too short for it:
    an object has an end as well, and what is none is refused where it is met.
    """
    if len(body) > 2 * limits.objects and body.count(b"{") + body.count(b"[") > limits.objects:
        raise TooLargeError(f"{limits.objects:,} objects")
    if len(body) > limits.values and body.count(b",") > limits.values:
        raise TooLargeError(f"{limits.values:,} values")


def read_body(
    source: Source, encoding: str, limits: Limits, on_large: Callable[[], None] = lambda: None
) -> bytes:
    """The whole decoded body. `encoding` is the value of Content-Encoding, "" if there is none.

    `on_large` is called once, as soon as it is known to be a large one. Raises MangledError for an unknown, a lying or
    a truncated encoding, TooLargeError past the caps, and whatever the source or `on_large` raises.
    """
    tally = _Tally(limits, on_large)
    codings = [name for part in encoding.lower().split(",") if (name := part.strip()) not in ("", "identity")]
    if not codings:
        return _plain(source, tally)
    if len(codings) > 1 or codings[0] not in ("gzip", "x-gzip", "deflate"):
        raise MangledError("its Content-Encoding is not one that we asked for")
    try:
        return _Inflater(codings[0], limits, tally).whole(source)
    except zlib.error:
        pass
    raise MangledError("it is not in the Content-Encoding that it claims")


def read_beginning(source: Source, encoding: str, most: int, limits: Limits) -> tuple[bytes, bool]:
    """The first bytes of a decoded body, `most` about, and whether that is all of it: for words, never for data.

    What came before it broke off, fell silent, or was no encoding of ours, counts. Nothing is raised for a body.
    """
    begun = _Beginning(source)
    try:
        return read_body(begun, encoding, replace(limits, body_bytes=most)), True
    except Exception:  # noqa: BLE001 - whatever ended it: what came until then is all there is
        return begun.decoded(encoding, most), False


class _Beginning:
    """A source that remembers what it gave."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._pieces: list[bytes] = []

    def read(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """As `Source.read`, in pieces that are small: of a silence, the last one is lost."""
        piece = self._source.read(min(amt or PACKED_PIECE, PACKED_PIECE), decode_content)
        self._pieces.append(piece)
        return piece

    def decoded(self, encoding: str, most: int) -> bytes:
        """What of it can be decoded, cut."""
        data = b"".join(self._pieces)
        if encoding.strip().lower() in ("", "identity"):
            return data[:most]
        try:
            return zlib.decompressobj(_GZIP if "gzip" in encoding.lower() else _ZLIB).decompress(data, most)
        except zlib.error:
            return b""


class _Tally:
    """How much of a body came."""

    def __init__(self, limits: Limits, on_large: Callable[[], None]) -> None:
        self.size = 0
        self._limits = limits
        self._on_large = on_large

    def add(self, piece: bytes) -> None:
        was_large, self.size = self.size > self._limits.large_bytes, self.size + len(piece)
        if self.size > self._limits.body_bytes:
            raise TooLargeError(_megabytes(self._limits))
        if self.size > self._limits.large_bytes and not was_large:
            self._on_large()


def _plain(source: Source, tally: _Tally) -> bytes:
    first = source.read(PIECE, decode_content=False)
    tally.add(first)
    pieces = [first]
    while pieces[-1]:
        pieces.append(source.read(PIECE, decode_content=False))
        tally.add(pieces[-1])
    return first if len(pieces) <= 2 else b"".join(pieces)


class _Inflater:
    """gzip (one member or several) and deflate (with zlib's frame, or raw as some servers send it)."""

    def __init__(self, coding: str, limits: Limits, tally: _Tally) -> None:
        self._window = _ZLIB if coding == "deflate" else _GZIP
        self._limits = limits
        self._tally = tally
        self._member = zlib.decompressobj(self._window)
        self._pieces: list[bytes] = []
        self._sent = 0

    def whole(self, source: Source) -> bytes:
        while piece := source.read(PACKED_PIECE, decode_content=False):
            if not self._sent and self._window == _ZLIB and not _has_zlib_frame(piece):
                self._member = zlib.decompressobj(_RAW_DEFLATE)
            self._sent += len(piece)
            self._feed(piece)
        while not self._member.eof and (rest := self._member.decompress(b"", PIECE)):
            self._keep(rest)
        if self._sent and not self._member.eof:
            raise MangledError("its compressed body is cut off")
        return b"".join(self._pieces)

    def _feed(self, data: bytes) -> None:
        while data:
            if self._member.eof:
                self._member = zlib.decompressobj(self._window)
            self._keep(self._member.decompress(data, PIECE))
            data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail

    def _keep(self, decoded: bytes) -> None:
        self._tally.add(decoded)
        self._pieces.append(decoded)
        if self._tally.size > RATIO_FLOOR and self._tally.size > self._limits.ratio * self._sent:
            raise TooLargeError(_megabytes(self._limits))


def _megabytes(limits: Limits) -> str:
    return f"{limits.body_bytes / (1024 * 1024):g} MB"


def _has_zlib_frame(start: bytes) -> bool:
    return len(start) >= 2 and start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0
