"""A chart as inline SVG: drawn for a desk and for a phone, its colours the page's, so that it follows dark mode.

Charts are made with altair and drawn by vl-convert, in this process; nothing is fetched. Colours are given as tokens,
which the finished SVG names as the page's variables. Amounts are floats here, and only here: for where a mark stands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol, Self
from xml.etree import ElementTree as ET

from conversync.errors import SettingsError
from conversync.report.parts import clean
from conversync.types import Document

if TYPE_CHECKING:
    from markupsafe import Markup

SVG = "http://www.w3.org/2000/svg"
# What the page's variables are called, by the colours that stand for them until the picture is drawn.
TOKENS = (
    "ink",
    "muted",
    "line",
    "paper",
    "gone",
    "good",
    "alarm",
    "blue",
    "orange",
    "teal",
    "violet",
    "hatch",
)
COLOURS = {token: f"#0102{number:02x}" for number, token in enumerate(TOKENS)}
_TOKEN_OF = {colour: token for token, colour in COLOURS.items()}
_DECIMALS = re.compile(r"(\d+\.\d{2})\d+|(?<=\d)\.0+(?!\d)")
# What the page has no use for: it tells screen readers itself, and brings its own font.
_DROPPED = ("class", "role", "pointer-events", "font-family", "stroke-miterlimit", "version")


class Chart(Protocol):
    """One of altair's, as far as it is drawn."""

    def properties(self, **named: object) -> Self:
        """The same, of a size."""

    def configure(self, **named: object) -> Self:
        """The same, in a style."""

    def to_dict(self, *, validate: bool) -> Document:
        """The specification."""


@dataclass(frozen=True)
class Canvas:
    """What a chart is drawn on: how wide in pixels of the page, and whether it is a phone's."""

    width: int
    is_phone: bool


DESK = Canvas(640, is_phone=False)
PHONE = Canvas(320, is_phone=True)


def colour(token: str) -> str:
    """The colour that stands for a variable of the page; unknown ones share one."""
    return COLOURS.get(token, COLOURS["muted"])


def altair() -> ModuleType:
    """The module; SettingsError without the extra."""
    # As it is imported it asks where a home directory is, and a container's user may have none.
    without = "HOME" not in os.environ
    os.environ.setdefault("HOME", "/nonexistent")
    try:
        import altair as alt
        import jinja2  # noqa: F401 - of no use without it, and one extra brings all three
        import vl_convert  # noqa: F401 - as above
    except ImportError:
        raise SettingsError(
            "altair, jinja2 or vl-convert is not installed, and the report is made with them: pip install "
            '"conversync[report]".'
        ) from None
    finally:
        if without:
            del os.environ["HOME"]
    return alt


def picture(chart: Callable[[Canvas], Chart], says: str, prefix: str, *, is_small: bool = False) -> Markup:
    """The chart twice, of which the page shows the one that fits; `says` is what a screen reader is told of it.

    A small one is the same everywhere.
    """
    from markupsafe import Markup

    if is_small:
        return Markup(_svg(chart(PHONE), says, prefix, "for-all"))  # noqa: S704 - of which ET escapes every text
    drawn = (
        _svg(chart(canvas), says, f"{prefix}-{kind}", f"for-{kind}")
        for kind, canvas in (("desk", DESK), ("phone", PHONE))
    )
    return Markup("".join(drawn))  # noqa: S704 - as above


def _svg(chart: Chart, says: str, prefix: str, kind: str) -> str:
    import vl_convert

    spec = _cleaned(chart.configure(**_config()).to_dict(validate=False))
    drawn = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    root = ET.fromstring(drawn)  # noqa: S314 - drawn by our own library from our own numbers
    _remove_unseen(root)
    # vl-convert counts its ids over all pictures that this process ever drew.
    if any(element.get("fill") == COLOURS["hatch"] for element in root.iter()):
        root.insert(0, _hatch(prefix))
    names = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    ids = {name: f"{prefix}-{number}" for number, name in enumerate(names)}
    for element in root.iter():
        if element.get("fill") == COLOURS["hatch"]:
            element.set("fill", f"url(#{prefix}-hatch)")
        _adopt(element, ids)
    width, height = (float(root.attrib.pop(name)) for name in ("width", "height"))
    root.set("viewBox", f"0 0 {width:g} {height:g}")
    root.set("class", f"chart {kind}")
    root.set("role", "img")
    root.set("aria-label", says)
    root.set("style", f"aspect-ratio:{width:g}/{height:g};max-width:{width * 1.25:g}px")
    ET.register_namespace("", SVG)
    return ET.tostring(root, encoding="unicode")


def _remove_unseen(root: ET.Element) -> None:
    for parent in list(root.iter()):
        for child in list(parent):
            if child.get("display") == "none" or child.get("d") == "M0,0h0v0h0Z":
                parent.remove(child)


def _hatch(prefix: str) -> ET.Element:
    """What areas of the colour `hatch` are filled with."""
    return ET.fromstring(  # noqa: S314 - our own
        f"<defs xmlns='{SVG}'><pattern id='{prefix}-hatch' width='5' height='5' patternUnits='userSpaceOnUse' "
        f"patternTransform='rotate(45)'><path d='M0,0v5' stroke='{COLOURS['muted']}' stroke-width='1.2'/></pattern>"
        "</defs>"
    )


def _cleaned(value: object) -> Any:
    """The same with every text cleaned: a character that XML forbids would make vl-convert abort the whole process."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: _cleaned(one) for key, one in value.items()}
    return [_cleaned(one) for one in value] if isinstance(value, list) else value


def _colour(element: ET.Element) -> None:
    """The page's colours in place of the same ones as they were drawn."""
    styles = []
    for name in ("fill", "stroke"):
        if token := _TOKEN_OF.get(element.get(name, "")):
            del element.attrib[name]
            styles.append(f"{name}:var(--{token})")
    if styles:
        element.set("style", ";".join(styles))


def _adopt(element: ET.Element, ids: Mapping[str, str]) -> None:
    """Makes an element the page's: its colours and font, ids that no other picture has, digits that are seen."""
    for name in [name for name in element.attrib if name in _DROPPED or name.startswith("aria-")]:
        del element.attrib[name]
    _colour(element)
    for name in ("d", "transform"):
        if name in element.attrib:
            element.set(name, _DECIMALS.sub(r"\1", element.attrib[name]))
    if "id" in element.attrib:
        element.set("id", ids[element.attrib["id"]])
    for name, value in element.attrib.items():
        if value.startswith("url(#"):
            element.set(name, f"url(#{ids[value[5:-1]]})")


def _config() -> Document:
    text = {
        "labelColor": COLOURS["muted"],
        "titleColor": COLOURS["muted"],
        "labelFontSize": 12,
        "titleFontSize": 12,
    }
    return {
        "aria": False,
        "background": "transparent",
        "padding": 2,
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {
            **text,
            "domain": False,
            "ticks": False,
            "gridColor": COLOURS["line"],
            "labelPadding": 6,
            "titleFontWeight": "normal",
        },
        "axisX": {"grid": False, "domain": True, "domainColor": COLOURS["muted"], "domainWidth": 1},
        "header": {**text, "title": None, "labelFontWeight": "bold", "labelColor": COLOURS["ink"]},
        "title": {
            "color": COLOURS["ink"],
            "fontSize": 12.5,
            "anchor": "start",
            "fontWeight": 600,
            "offset": 8,
        },
        "text": {"color": COLOURS["ink"], "fontSize": 12},
    }
