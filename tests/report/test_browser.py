"""The report in a real browser: it renders, asks for nothing, fits a phone, and is dark where that is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.report.browser import Browser, browser, missing
from tests.report.conftest import Built
from tests.report.test_page import contrast

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all these tests."""
    with browser(tmp_path_factory.mktemp("chromium")) as session:
        yield session


@pytest.mark.quick(1)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_it_renders_and_asks_for_nothing(chromium: Browser, built: Built, width: int, scheme: str) -> None:
    """The page itself is all that is requested; the console stays empty; every picture has a size."""
    chromium.show(built.report, width=width, scheme=scheme)
    assert chromium.requests() == [built.report.as_uri()]
    assert chromium.log("browser") == []
    shown = chromium.run(_PICTURES)
    assert len(shown) > 8
    assert all(width > 200 and height > 80 for width, height, _ in shown)


def test_the_figures_in_the_browser_are_the_files(chromium: Browser, built: Built) -> None:
    """What the browser shows as cells is what the file says: nothing was lost to broken markup."""
    chromium.show(built.report)
    shown = chromium.run("return [...document.querySelectorAll('td data, th data')].map(cell => cell.value)")
    page = built.page
    cells = [data.attributes["value"] for table in page.root.all("table") for data in table.all("data")]
    assert shown == cells
    assert len(cells) > 300


@pytest.mark.parametrize("width", [360, 700, 1280])
def test_the_page_never_scrolls_sideways(chromium: Browser, built: Built, width: int) -> None:
    """Not even with everything unfolded: wide tables and queries scroll in boxes of their own."""
    chromium.show(built.report, width=width)
    chromium.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert chromium.run("return document.documentElement.scrollWidth") <= width
    assert chromium.run("return document.body.scrollWidth") <= width
    wide = chromium.run(_OUTSIDE)
    assert wide == []


def test_letters_in_pictures_can_be_read_on_a_phone(chromium: Browser, built: Built) -> None:
    """No letter in a picture is smaller than nine pixels at 360, and the phone's pictures are the ones shown."""
    chromium.show(built.report, width=360)
    smallest = min(size for _, _, size in chromium.run(_PICTURES))
    assert smallest >= 9
    assert chromium.run("return getComputedStyle(document.querySelector('.for-desk')).display") == "none"


def test_dark_mode_changes_colours_and_can_be_read(chromium: Browser, built: Built) -> None:
    """Ground, text and marks have other colours in the dark, and contrast enough in both modes."""
    seen = {}
    for scheme in ("light", "dark"):
        chromium.show(built.report, scheme=scheme)
        seen[scheme] = {name: _hex(value) for name, value in chromium.run(_COLOURS).items()}
        ground = seen[scheme]["ground"]
        for name, least in (("text", 4.5), ("muted", 4.5), ("link", 4.5), ("label", 4.5), ("mark", 3)):
            assert contrast(seen[scheme][name], ground) >= least, (scheme, name, seen)
    assert all(seen["light"][name] != seen["dark"][name] for name in seen["light"])


def test_tables_scroll_by_keyboard(chromium: Browser, built: Built) -> None:
    """A table's box takes the focus, shows that it has it, and can be scrolled."""
    chromium.show(built.report, width=360)
    moved = chromium.run(_SCROLLED)
    assert moved["focused"]
    assert moved["after"] > 0


def test_print_is_light_and_whole(chromium: Browser, built: Built) -> None:
    """On paper the colours are those of the day, no table is cut off, and no navigation is there."""
    chromium.show(built.report, scheme="dark", media="print")
    assert _hex(chromium.run(_COLOURS)["ground"]) == "#ffffff"
    assert chromium.run("return getComputedStyle(document.querySelector('nav')).display") == "none"
    assert chromium.run("return getComputedStyle(document.querySelector('.scroll')).overflowX") == "visible"


def _hex(colour: str) -> str:
    found = re.findall(r"\d+", colour)
    return "#" + "".join(f"{int(part):02x}" for part in found[:3])


_PICTURES = """
    return [...document.querySelectorAll('svg')].filter(one => one.getClientRects().length).map(one => {
        const box = one.getBoundingClientRect(), letters = [...one.querySelectorAll('text')];
        const scale = box.width / one.viewBox.baseVal.width;
        const sizes = letters.map(text => parseFloat(text.getAttribute('font-size')) * scale);
        return [box.width, box.height, Math.min(99, ...sizes)];
    })
"""
_OUTSIDE = """
    const edge = document.documentElement.clientWidth + 1;
    return [...document.querySelectorAll('body *')].filter(one => !one.closest('.scroll, pre, .skip, svg'))
        .filter(one => one.getBoundingClientRect().right > edge).map(one => one.outerHTML.slice(0, 80))
"""
_COLOURS = """
    const of = (where, name) => getComputedStyle(document.querySelector(where))[name];
    return {ground: of('body', 'backgroundColor'), text: of('body', 'color'), muted: of('figcaption', 'color'),
        link: of('summary', 'color'), label: of('svg.for-desk text', 'fill'),
        mark: of('#revenue svg.for-desk path[style*="--blue"]', 'fill')}
"""
_SCROLLED = """
    const box = [...document.querySelectorAll('.scroll')].find(one => one.scrollWidth > one.clientWidth + 5);
    box.focus(); box.scrollLeft = 50;
    return {focused: document.activeElement === box, after: box.scrollLeft}
"""
