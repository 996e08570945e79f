"""The charts, each a function of rows that draws on a canvas. Days are UTC: no chart depends on its maker's zone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial

import pendulum

from conversync.report.picture import Canvas, Chart, altair, colour
from conversync.report.reading import Row

Drawn = Callable[[Canvas], Chart]
Mark = Row
# How much of its colour a part has that is told apart within a column.
FAINT = 0.45

# The outcomes of the reconciliation, by the colour of each.
OUTCOMES = {
    "missing in tracker": "alarm",
    "missing at offerwall": "orange",
    "amounts apart": "blue",
    "reversal apart": "violet",
    "currencies differ": "teal",
    "tracker not read": "gone",
    "offerwall not read": "gone",
}
# What is known of a day: how it is drawn (shape, filled, size on a desk, colour), and what it is called.
STATES = {
    "whole": ("square", True, 150, "good", "read whole"),
    "open": ("circle", True, 38, "good", "read, not over yet"),
    "short": ("triangle-up", True, 110, "alarm", "read short"),
    "never": ("cross", True, 90, "alarm", "never read"),
    "outside": ("circle", True, 9, "muted", "not asked for"),
    "list": ("circle", True, 9, "muted", "no day of its own"),
}


def _values(rows: Sequence[Row]) -> object:
    return altair().Data(values=[dict(row) for row in rows])


def _iso(value: date, later: int = 0) -> str:
    return pendulum.instance(value).add(days=later).isoformat()


def _time(field: str, canvas: Canvas, title: str | None = None) -> object:
    alt = altair()
    axis = alt.Axis(
        format="%-d %b",
        tickCount=4 if canvas.is_phone else 7,
        title=title,
        labelFlush=True,
        labelOverlap=True,
    )
    return alt.X(f"{field}:T", scale=alt.Scale(type="utc"), axis=axis)


def _by_week(rows: Sequence[Row], canvas: Canvas) -> object:
    """An axis of time from the first week's Monday to the end of the last, whose ticks are Mondays."""
    alt = altair()
    first, last = (pendulum.instance(choose(row["week"] for row in rows)) for choose in (min, max))
    number = (last - first).days // 7 + 1
    mondays = [
        first.add(weeks=week) for week in range(0, number, math.ceil(number / (4 if canvas.is_phone else 7)))
    ]
    axis = alt.Axis(
        format="%-d %b", values=list(map(_instant, mondays)), title=None, labelFlush=True, labelOverlap=True
    )
    scale = alt.Scale(type="utc", domain=[_instant(first), _instant(last.add(weeks=1))], nice=False)
    return alt.X("week:T", scale=scale, axis=axis)


def _instant(day: pendulum.Date) -> int:
    """Its midnight in UTC, as charts count time: in milliseconds."""
    return int(pendulum.datetime(day.year, day.month, day.day).timestamp() * 1000)


def daily(rows: Sequence[Row], tint: str, currency: str) -> Drawn:
    """Columns by day: what is left in the colour `tint`, what was taken back above it; the week's mean as a line.

    What we sent ourselves is a fainter part of it. A day that is not over, or was read short, is hollow, one that was
    never read is hatched, and the line breaks where the mean would be of days that were not read whole.
    """
    data = [
        {
            "day": _iso(row["occurred_on"]),
            "next": _iso(row["occurred_on"], 1),
            "own": float(row["net_revenue"] - row["net_revenue_sent_by_us"]),
            "net": float(row["net_revenue"]),
            "gross": float(row["gross_revenue"]),
            "mean": None if row["mean_of_seven_days"] is None else float(row["mean_of_seven_days"]),
            "state": row["state"],
        }
        for row in rows
    ]
    return partial(_daily, data, tint, currency)


def _daily(data: Sequence[Mark], tint: str, currency: str, canvas: Canvas) -> Chart:
    alt = altair()
    bar = {"binSpacing": 0.6 if canvas.is_phone else 1.2}
    x = _time("day", canvas)
    whole = [one for one in data if one["state"] not in ("open", "short", "never")]
    hollow = [one for one in data if one["state"] in ("open", "short", "never")]
    unread = [one for one in data if one["state"] == "never"]
    axis = alt.Axis(tickCount=4, format=",~f", labelExpr=f"datum.label + {json.dumps(' ' + currency)}")
    y = alt.Y("own:Q", title=None, axis=axis)
    base, partly = alt.Chart(_values(whole)), alt.Chart(_values(hollow))
    hatch = alt.Chart(_values(unread)).mark_rect(color=colour("hatch")).encode(x=x, x2="next:T")
    left = base.mark_bar(color=colour(tint), **bar).encode(x=x, x2="next:T", y=y, y2=alt.datum(0))
    sent = base.mark_bar(color=colour(tint), fillOpacity=FAINT, **bar).encode(
        x=x, x2="next:T", y="own:Q", y2="net:Q"
    )
    gone = (
        alt.Chart(_values(data))
        .mark_bar(color=colour("gone"), **bar)
        .encode(x=x, x2="next:T", y="net:Q", y2="gross:Q")
    )
    shape = {"fill": colour("paper"), "stroke": colour(tint), "strokeWidth": 1.2, "binSpacing": 1.6}
    open_ = partly.mark_bar(**shape).encode(x=x, x2="next:T", y="net:Q", y2=alt.datum(0))
    mean = alt.Chart(_values(data)).mark_line(
        color=colour("ink"), strokeWidth=1.6, interpolate="monotone", invalid="break-paths-filter-domains"
    )
    mean = mean.encode(x=x, y="mean:Q")
    halo = mean.mark_line(
        color=colour("paper"),
        strokeWidth=4.5,
        interpolate="monotone",
        invalid="break-paths-filter-domains",
    )
    layers = (hatch, left, sent, gone, open_, halo, mean)
    return _sized(alt.layer(*layers), canvas, 60, 200 if canvas.is_phone else 250)


def weekly_rate(rows: Sequence[Row], tint: str) -> Drawn:
    """A column for each week: its share of reversed conversions; hollow where it is still rising."""
    data = [
        {
            "week": _iso(row["week"], 1),
            "next": _iso(row["week"], 6),
            "rate": row["reversal_rate"],
            "state": "rising" if row["is_rising"] else "settled",
        }
        for row in rows
    ]

    def draw(canvas: Canvas) -> Chart:
        alt = altair()
        fill = alt.Scale(domain=["settled", "rising"], range=[colour(tint), colour("paper")])
        chart = alt.Chart(_values(data)).mark_bar(stroke=colour(tint), strokeWidth=1.5)
        chart = chart.encode(
            x=_by_week(rows, canvas),
            x2="next:T",
            y=alt.Y("rate:Q", title=None, axis=alt.Axis(format=".0%", tickCount=4)),
            y2=alt.datum(0),
            fill=alt.Fill("state:N", scale=fill, legend=None),
        )
        return _sized(chart, canvas, 34, 150 if canvas.is_phone else 260)

    return draw


def lateness(
    rows: Sequence[Row], colours: Mapping[str, str], marks: Sequence[tuple[int, float, str]], last: int
) -> Drawn:
    """Curves, in a colour for each vendor: how many of all reversals had come after so many days.

    `marks` are named points of the first curve.
    """
    data = [
        {
            "account": row["account"],
            "days": row["days"],
            "share": row["share_until_then"],
        }
        for row in rows
    ]
    named = [{"days": days, "share": share, "text": words} for days, share, words in marks]
    return partial(_lateness, data, named, colours, last)


def _lateness(
    data: Sequence[Mark], named: Sequence[Mark], colours: Mapping[str, str], last: int, canvas: Canvas
) -> Chart:
    alt = altair()
    lines = alt.Chart(_values(data)).mark_line(interpolate="step-after", strokeWidth=2.2)
    x = alt.X(
        "days:Q",
        scale=alt.Scale(domain=[0, last], nice=False),
        axis=alt.Axis(title="days after the conversion", format="d", tickCount=5, titlePadding=8),
    )
    y = alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", tickCount=5))
    lines = lines.encode(
        x=x,
        y=y,
        color=alt.Color(
            "account:N",
            legend=None,
            scale=alt.Scale(domain=list(colours), range=[*map(colour, colours.values())]),
        ),
    )
    points = alt.Chart(_values(named)).encode(x="days:Q", y="share:Q")
    dots = points.mark_point(filled=True, size=60, color=colour("ink"), opacity=1)
    words = points.transform_filter(f"datum.days > {last / 2}").mark_text(align="right", dx=-8, dy=-10)
    early = points.transform_filter(f"datum.days <= {last / 2}").mark_text(align="left", dx=9, dy=9)
    words, early = (part.encode(text="text:N") for part in (words, early))
    return _sized(lines + dots + words + early, canvas, 40, 210 if canvas.is_phone else 240)


def ranked(rows: Sequence[tuple[str, float, str]], tint: str) -> Drawn:
    """Bars from the greatest down: (name, value, value as text); each name stands over its bar."""
    data = [
        {"place": place, "name": name, "value": value, "text": words, "zero": 0}
        for place, (name, value, words) in enumerate(rows)
    ]

    def draw(canvas: Canvas) -> Chart:
        alt = altair()
        height = 34 if canvas.is_phone else 42
        room = 76 if canvas.is_phone else 92
        base = alt.Chart(_values(data)).encode(y=alt.Y("place:O", axis=None, scale=alt.Scale(padding=0)))
        x = alt.X("value:Q", axis=None, scale=alt.Scale(nice=False))
        names = base.mark_text(align="left", dy=-9, limit=canvas.width - 10, fontSize=12).encode(
            x=alt.X("zero:Q", axis=None), text="name:N"
        )
        bars = base.mark_bar(height=9, yOffset=6, cornerRadiusEnd=1.5, color=colour(tint)).encode(x=x)
        values = base.mark_text(align="left", dx=6, dy=7, fontSize=11.5, color=colour("muted")).encode(
            x=x, text="text:N"
        )
        chart = bars + names + values
        sized: Chart = chart.properties(width=canvas.width - room, height=height * max(len(data), 1))
        return sized

    return draw


def funnels(pairs: Sequence[tuple[str, Sequence[Row]]], tint: str) -> Drawn:
    """For each pair of tags two small lines by week, on shared scales: the share that converted, the hours it took."""
    data = [
        {
            "pair": name,
            "week": _iso(row["week"]),
            "rate": row["conversion_rate"],
            "hours": row["average_hours"],
        }
        for name, rows in pairs
        for row in rows
    ]
    return partial(_funnels, data, [name for name, _ in pairs], tint)


def _funnels(data: Sequence[Mark], names: Sequence[str], tint: str, canvas: Canvas) -> Chart:
    alt = altair()
    width = (canvas.width - (96 if canvas.is_phone else 112)) // 2
    height = 74 if canvas.is_phone else 84

    def small(name: str, field: str, form: str, unit: str, title: str) -> Chart:
        top = _top(max((row[field] or 0 for row in data), default=0))
        axis = alt.Axis(format="%-d %b", tickCount=2 if canvas.is_phone else 4, labelOverlap=True, title=None)
        expression = f"datum.label + '{unit}'"
        line = alt.Chart(_values([row for row in data if row["pair"] == name and row[field] is not None]))
        drawn: Chart = (
            line.mark_line(color=colour(tint), strokeWidth=2, point={"size": 18, "fill": colour(tint)})
            .encode(
                x=alt.X("week:T", scale=alt.Scale(type="utc"), axis=axis),
                y=alt.Y(
                    f"{field}:Q",
                    title=None,
                    scale=alt.Scale(domain=[0, top], nice=False),
                    axis=alt.Axis(format=form, values=[0, top / 2, top], labelExpr=expression),
                ),
            )
            .properties(width=width, height=height, title=title)
        )
        return drawn

    rows = [
        alt.hconcat(
            small(name, "rate", ".0%", "", f"{name}: converted" if not canvas.is_phone else f"{name}"),
            small(name, "hours", "~f", " h", "hours it took" if not canvas.is_phone else "\u00a0"),
            spacing=12 if canvas.is_phone else 18,
        )
        for name in names
    ]
    stacked: Chart = alt.vconcat(*rows, spacing=16)
    return stacked


def differences(rows: Sequence[Row]) -> Drawn:
    """Columns by week: how many transactions do not match, by what is wrong with them."""
    data = [
        {
            "week": _iso(row["week"], 1),
            "next": _iso(row["week"], 6),
            "outcome": row["outcome"],
            "count": row["transactions"],
        }
        for row in rows
    ]
    there = [outcome for outcome in OUTCOMES if any(row["outcome"] == outcome for row in rows)]

    def draw(canvas: Canvas) -> Chart:
        alt = altair()
        scale = alt.Scale(domain=there, range=[colour(OUTCOMES[outcome]) for outcome in there])
        chart = alt.Chart(_values(data)).mark_bar(stroke=colour("paper"), strokeWidth=1)
        chart = chart.encode(
            x=_by_week(rows, canvas),
            x2="next:T",
            y=alt.Y("sum(count):Q", title=None, axis=alt.Axis(format="~d", tickCount=4, tickMinStep=1)),
            color=alt.Color("outcome:N", scale=scale, legend=None),
        )
        return _sized(chart, canvas, 34, 150 if canvas.is_phone else 200)

    return draw


def calendar(rows: Sequence[Row]) -> Drawn:
    """Ninety days of one source, a column a week, a row a weekday: each day's state by shape, size and colour."""
    data = []
    for row in rows:
        day = pendulum.instance(row["day"])
        monday = day.start_of("week")
        data.append({"week": _iso(monday), "weekday": day.day_of_week.value, "state": row["state"]})
    used = [state for state in STATES if any(row["state"] == state for row in rows)]

    def draw(_canvas: Canvas) -> Chart:
        alt = altair()
        step = 18
        drawn = [
            alt.Chart(_values([one for one in data if one["state"] == state]))
            .mark_point(
                shape=STATES[state][0],
                filled=STATES[state][1],
                size=STATES[state][2],
                color=colour(STATES[state][3]),
                opacity=1,
            )
            .encode(
                x=alt.X("week:O", axis=_weeks(data)),
                y=alt.Y(
                    "weekday:O",
                    scale=alt.Scale(domain=list(range(7))),
                    axis=alt.Axis(
                        title=None,
                        values=[0, 2, 4, 6],
                        labelExpr="{'0':'Mon','2':'Wed','4':'Fri','6':'Sun'}[datum.value]",
                    ),
                ),
            )
            for state in used
        ]
        weeks = len({one["week"] for one in data})
        layered: Chart = alt.layer(*drawn).properties(width=step * max(weeks, 1), height=step * 7)
        return layered

    return draw


def _weeks(data: Sequence[Row]) -> object:
    """An axis that names a week where its month begins."""
    alt = altair()
    firsts: dict[str, str] = {}
    for week in sorted({one["week"] for one in data}):
        firsts.setdefault(week[:7], week)
    shown = sorted(firsts.values())
    return alt.Axis(
        title=None,
        values=shown[1:] if len(shown) > 3 else shown,
        labelExpr="utcFormat(toDate(datum.value), '%b')",
        labelAngle=0,
        labelAlign="left",
        labelOverlap=False,
        domain=False,
    )


def _top(most: float) -> float:
    """The end of a scale that holds `most`, and whose half is as round as itself."""
    if most <= 0:
        return 1.0
    unit = 10.0 ** math.floor(math.log10(most))
    return next(unit * steps for steps in (2, 4, 6, 8, 10, 20) if most <= unit * steps)


def _sized(chart: Chart, canvas: Canvas, room: int, height: int) -> Chart:
    """The chart with its axes within the canvas: `room` is what labels at the left take."""
    return chart.properties(width=canvas.width - room, height=height)
