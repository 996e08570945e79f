"""Three canaries on their way through everything: a secret, a person, and what takes a terminal over.

The vendors' answers hold the person and the sequence in whatever field a vendor may put them, and quote the secret
back. Every command that there is runs over them, most of them forked, the night as a process of its own whose
children are watched in /proc.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support import CONVERSYNC  # settles dlt before it is imported

# isort: split
import duckdb

from conversync.sandbox import Fault, Sandbox
from tests.besitos.rows import row
from tests.health.support import program, webhook
from tests.keitaro.books import conversion
from tests.process.support import ProcessPool, Wish

SECRET = "canary/7f3a+b9=Zq~secret"
POSTBACK = "canary-5eb63bb-postback"
# Clears the screen, writes to the clipboard, and has what follows read backwards.
SEQUENCE = "\x1b[2J\x1b]52;c;Y2FuYXJ5\x07\u202ecanary"
RAW_SIGNS = ("\x1b", "\x07", "\u202e")
PHONE, OTHER_PHONE = "491715558842", "491715558843"
PERSON = {
    "user": "canaryUser4d1c",
    "user key": "canaryuser4d1c",
    "phone": PHONE,
    "other phone": OTHER_PHONE,
    "e-mail": "canary.person@example.org",
    "address": "203.0.113.77",
    "text": "Dear canary, your code is 88421",
    "click": "canaryclick77",
}
# A point of a load at which rows lie on the disk.
KILLED_AT = 120


def secrets(sandbox: Sandbox) -> None:
    """Every vendor wants a canary."""
    sandbox.besitos.token = SECRET
    sandbox.keitaro.api_key = sandbox.infobip.password = sandbox.conductrics.api_key = SECRET
    sandbox.keitaro.postback_key = POSTBACK


@dataclass(frozen=True)
class Story:
    """What the story left in its folder."""

    place: Path

    @property
    def folder(self) -> Path:
        """The project's folder."""
        return self.place / "project"

    @property
    def outputs(self) -> dict[str, str]:
        """By command, what it printed on both streams."""
        found: dict[str, str] = json.loads((self.place / "outputs.json").read_text())
        return found

    @property
    def children(self) -> dict[str, str]:
        """By command line, the environments of processes that were started by ours."""
        found: dict[str, str] = json.loads((self.place / "children.json").read_text())
        return found

    @property
    def arguments(self) -> list[str]:
        """The command lines of our own processes."""
        return list(json.loads((self.place / "arguments.json").read_text()))

    @property
    def posted(self) -> list[str]:
        """What the webhook was sent, as text."""
        return list(json.loads((self.place / "posted.json").read_text()))

    @property
    def killed(self) -> dict[str, list[str]]:
        """By file that a killed run left, which of the canaries stand in it."""
        found: dict[str, list[str]] = json.loads((self.place / "killed.json").read_text())
        return found

    @property
    def databases(self) -> list[Path]:
        """The warehouse and its copy."""
        return [self.folder / "warehouse.duckdb", self.folder / "published" / "warehouse.duckdb"]


def told(place: Path, sandbox: Sandbox, forks: ProcessPool, *, whole: bool) -> None:
    """Runs it in `place`; `whole` with the models, the page, and every command."""
    telling = _Telling(place, sandbox, forks, whole=whole)
    telling.prepare()
    telling.load()
    telling.send()
    telling.night()
    telling.look()
    telling.kill()
    for name, value in {"outputs": telling.outputs, "children": telling.children}.items():
        (place / f"{name}.json").write_text(json.dumps(value))
    (place / "arguments.json").write_text(json.dumps(sorted(telling.arguments)))
    (place / "posted.json").write_text(json.dumps(telling.posted))


class _Telling:
    def __init__(self, place: Path, sandbox: Sandbox, forks: ProcessPool, *, whole: bool) -> None:
        self.place, self.sandbox, self.forks, self.whole = place, sandbox, forks, whole
        self.folder = place / "project"
        self.outputs: dict[str, str] = {}
        self.children: dict[str, str] = {}
        self.arguments: set[str] = set()
        self.posted: list[str] = []
        first = str(sandbox.world.start)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "HTTP_BUDGET": "0",
            **sandbox.settings(),
            **{f"{name}_START_DATE": first for name in ("BESITOS", "INFOBIP", "KEITARO")},
        }

    def prepare(self) -> None:
        """A folder, rows with the person in every field, and an outbox of messages."""
        (self.folder / "tmp").mkdir(parents=True)
        (self.folder / ".dlt").mkdir(mode=0o700)
        (self.folder / ".dlt" / "config.toml").write_text(
            '[send]\nsend_player_ids = "user_id"\n[send.infobip.messages]\nquery = "select * from main.texts"\n'
        )
        self.serve(1)
        stamp = f"{datetime.now(UTC).date() - timedelta(days=2)} 06:25:36"
        own = {f"sub_id_{n}": value for n, value in enumerate((*PERSON.values(), SEQUENCE), 1)}
        self.sandbox.keitaro.rows = [
            conversion(1, datetime=stamp, click_datetime=stamp, status="sale", sub_id=PERSON["click"], **own),
            conversion(2, datetime=stamp, click_datetime=stamp, status=f"odd{SEQUENCE}"),
            conversion(3, datetime=stamp, click_datetime=stamp, revenue=f"{SEQUENCE}{PHONE}"),
        ]

    def serve(self, *bad: int) -> None:
        """The feed: a conversion of the person's, with fields that nobody knows, and rows that cannot be read."""
        stamp = f"{datetime.now(UTC).date() - timedelta(days=2)} 06:25:36"
        unknown = {"email": PERSON["e-mail"], "ip": PERSON["address"], f"new{SEQUENCE}": PHONE}
        words = f"{PERSON['text']} {SEQUENCE}"
        good = row(
            900,
            user_id=PERSON["user"],
            note=words,
            offer_name=f"Offer {SEQUENCE}",
            date_time=stamp,
            **unknown,
        )
        rows = [
            row(n, date_time=stamp, reward=f"much {SEQUENCE}", user_id=PERSON["user"], note=f"call {PHONE}")
            for n in bad
        ]
        self.sandbox.besitos.rows = [good, *rows]

    def load(self) -> None:
        """First with an answer that quotes the secret, and words that take the terminal over; then for real."""
        words = json.dumps(
            {"message": f"no {SECRET} here {SEQUENCE}", "errors": {f"a{SEQUENCE}": [SEQUENCE]}}
        )
        refused = self.sandbox.faults.add(
            Fault(path="/data/partner/conversions", status=422, body=words.encode())
        )
        self.run("load", "besitos", "--debug")
        assert refused.delivered, "the refusal was not delivered"
        self.sandbox.faults.clear()
        self.run("load", "--debug", code=3)
        if self.whole:
            self.run("load", "--log-format", "json")

    def send(self) -> None:
        """Messages: one that is taken, one whose refusal quotes it; and the conversion, to the tracker."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            connection.execute(
                "create table main.texts (send_key varchar, sender_address varchar, address varchar, message varchar)"
            )
            texts = [("t-1", PHONE), ("t-2", OTHER_PHONE), ("t-3", f"call {PHONE}")]
            connection.executemany(
                "insert into main.texts values (?, 'INFOSMS', ?, ?)",
                [(*one, PERSON["text"]) for one in texts],
            )
        words = f"{OTHER_PHONE} {PERSON['text']} {SECRET} {SEQUENCE}"
        answer = {"requestError": {"serviceException": {"messageId": "SVC1", "text": words, "variables": []}}}
        refused = self.sandbox.faults.add(
            Fault(status=400, body=json.dumps(answer).encode(), json={"address": OTHER_PHONE})
        )
        self.run("send", "infobip.messages", "--dry-run")
        self.run("send", "infobip.messages", "--debug", code=3)
        assert refused.delivered, "the refusal was not delivered"
        self.sandbox.faults.clear()
        if self.whole:
            self.run("send", "infobip.messages", "--dry-run", "--log-format", "json")
        self.run("send", "infobip.messages", "--retry-rejected", "--log-format", "json")
        self.run("send", "keitaro.conversions", "--from", "besitos", "--debug", code=0)

    def night(self) -> None:
        """All of it, as a process of its own; another row is bad, so that a program and an address are told."""
        self.serve(1, 2)
        command, _ = program(self.folder)
        script = self.folder / "tell us.sh"
        # However busy the machine: it goes on once somebody has seen it in /proc.
        waits = f'for n in $(seq 200); do [ -e "{self.place}/seen" ] && break; sleep 0.1; done\nexit'
        script.write_text(script.read_text().replace("exit", waits))
        with webhook() as hook:
            settings = {
                "CONVERSYNC_ALERT_COMMAND": command,
                "CONVERSYNC_ALERT_WEBHOOK": f"{hook.url}/{POSTBACK}",
            }
            quick = [] if self.whole else ["--no-build", "--no-report"]
            self.watched("nightly", "--debug", *quick, **settings)
            if self.whole:
                self.serve(1, 2, 3)
                self.watched("nightly", "--log-format", "json", "--no-build", **settings)
            self.posted = [json.dumps(body) for _, body in hook.posted]
        assert self.posted, "nobody was told"

    def look(self) -> None:
        """Everything that only reads."""
        self.run("status")
        self.run("alert", "--dry-run")
        others = ["status --json", "verify besitos", "check", "reconcile keitaro", "publish --compact"]
        for words in others if self.whole else ():
            self.run(*words.split())

    def kill(self) -> None:
        """A load that is killed in the middle leaves what it had on the disk."""
        found: dict[str, list[str]] = {}
        wish = Wish(["load", "besitos"], self.environment, str(self.folder), at=KILLED_AT)
        assert self.forks.start(wish).wait().code == -signal.SIGKILL
        canaries = {"secret": SECRET, "sequence": SEQUENCE, **PERSON}
        for path in (one for one in self.folder.rglob("*") if one.is_file() and ".conversync" in one.parts):
            data = path.read_bytes()
            found[str(path.relative_to(self.folder))] = [
                name for name, value in canaries.items() if value.encode() in data
            ]
        (self.place / "killed.json").write_text(json.dumps(found))
        self.run("load", "besitos", "--log-format", "json")

    def run(self, *words: str, code: int | None = None) -> None:
        """A forked command; what it printed is kept."""
        done = self.forks.start(Wish([*words], self.environment, str(self.folder))).wait()
        assert code is None or done.code == code, f"{words}: {done.code} {done.told}"
        self.outputs[" ".join(words)] = f"[exit {done.code}]\n{done.told}"

    def watched(self, *words: str, **settings: str) -> None:
        """A process of its own, and whatever it starts."""
        with subprocess.Popen(
            [str(CONVERSYNC), *words],
            cwd=self.folder,
            env={**self.environment, **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            (self.place / "seen").unlink(missing_ok=True)
            watch = _Watch(process.pid, self.place / "seen")
            watch.start()
            out, _ = process.communicate(timeout=300)
            watch.ended.set()
            watch.join()
        self.outputs[" ".join(words)] = f"[exit {process.returncode}]\n{out}"
        self.children |= watch.children
        self.arguments |= watch.arguments


class _Watch(threading.Thread):
    """Looks at /proc: the command lines of a process and of all that come from it, and those others' environments."""

    def __init__(self, root: int, seen: Path) -> None:
        super().__init__(daemon=True)
        self._seen = seen
        self.ended = threading.Event()
        self.children: dict[str, str] = {}
        self.arguments: set[str] = set()
        self._root = root
        self._own = ""

    def run(self) -> None:
        while not self.ended.wait(0.02):
            parents = self._parents()
            for pid in parents:
                if self._is_ours(pid, parents) and (self._own or pid == self._root):
                    self._note(pid)

    def _parents(self) -> dict[int, int]:
        found = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                found[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError, IndexError):
                continue
        return found

    def _is_ours(self, pid: int, parents: Mapping[int, int]) -> bool:
        while pid and pid != self._root:
            pid = parents.get(pid, 0)
        return pid == self._root

    def _note(self, pid: int) -> None:
        try:
            line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (
                Path(f"/proc/{pid}/environ").read_bytes().replace(b"\0", b"\n").decode(errors="replace")
            )
        except OSError:
            return
        self.arguments.add(line)
        # Between fork and exec a child is still its parent.
        if pid != self._root and line and line != self._own:
            self.children[line] = environment
            if "tell us.sh" in line:
                self._seen.touch()
        elif pid == self._root:
            self._own = line


def rows_of(file: Path, query: str) -> list[tuple[Any, ...]]:
    """What a reader of a DuckDB file sees."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(query).fetchall()
