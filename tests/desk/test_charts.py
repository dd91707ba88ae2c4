"""Charts are drawn without script or inline style, and every number is there as text, too."""

from decimal import Decimal

import pytest
from django.utils.translation import override

from desk.charts import HEIGHT, Chart, Series, round_up


@pytest.mark.parametrize(
    ("value", "top"), [(0, 1), (1, 1), (3, 5), (7, 10), (10, 10), (11, 20), (4999, 5000), (5001, 10000), (0.3, 0.5)]
)
def test_the_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert round_up(value) == pytest.approx(top)


def test_a_chart_of_zeros_is_empty() -> None:
    assert Chart("t", ["a", "b"], [Series("s", [0, None])]).is_empty
    assert Chart("t", [], [Series("s", [])]).is_empty
    assert not Chart("t", ["a"], [Series("s", [1])]).is_empty


def test_stacked_bars_reach_the_sum() -> None:
    chart = Chart("t", ["a"], [Series("x", [30]), Series("y", [20])])
    svg = chart.svg()
    assert chart.ceiling == 50
    assert f'y="0" width="60" height="{HEIGHT * 20 / 50:.0f}"' in svg
    assert svg.count("<rect") == 2


def test_a_chart_escapes_labels_and_uses_no_inline_style() -> None:
    svg = Chart('"><script>', ["<b>"], [Series("<i>", [1])]).svg()
    assert "<script>" not in svg
    assert "<b>" not in svg
    assert "<i>" not in svg
    assert "style=" not in svg


def test_a_line_leaves_gaps_out_and_takes_decimals() -> None:
    svg = Chart("t", ["a", "b", "c"], [Series("s", [Decimal("1.5"), None, 2])], kind="line").svg()
    assert svg.count("plot-dot") == 2


def test_coordinates_keep_their_point_where_numbers_are_written_with_a_comma() -> None:
    with override("de"):
        svg = Chart("t", ["a", "b", "c"], [Series("s", [1, 2, 3])]).svg()
    assert 'x="12.9"' in svg


def test_the_table_behind_a_chart_holds_every_number_newest_first() -> None:
    rows = Chart("t", ["Mon", "Tue"], [Series("s", [1000, None])]).rows
    assert rows == [("Tue", ["—"]), ("Mon", ["1,000"])]
