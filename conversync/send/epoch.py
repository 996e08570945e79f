"""The epoch of a target's books: how many sends began, counted in three places.

Journal and ledger may be restored from a backup, each alone (the other one heals it) or both at once, which nothing in
them tells; then what was sent since would go again. So the number of a send stands in the journal before its first
request, on every outcome in the ledger, and in a small file beside the journal, which no backup of the two brings back:
books that know of fewer sends than the file are older than the last send. A warehouse that has a ledger, and neither
journal nor file, came from elsewhere or got another name: then the files of other names in the folder are asked. A
folder that is restored as a whole, the file with it, is not noticed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from conversync.errors import ConversyncError
from conversync.vendors import parted, source_of, vendors
from conversync.warehouse import files
from conversync.warehouse.warehouse import Warehouse


def what_it_has(target: str) -> str:
    """Where a person sees what has arrived at a target, as words for a sentence."""
    source = source_of(target)
    vendor = vendors().get(parted(source)[0])
    is_asked = vendor is not None and vendor.reconcile is not None
    return (
        f"what the vendor has (`conversync reconcile {source}`)"
        if is_asked
        else "what the vendor's own pages have"
    )


def epoch_path(warehouse: Warehouse, target: str) -> Path:
    """Where the number of the target's last send stands."""
    return warehouse.home / f"epoch-{warehouse.lock_path.stem}-{target}"


def last_epoch(path: Path) -> int | None:
    """The number of the last send from here; None where the file does not exist, as on a new machine."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        text = ""
    if not text.isdigit():
        raise ConversyncError(
            f"{path}, which counts the sends, cannot be read as a number. Nothing was sent. If the journal beside it "
            "was not restored from a backup, remove the file: the next send begins a new one."
        )
    return int(text)


def epoch_of_others(path: Path, target: str) -> int | None:
    """The highest number of the target's sends from files that are called otherwise, beside it; None without one."""
    others = (one for one in path.parent.glob(f"epoch-*-{target}") if one != path)
    return max((number for one in others if (number := last_epoch(one)) is not None), default=None)


def write_epoch(path: Path, number: int) -> None:
    """On the disk, at once and whole, when it returns; ConversyncError where it cannot be."""
    try:
        files.write(path, f"{number}\n")
    except OSError as error:
        raise ConversyncError(
            f"{path}, which counts the sends, cannot be written ({error.strerror}), so nothing was sent. Make room, or "
            "give this user the right to."
        ) from error


def known_elsewhere(target: str, others: int | None, ledger: int | None) -> str | None:
    """Why a warehouse without journal and epoch, but with a ledger, may be one that got another name; else None."""
    if others is None or ledger is None or ledger >= others:
        return None
    return (
        f"Send number {others:,} of {target} was made from this folder, under another name of the warehouse, and the "
        f"last one that the ledger knows of is number {ledger:,}. It seems to be the same warehouse, moved, linked or "
        "copied, and what was sent since would be sent again. Nothing was sent. Give the file its old name back; or, "
        f"if it is another warehouse, or it is known {what_it_has(target)}, go on with --after-restore."
    )


def called_otherwise(target: str, left: Iterable[str]) -> str | None:
    """Why one that was never sent to may be an account under a new name; `left`: targets whose account has none now."""
    vendor, what = parted(source_of(target))[0], target.partition(".")[2]
    for other in left:
        if (parted(source_of(other))[0], other.partition(".")[2]) == (vendor, what):
            return (
                f"Nothing was ever sent to {target}, and there is a ledger of {other}, an account that no settings "
                "name any more. If it is the same account under another name, all of it would be sent again. Nothing "
                "was sent. Give the account its old name back; or, if it is another one, or it is known "
                f"{what_it_has(target)}, go on with --after-restore."
            )
    return None


def restored(target: str, file: int | None, journal: int | None, ledger: int | None) -> str | None:
    """Why the books cannot be trusted, as a sentence with the way out; None where one of them knows the last send."""
    known = max(journal or 0, ledger or 0)
    if file is None or known >= file:
        return None
    return (
        f"The books of {target} are older than its last send: the last one that journal and ledger know of is number "
        f"{known:,}, and number {file:,} was made from here. Both seem to be restored from a backup, and what was sent "
        f"since would be sent again. Nothing was sent. Bring back newer ones; or see {what_it_has(target)}, and go on "
        "with --after-restore."
    )
