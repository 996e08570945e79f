"""A vendor's package that somebody else made, as pip would have put it on the path."""

from __future__ import annotations

import shutil
from pathlib import Path

TEMPLATE = Path(__file__).parents[2] / "docs" / "vendor-template"
ACME = TEMPLATE / "acme_conversions.py"


def made_site(folder: Path) -> Path:
    """The folder, in which the template's package lies now, with its entry point."""
    info = folder / "acme-1.0.dist-info"
    info.mkdir()
    shutil.copy(ACME, folder / "acme_conversions.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[conversync.vendors]\nacme = acme_conversions:VENDOR\n", encoding="utf-8"
    )
    return folder
