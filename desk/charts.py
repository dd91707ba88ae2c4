"""Charts drawn on the server as SVG: no script, no inline style, a table behind each.

The plot stretches to its box (preserveAspectRatio none), so every word stays outside of it as HTML;
text inside a stretched picture would be unreadable on a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import floor, log10
from typing import Literal

from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

Number = int | float | Decimal

WIDTH, HEIGHT = 600, 160
BAR_SHARE = 0.7  # of a bar's slot; the rest is air
FEWEST_SLOTS = 7  # two bars on an otherwise empty chart would look like walls


@dataclass(frozen=True)
class Series:
    """One line, or one layer of the stacked bars; None is a gap."""

    label: str
    values: Sequence[Number | None]


@dataclass(frozen=True)
class Chart:
    """A picture of a few series over the same labels, oldest first."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: Literal["bar", "line"] = "bar"
    unit: str = ""
    url: str = ""
    note: str = ""

    @property
    def is_empty(self) -> bool:
        return not any(value for line in self.series for value in line.values)

    @property
    def ceiling(self) -> float:
        """The round number at the top of the axis."""
        return round_up(max(self._tops(), default=0))

    @property
    def ticks(self) -> list[str]:
        """The axis from top to bottom."""
        top = self.ceiling
        steps = (top, top / 2, 0)
        return [number_format(step, 0 if step == int(step) else 1, force_grouping=True) for step in steps]

    @property
    def axis(self) -> list[str]:
        """First, middle and last label; more would not fit a phone."""
        labels = list(self.labels)
        return labels if len(labels) < 3 else [labels[0], labels[len(labels) // 2], labels[-1]]

    @property
    def rows(self) -> list[tuple[str, list[str]]]:
        """The same data as a table, newest first."""
        table = [(label, [shown(line.values[at]) for line in self.series]) for at, label in enumerate(self.labels)]
        return table[::-1]

    @property
    def summary(self) -> str:
        """What a screen reader says in place of the picture."""
        totals = ", ".join(f"{line.label}: {shown(last(line.values))}" for line in self.series)
        return f"{self.title}. {totals}"

    def svg(self) -> SafeString:
        drawn = self._bars() if self.kind == "bar" else self._lines()
        return format_html(
            '<svg class="plot" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
            '<path class="plot-grid" d="M0 0.5H{}M0 {}H{}M0 {}H{}"/>{}</svg>',
            *(WIDTH, HEIGHT, self.summary, WIDTH, HEIGHT / 2, WIDTH, HEIGHT - 0.5, WIDTH, drawn),
        )

    def _tops(self) -> list[float]:
        columns = zip(*(line.values for line in self.series), strict=True)
        reach = sum if self.kind == "bar" else max
        return [float(reach([value or 0 for value in column])) for column in columns]

    def _bars(self) -> SafeString:
        slot = WIDTH / max(len(self.labels), FEWEST_SLOTS)
        bars = []
        for at, label in enumerate(self.labels):
            top = 0.0
            for layer, line in enumerate(self.series, start=1):
                height = float(line.values[at] or 0) / self.ceiling * HEIGHT
                top += height
                says = f"{label} · {line.label}: {shown(line.values[at])}"
                left = at * slot + slot * (1 - BAR_SHARE) / 2
                bars.append((layer, px(left), px(HEIGHT - top), px(slot * BAR_SHARE), px(height), says))
        return format_html_join(
            "",
            '<rect class="series-{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>',
            (bar for bar in bars if bar[4] != "0"),
        )

    def _lines(self) -> SafeString:
        paths, dots = [], []
        step = WIDTH / max(len(self.labels) - 1, 1)
        for layer, line in enumerate(self.series, start=1):
            points = [
                (px(at * step), px(HEIGHT - float(value) / self.ceiling * HEIGHT), at)
                for at, value in enumerate(line.values)
                if value is not None
            ]
            paths.append((layer, "M" + "L".join(f"{x} {y}" for x, y, _ in points) if points else ""))
            # a line of no length with a round cap stays a circle however far the plot is stretched
            dots += [
                (layer, x, y, f"{self.labels[at]} · {line.label}: {shown(line.values[at])}") for x, y, at in points
            ]
        return format_html(
            "{}{}",
            format_html_join("", '<path class="plot-line series-{}" d="{}"/>', paths),
            format_html_join("", '<path class="plot-dot series-{}" d="M{} {}h0"><title>{}</title></path>', dots),
        )


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, … that is not below value; 1 for nothing."""
    if value <= 0:
        return 1
    power = 10 ** floor(log10(value))
    return next(float(step * power) for step in (1, 2, 5, 10) if step * power >= value)


def shown(value: Number | None) -> str:
    if value is None:
        return "—"
    return number_format(value, 0 if value == int(value) else 1, force_grouping=True)


def last(values: Sequence[Number | None]) -> Number | None:
    return values[-1] if values else None


def px(value: float) -> str:
    """Coordinates are written plainly: format_html would localise a float's point into a comma."""
    return f"{value:.1f}".rstrip("0").rstrip(".")
