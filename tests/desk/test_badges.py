"""Marks escape what they show and say a state in words."""

from decimal import Decimal

from django.utils.safestring import SafeString

from desk.badges import badge, json_block, meter, number, status_badge


def test_a_badge_escapes_its_label_and_title() -> None:
    mark = badge("<script>", title='"><b>')
    assert isinstance(mark, SafeString)
    assert "<script>" not in mark
    assert '"><b>' not in mark


def test_a_status_is_told_in_words_and_an_unknown_one_is_neutral() -> None:
    assert status_badge("failed", "Failed") == '<span class="badge badge-danger">Failed</span>'
    assert "badge-neutral" in status_badge("napping", "Napping")


def test_a_meter_carries_its_width_in_attributes_and_its_number_in_text() -> None:
    mark = meter(40)
    assert 'max="100" value="40"' in mark
    assert "40 %" in mark
    assert "style" not in mark


def test_a_meter_of_nothing_is_a_dash_and_one_that_overflows_is_full() -> None:
    assert meter(None) == "—"
    assert 'value="5"' in meter(7, 5)


def test_numbers_are_grouped() -> None:
    assert number(1234567) == "1,234,567"
    assert number(None) == "—"


def test_json_is_shown_digit_for_digit_and_escaped() -> None:
    block = json_block({"价格": Decimal("1.10"), "tag": "<b>"})
    assert "1.10" in block
    assert "价格" in block
    assert "<b>" not in block
    assert json_block(None) is None
