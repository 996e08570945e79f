"""A PostgreSQL that answers, and lets nobody in: told apart from one that is away, in whatever language it speaks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from conversync.sandbox import Sandbox
from tests.process.support import Place, ProcessPool

# What comes instead of a start, where the client would rather speak TLS.
TLS = (80877103).to_bytes(4, "big")


@contextmanager
def refusing(severity: str, code: str, message: str) -> Iterator[int]:
    """The port of a server that answers every start with this error, as PostgreSQL words its protocol."""
    fields = {"S": severity, "V": "FATAL", "C": code, "M": message}
    body = b"".join(f"{name}{text}\0".encode() for name, text in fields.items()) + b"\0"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    with listening.accept()[0] as session:
                        if session.recv(4096)[4:8] == TLS:
                            session.sendall(b"N")
                            session.recv(4096)
                        session.sendall(b"E" + (len(body) + 4).to_bytes(4, "big") + body)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


REFUSED = [
    ("FATAL", "28P01", "Passwort-Authentifizierung für Benutzer »reader« fehlgeschlagen"),
    ("FATAL", "28P01", "authentification par mot de passe échouée pour l'utilisateur  « reader »"),
    ("ВАЖНО", "3D000", 'база данных "tables" не существует'),
    ("FATAL", "28P01", 'ユーザー"reader"のパスワード認証に失敗しました'),
    ("FATAL", "28000", 'no pg_hba.conf entry for host "127.0.0.1", user "reader", database "tables"'),
]
LATER = [
    ("FATAL", "53300", "tut mir leid, schon zu viele Verbindungen"),
    ("FATAL", "57P03", "le système de base de données s'arrête"),
    ("ВАЖНО", "57P03", "система баз данных останавливается"),
    ("FATAL", "58P01", 'could not open file "global/pg_filenode.map": No such file or directory'),
]


@pytest.mark.parametrize(
    ("severity", "code", "message", "exit_code", "words"),
    [
        *((*one, 2, "does not let this user in") for one in REFUSED),
        *((*one, 1, "cannot be reached") for one in LATER),
    ],
)
def test_who_is_refused_for_what_the_settings_say_ends_with_2(
    tmp_path: Path,
    sandbox: Sandbox,
    nursery: ProcessPool,
    severity: str,
    code: str,
    message: str,
    exit_code: int,
    words: str,
) -> None:
    """And with the server's words; a server that is full, begins, ends or is broken is another time's: 1."""
    place = Place(tmp_path, sandbox, nursery)
    with refusing(severity, code, message) as port:
        place.env["DESTINATION__POSTGRES__CREDENTIALS"] = (
            f"postgresql://reader:hidden@127.0.0.1:{port}/tables"
        )
        done = place.run("load", "besitos", "--destination", "postgres")
    done.refused(exit_code, f"{words} ({' '.join(message.split())})")
    assert "hidden" not in done.told
