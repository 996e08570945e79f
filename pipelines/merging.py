"""Settings merged into files that are there already, with their comments; and what git is not to know."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.provided import document_of
from wire.errors import SettingsError
from wire.secret import check_secret

# What a secrets file holds in the place of a secret; `check` and `load` say that it is none yet.
PLACEHOLDER = "<to be filled in>"
SECRETS = ".dlt/secrets.toml"
IGNORED = f"# Secrets, and what a run makes.\n{SECRETS}\n.conversync/\n*.duckdb\n*.duckdb.*\n"


def held(path: Path, source: str) -> dict[str, Any]:
    """What a settings file says of a source already, without what is empty or a placeholder; nothing without a file."""
    document = document_of(path)
    section = {} if document is None else document.unwrap().get("sources", {}).get(source, {})
    return {name: value for name, value in section.items() if _is_set(name, value)}


def _is_set(name: str, value: Any) -> bool:
    try:
        check_secret(name, str(value))
    except SettingsError:
        return False
    return True


def merged(path: Path, values: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of a settings file with the values of each source in it; all else, comments too, stays as it was."""
    import tomlkit

    document = document_of(path)
    for source, added in values.items():
        for name, value in added.items():
            tables = document
            for key in ("sources", source):
                if key not in tables:
                    tables[key] = tomlkit.table(is_super_table=key == "sources")
                tables = tables[key]
            if value != PLACEHOLDER or name not in tables:
                tables[name] = value
    return tomlkit.dumps(document)


def ignored(folder: Path) -> str | None:
    """What `.gitignore` in the folder must hold for git not to know the secrets; None where nothing is missing.

    Nothing is, outside of a git tree, and where one of its files says so already.
    """
    if not any((above / ".git").exists() for above in (folder, *folder.parents)) or _knows(folder):
        return None
    path = folder / ".gitignore"
    if not path.exists():
        return IGNORED
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    return text + ("" if text.endswith("\n") or not text else "\n") + f"{SECRETS}\n"


def _knows(folder: Path) -> bool:
    """Whether the secrets are ignored; without git itself, as far as the folder's own file can tell."""
    git = shutil.which("git")
    if git is not None:
        asked = subprocess.run(  # noqa: S603 - git, as the user has it
            [git, "-C", str(folder), "check-ignore", "--quiet", SECRETS], capture_output=True, check=False
        )
        if asked.returncode in (0, 1):
            return asked.returncode == 0
    path = folder / ".gitignore"
    lines = path.read_text(encoding="utf-8", errors="replace").split() if path.exists() else []
    return any(line.strip("/") in {".dlt", SECRETS, "secrets.toml", "**/secrets.toml"} for line in lines)
