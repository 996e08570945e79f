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
        *((*one, 4, "cannot be reached") for one in LATER),
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
    """And with the server's words; a server that is full, begins, ends or is broken is another time's: 4."""
    place = Place(tmp_path, sandbox, nursery)
    with refusing(severity, code, message) as port:
        place.env["DESTINATION__POSTGRES__CREDENTIALS"] = (
            f"postgresql://reader:hidden@127.0.0.1:{port}/tables"
        )
        done = place.run("load", "besitos", "--destination", "postgres")
    done.refused(exit_code, f"{words} ({' '.join(message.split())})")
    assert "hidden" not in done.told


KEITARO = {
    "KEITARO_URL": "http://127.0.0.1:9",
    "KEITARO_API_KEY": "abc-123",
    "KEITARO_POSTBACK_KEY": "abc-123",
    "SEND_PLAYER_IDS": "user_id",
}
MALFORMED = (
    "hello-hidden",
    "postgresql://reader:hidden@127.0.0.1:port/tables",
    "mysql://reader:hidden@127.0.0.1/tables",
    "postgresql://reader:hidden@127.0.0.1:9/tables?no_such_option=1",
)
COMMANDS = (
    *("load besitos", "status", "books", "verify besitos", "alert", "check", "build", "report", "nightly"),
    *("close 2024-11", "explain 5", "undo --last --vendor besitos"),
    "send keitaro.conversions --from besitos --dry-run",
)


@pytest.mark.parametrize(
    ("address", "command"),
    [*((MALFORMED[0], command) for command in COMMANDS), *((one, "status") for one in MALFORMED[1:])],
)
def test_an_address_that_cannot_be_read_is_a_setting_that_is_wrong(
    tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool, address: str, command: str
) -> None:
    """Exit 2, and a sentence that names the section and not the value."""
    place = Place(tmp_path, sandbox, nursery)
    place.env |= {"DESTINATION__POSTGRES__CREDENTIALS": address, **KEITARO}
    done = place.run(*command.split(), "--destination", "postgres")
    assert done.code == 2, done.told
    assert "[destination.postgres.credentials]" in done.told
    assert "Traceback" not in done.told
    assert "hidden" not in done.told


def test_check_tries_the_destination(tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool) -> None:
    """It says what a load would, with its exit code; of a DuckDB file, too."""
    place = Place(tmp_path, sandbox, nursery)
    fields = ("FATAL", "28P01", 'password authentication failed for user "reader"')
    with refusing(*fields) as port:
        place.env["DESTINATION__POSTGRES__CREDENTIALS"] = (
            f"postgresql://reader:hidden@127.0.0.1:{port}/tables"
        )
        done = place.run("check", "besitos", "--destination", "postgres")
    assert done.code == 2, done.told
    assert "LOOK postgres: The destination does not let this user in" in done.told
    away = place.run("check", "besitos", "--destination", "postgres")
    assert away.code == 4, away.told
    assert "LOOK postgres: The destination cannot be reached" in away.told
    (tmp_path / "warehouse.duckdb").write_bytes(b"no database")
    broken = place.run("check", "besitos")
    assert broken.code == 2, broken.told
    assert "cannot be opened as a DuckDB file" in broken.told


@pytest.mark.parametrize(
    "command",
    ["send keitaro.conversions --from besitos --dry-run", "reconcile keitaro", "load besitos --dry-run"],
)
def test_a_file_that_is_no_database_is_told_by_a_send_as_by_a_load(
    tmp_path: Path, sandbox: Sandbox, nursery: ProcessPool, command: str
) -> None:
    """Exit 2 and which file, and nothing of a server."""
    place = Place(tmp_path, sandbox, nursery)
    (tmp_path / "warehouse.duckdb").write_bytes(b"no database")
    place.env |= KEITARO
    place.run(*command.split()).refused(2, "warehouse.duckdb cannot be opened as a DuckDB file")
