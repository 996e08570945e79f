"""A project with two accounts of Besitos."""

from __future__ import annotations

from pathlib import Path

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
