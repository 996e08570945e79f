"""A project with two accounts of Besitos, and one with two of every vendor that something is sent to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conversync.sandbox import Sandbox
from tests.process.support import Done, Place, ProcessPool

OWN = "SOURCES__BESITOS__ACCOUNTS__EU__"


class Accounts(Place):
    """Both in the environment; `eu` is the sandbox of the second one."""

    def __init__(self, folder: Path, first: Sandbox, second: Sandbox, nursery: ProcessPool) -> None:
        super().__init__(folder, first, nursery)
        self.second = second
        self.env |= {
            f"{OWN}BESITOS_TOKEN": second.token,
            f"{OWN}BESITOS_URL": second.url,
        }

    def loaded_both(self, *more: str) -> Done:
        """`load` over every day that the worlds tell of; without a source, of both accounts."""
        world = self.sandbox.world
        dates = ["--from", str(world.day(-1).date()), "--to", str(world.now.date())]
        return self.run("load", *more, *dates, "--window", "400d")

    def in_files(self) -> None:
        """Takes the account `eu` out of the environment, and writes it into the project's files."""
        folder = self.folder / ".dlt"
        folder.mkdir()
        url, token = (self.env.pop(f"{OWN}BESITOS_{name}") for name in ("URL", "TOKEN"))
        self.write("config.toml", f'[sources.besitos.accounts.eu]\nbesitos_url = "{url}"\n')
        self.write("secrets.toml", f'[sources.besitos.accounts.eu]\nbesitos_token = "{token}"\n')

    def write(self, name: str, text: str) -> None:
        """One of the project's files, for this user alone."""
        path = self.folder / ".dlt" / name
        path.touch(mode=0o600)
        path.write_text(text)

    def transactions(self, dataset: str) -> set[int]:
        """The ids of the conversions in a dataset."""
        return {int(name) for (name,) in self.query(f"select transaction_id from {dataset}.conversions")}

    def wanted(self, sandbox: Sandbox) -> set[str]:
        """The keys of the events that the oracle of one account wants held."""
        return set(sandbox.besitos.oracle.held(sandbox.besitos.reads))

    def events(self, dataset: str) -> set[str]:
        """The keys of those that are held."""
        return {str(key) for (key,) in self.query(f"select event_key from {dataset}.conversion_events")}


class Trackers(Place):
    """Two accounts of everything that is sent to; `eu` is the sandbox of the second one. Nothing is loaded."""

    def __init__(self, folder: Path, first: Sandbox, second: Sandbox, nursery: ProcessPool) -> None:
        super().__init__(folder, first, nursery)
        self.second = second
        second.keitaro.postback_key, second.keitaro.api_key = "pb-of-the-second", "key-of-the-second"
        second.optibase.public_api_key = "clvofthesecond"
        second.infobip.username, second.infobip.password = "second-user", "password-of-the-second"
        self.env |= first.settings()
        self.env |= {
            f"SOURCES__{name.partition('_')[0]}__ACCOUNTS__EU__{name}": value
            for name, value in second.settings().items()
            if name not in ("BESITOS_PARTNER_ID", "INFOBIP_PAIRS")
        }
        self.sales(range(3))

    def sales(self, numbers: Iterable[int]) -> None:
        """`main.sales`, an outbox for a tracker."""
        rows = ", ".join(f"('k{n}', 'click-{n}', 'sale', {n}.5, 'USD', 't{n}')" for n in numbers)
        self.change(
            "create or replace table main.sales as from (values "
            f"{rows}) as t(send_key, subid, status, payout, currency, tid)"
        )

    def send(self, target: str, *more: str, **wish: Any) -> Done:
        """One send of the sales."""
        return self.run("send", target, "--from", "main.sales", *more, **wish)

    @property
    def journal(self) -> Path:
        """The file that all targets share."""
        return self.folder / ".conversync" / "journal-warehouse.duckdb.sqlite"

    def own(self, name: str) -> str:
        """The variable of a setting of the account `eu`."""
        return f"SOURCES__{name.partition('_')[0]}__ACCOUNTS__EU__{name}"

    def there(self) -> tuple[list[str], list[str]]:
        """The transactions that came to each tracker, in order, as often as they came."""
        first, second = ([one.tid for one in box.keitaro.received] for box in (self.sandbox, self.second))
        return sorted(first), sorted(second)

    def ledger(self, table: str) -> dict[str, str]:
        """By send_key, the status that it has there."""
        return dict(self.query(f"select send_key, status from sent.{table}"))

    def write(self, text: str) -> None:
        """config.toml, for this user alone."""
        path = self.folder / ".dlt" / "config.toml"
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)
