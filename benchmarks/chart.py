"""The picture of docs/speed.md, drawn with what draws the report's charts: altair and vl-convert, nothing fetched."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.contestants import OURS
from benchmarks.parts.nights import NIGHTS
from benchmarks.results import Run
from benchmarks.tables import NIGHT_OF, title

BLUE, FAINT, GREY, INK = "#2b6cb0", "#90b4d8", "#a0a4ab", "#333333"
WIDTH = 560


def drawn(runs: Mapping[str, Run]) -> str | None:
    """The picture as SVG; None where nothing of it was measured."""
    charts = []
    if run := runs.get("loads-1m"):
        charts.append(loads(run))
    if run := runs.get("nights"):
        charts.append(nights(run))
    if not charts:
        return None
    import altair as alt
    import vl_convert

    whole = alt.vconcat(*charts, spacing=28).resolve_scale(color="independent")
    whole = whole.resolve_legend(color="independent").configure(
        background="white", padding=12, font="sans-serif"
    )
    whole = whole.configure_view(stroke=None).configure_axis(
        domain=False, ticks=False, labelColor=INK, titleColor=INK, titleFontWeight="normal", labelFontSize=12
    )
    whole = whole.configure_title(anchor="start", color=INK, fontSize=13, offset=10)
    whole = whole.configure_legend(title=None, orient="top", labelColor=INK, labelFontSize=12)
    return str(vl_convert.vegalite_to_svg(whole.to_dict(), allowed_base_urls=[]))


def loads(run: Run) -> Any:
    """A bar for each contestant and load, ours in blue."""
    import altair as alt

    [size] = run.sizes()
    cases = run.of("case")
    data = [
        {"who": name, "case": case, "cpu": run.middle(name, case, size, "cpu"), "ours": name == OURS.name}
        for name in run.of("subject")
        for case in cases
    ]
    base = alt.Chart({"values": data}).encode(
        y=alt.Y("who:N", sort=alt.EncodingSortField("cpu", op="min"), title=None),
        yOffset=alt.YOffset("case:N", sort=cases),
        x=alt.X("cpu:Q", title="CPU seconds", axis=alt.Axis(grid=False, tickCount=6)),
    )
    bars = base.mark_bar().encode(
        color=alt.condition("datum.ours", alt.value(BLUE), alt.value(GREY)),
        opacity=alt.Opacity(
            "case:N", scale=alt.Scale(domain=cases, range=[1, 0.6][: len(cases)]), legend=None
        ),
    )
    words = base.mark_text(align="left", dx=4, color=INK, fontSize=11).encode(
        text=alt.Text("label:N"),
    )
    words = words.transform_calculate(label="format(datum.cpu, '.1f') + ' s, ' + datum.case")
    return (bars + words).properties(width=WIDTH, height=alt.Step(17), title=f"{size:,} rows: CPU seconds")


def nights(run: Run) -> Any:
    """A line for each kind of night over the size of the table."""
    import altair as alt

    data = list(points(run))
    sizes = [title(size) for size in run.sizes()]
    top = max(point["cpu"] for point in data)
    base = alt.Chart({"values": data}).encode(
        x=alt.X("before:N", sort=sizes, title="rows in the table before", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("cpu:Q", title=None, scale=alt.Scale(domain=[0, top * 1.15]), axis=alt.Axis(tickCount=4)),
        color=alt.Color(
            "night:N", scale=alt.Scale(domain=[NIGHT_OF[case] for case in NIGHTS], range=[BLUE, FAINT])
        ),
    )
    rows = run.about.facts["rows"]
    return base.mark_line(point=True).properties(
        width=WIDTH, height=160, title=f"A night of {rows:,.0f} rows into a table that grows: CPU seconds"
    )


def points(run: Run) -> Iterator[dict[str, Any]]:
    """The medians."""
    [subject] = run.of("subject")
    for case in NIGHTS:
        for size in run.sizes():
            cpu = run.middle(subject, case, size, "cpu")
            yield {"before": title(size), "night": NIGHT_OF[case], "cpu": cpu}
