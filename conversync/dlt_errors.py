"""What dlt, the destination and the machine say, as errors that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from conversync.errors import ConversyncError, LockedError, SettingsError, UnreachedError
from conversync.http.redact import quoted
from conversync.warehouse import confined_sql, lock_session, privileges, sessions, write_lock
from conversync.warehouse.warehouse import DISK_FULL, NO_SPACE

# How databases say that a right is missing.
_NOT_ALLOWED = (
    "permission denied",
    "must be owner of",
    "access denied",
    "insufficient privileges",
    "not authorized",
)
# What MariaDB's driver tells of a user, a password or a database that it does not know, by the server's numbers.
_MARIADB_NO = re.compile(r"\((?:1044|1045|1049|1698), ['\"](.+?)['\"]\)")
# What PostgreSQL says where a lock was waited for too long.
_WAITED = "canceling statement due to lock timeout"
# PostgreSQL's code and words for a session too many; who is not let in yet is told no code by the driver.
_TOO_MANY_CODE = "53300"
_TOO_MANY = (
    "too many connections for",
    "too many clients already",
    "remaining connection slots are reserved",
    "pg_use_reserved_connections",
)
# What PostgreSQL, or its driver, answers who wants a session: the one line, since of DuckLake's catalog the address is
# told around it, with the password. The driver says how grave it is in the server's language, and then two spaces.
_ANSWER = re.compile(r"(?:(?:^|failed: )[^\s:][^:\n]*:  |FATAL: +|fe_sendauth: )(.+)", re.MULTILINE)
# What is said to whom it lets in at no other time either: in every language it names the user, the database or the
# setting that is wrong between quotation marks, and a server that is full, begins or ends names none.
_NOT_LET_IN = re.compile(r'authentication failed|no password supplied|["«»„“”][^"«»„“”/]+["«»„“”]')
# What PostgreSQL's driver says of an address that it cannot read.
_NO_ADDRESS = ("invalid dsn", "invalid connection option")
# What is said where there was a session.
_SESSION_ENDED = re.compile(r"closed the connection|terminating connection|(already|been|was) closed|receive")
# What dlt raises where a schema or a state is of a format that it does not know yet.
_OF_A_NEWER_DLT = frozenset(
    {"SchemaEngineNoUpgradePathException", "PipelineStateEngineNoUpgradePathException"}
)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turns what dlt wraps and what the machine says into errors with a sentence; anything else passes."""
    try:
        yield
    except ConversyncError:
        raise
    except Exception as error:
        if _is_interrupted(error):
            raise SystemExit(1) from error
        known = sentence(error)
        if known is None:
            raise
        raise known from error


def _is_interrupted(error: BaseException) -> bool:
    """Whether DuckDB gave up a query for a signal: it raises this in place of what the signal's handler raised."""
    seen: BaseException | None = error
    while seen is not None and not (isinstance(seen, RuntimeError) and str(seen) == "Query interrupted"):
        seen = seen.__cause__ or seen.__context__
    return seen is not None


def sentence(error: BaseException) -> ConversyncError | None:
    """The error that a person can act on, found along the causes; None where there is none."""
    seen: BaseException | None = error
    while seen is not None:
        known = seen if isinstance(seen, ConversyncError) else _of_machine(seen) or _destination(seen)
        if known is not None:
            return known
        seen = seen.__cause__ or seen.__context__
    return None


def _of_machine(error: BaseException) -> ConversyncError | None:
    """What a database's words say of this machine, the file, or the views in it."""
    text = str(error)
    if lock_session.LOST in text:
        return LockedError(lock_session.TELLS)
    if getattr(error, "pgcode", None) == sessions.NOT_HAD or _WAITED in text:
        return _waited(error)
    is_without_memory = isinstance(error, MemoryError)
    for kind, words, told in _OF_MACHINE:
        if any(one in text for one in words) or (is_without_memory and told is _NO_MEMORY):
            return kind(told.format(first="".join(text.strip().splitlines()[:1])))
    return None


def _waited(error: BaseException) -> LockedError:
    """A lock that was waited for in vain, with who holds it, as far as the server tells."""
    who = sessions.held_by(error)
    named, told = (f" ({who})", "") if who else ("", " (pg_locks tells it)")
    return LockedError(
        f"Somebody holds a table of the destination in a transaction that stays open{named}, and what was to be "
        "read or changed there waited for it in vain; what was committed before stands. "
        f"End that session{told}, and run it again."
    )


_NO_MEMORY = (
    "There is not enough memory; what was committed before is safe. "
    "Run it with more, or with smaller windows, such as --window 7d."
)
_OTHER_DATA = (
    "The lake's catalog has its data elsewhere than the settings do: give bucket_url, in "
    "[destination.ducklake.credentials.storage], the folder or address with which the lake was made."
)
_TOO_LONG = (
    "A value is longer than its column takes on MariaDB, where a key has at most 768 signs, so nothing of what came "
    "with it was loaded; what was committed before stands. Nothing there mends it: load this source into another "
    "destination."
)
# What a database's words mean: the error, the words, and the sentence, in which `first` is their first line.
_OF_MACHINE = (
    (
        LockedError,
        ("Could not set lock on file", "Conflicting lock is held"),
        "Somebody has the warehouse file open; close that session, or wait for it with --wait 30m.",
    ),
    (ConversyncError, NO_SPACE, DISK_FULL),
    (SettingsError, ("DATA_PATH parameter",), _OTHER_DATA),
    (ConversyncError, ("Data too long for column",), _TOO_LONG),
    (ConversyncError, ("Out of Memory Error",), _NO_MEMORY),
    (
        ConversyncError,
        (confined_sql.REFUSED,),
        (
            "A view of the warehouse reaches for what is no table ({first}), which none "
            "of ours does, and it was not let. See who made it, and drop it; conversync load makes ours anew."
        ),
    ),
    (
        ConversyncError,
        (confined_sql.ONLY_READS,),
        (
            "The destination only lets it read ({first}): a view there writes when it "
            "is read, which none of ours does, or the server takes no changes, as a standby. See who made the view "
            "and drop it, or name another server."
        ),
    ),
)


def _is_not_allowed(error: BaseException) -> bool:
    """Whether a database refuses a right: by its code where the driver tells one, else by its words."""
    if getattr(error, "pgcode", None) == "42501":
        return True
    module = type(error).__module__
    words = str(error).lower()
    # A file that cannot be opened is a matter of this machine.
    is_of_database = module == "dlt.destinations.exceptions" and not words.startswith("io error")
    return is_of_database and any(one in words for one in _NOT_ALLOWED)


def _connection_lost(error: BaseException) -> bool:
    """Whether it is of a kind that every database driver of Python has (DB-API 2.0); a file has no connection."""
    kinds = {kind.__name__ for kind in type(error).__mro__ if "duckdb" not in kind.__module__}
    return not kinds.isdisjoint({"OperationalError", "InterfaceError"})


def _destination(error: BaseException) -> ConversyncError | None:
    """What is wrong with the settings of a destination, or the way to it."""
    if type(error).__name__ in _OF_A_NEWER_DLT:
        return SettingsError(
            "The tables were last loaded by a newer version of dlt than the one installed here, which cannot read what "
            "that one noted of them. Nothing was loaded or changed: run the version of Conversync that loaded them, "
            "or a later one."
        )
    if _is_not_allowed(error):
        said = quoted(str(error).strip().splitlines()[0], 200)
        return SettingsError(privileges.refusal(said))
    return _of_settings(error) or _of_sessions(error) or _of_the_way(error)


def _of_settings(error: BaseException) -> SettingsError | None:
    from conversync.dlt_internals import (
        ConfigFieldMissingException,
        ConfigurationException,
        MissingDependencyException,
    )

    section = write_lock.credentials_section()
    variable = section.strip("[]").upper().replace(".", "__")
    if isinstance(error, ConfigFieldMissingException):
        missing = ", ".join(error.fields)
        return SettingsError(
            f"The destination lacks a setting ({missing}): write it into .dlt/secrets.toml, under "
            f"{section}, or into the environment, {variable}."
        )
    if isinstance(error, ConfigurationException) or _is_no_address(error):
        return SettingsError(
            f"The settings of the destination cannot be read ({section} in .dlt/secrets.toml, or {variable} in the "
            "environment; the value is not shown, since it may hold a password). PostgreSQL's address has the form "
            "postgresql://USER:PASSWORD@HOST:5432/DATABASE, with signs such as @ / : in a password as %40 %2F %3A."
        )
    if isinstance(error, MissingDependencyException):
        needed = " ".join(error.dependencies)
        return SettingsError(f"The destination needs a package that is not installed: pip install {needed}.")
    return None


def _is_no_address(error: BaseException) -> bool:
    """Whether PostgreSQL's driver could not read where to go: it says so before it asks any server."""
    return type(error).__module__.startswith("psycopg2") and str(error).startswith(_NO_ADDRESS)


def _of_sessions(error: BaseException) -> UnreachedError | None:
    text = str(error)
    if getattr(error, "pgcode", None) != _TOO_MANY_CODE and not any(words in text for words in _TOO_MANY):
        return None
    lines = text.strip().splitlines()
    said = quoted(next((line for line in lines if any(map(line.__contains__, _TOO_MANY))), lines[-1]), 200)
    return UnreachedError(
        f"The destination has as many sessions as it lets in ({said}), and a load or a send needs three. What was "
        "committed before stands. End some, raise the limit (of the role, the database, or max_connections), or "
        "run it again later."
    )


def _of_the_way(error: BaseException) -> ConversyncError | None:
    from conversync.dlt_internals import DestinationConnectionError

    if not isinstance(error, DestinationConnectionError) and not _connection_lost(error):
        return None
    # Of a statement, which has a code, the driver tells more.
    said_so = _ANSWER.findall(str(error)) if getattr(error, "pgcode", None) is None else []
    answers = [quoted(line, 200) for line in said_so]
    refused = _MARIADB_NO.search(str(error))
    said = quoted(refused[1], 200) if refused else next(filter(_NOT_LET_IN.search, answers), None)
    if said is not None:
        return SettingsError(
            f"The destination does not let this user in ({said}). Check user, password and database in "
            f"{write_lock.credentials_section()} in .dlt/secrets.toml, and whom the server lets in, then run it again."
        )
    told = f" ({answers[0]})" if answers else ""
    was_open = getattr(error, "pgcode", None) is not None or _SESSION_ENDED.search(str(error))
    stands = "; what was committed before stands" if was_open else ""
    return UnreachedError(
        f"The destination cannot be reached{told}{stands}. Check its address in "
        f"{write_lock.credentials_section()} in .dlt/secrets.toml, the server and the network, then run it again."
    )
