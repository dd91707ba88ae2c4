"""What was exported before, asked under the document's names."""

from datetime import date

import pytest
from django.db import transaction

from articles import many
from exports.history import (
    fetch_latest_manual_export_batch,
    fetch_manual_export_history,
    get_all_exported_article_ids,
    get_export_history,
)
from exports.recording import Entry, record_export, record_manual_export

pytestmark = pytest.mark.django_db(transaction=True)


def record(line, tag, ids, day):
    entries = [Entry(each, "s", "x", {}) for each in ids]
    with transaction.atomic():
        return line(tag, day, entries, template="brief", payload={}, content="x\n").batch


def test_each_line_has_a_history_of_its_own_and_together_they_are_all(settings):
    many(6)
    early, late = date(2026, 3, 1), date(2026, 3, 2)
    assert fetch_latest_manual_export_batch() is None
    record(record_export, "t", ["a-1", "a-2"], early)
    record(record_manual_export, "t", ["a-2", "a-3"], early)
    newest = record(record_manual_export, "late", ["a-3"], late)
    settings.EXPORTS_MANUAL_STORE = "brief"
    among_briefs = record(record_manual_export, "t", ["a-4"], early)
    assert get_export_history("t") == {"a-1", "a-2"}
    assert fetch_manual_export_history("t") == {"a-2", "a-3", "a-4"}
    assert get_export_history("late") == set()
    assert fetch_latest_manual_export_batch() == newest
    assert get_all_exported_article_ids() == {"a-1", "a-2", "a-3", "a-4"}
    assert get_all_exported_article_ids(scope="worker") == {"a-1", "a-2"}
    with pytest.raises(ValueError, match="hand"):
        get_all_exported_article_ids("hand")
    latest = record(record_manual_export, "late-2", ["a-5"], late)
    assert (fetch_latest_manual_export_batch(), latest.pk != among_briefs.pk) == (latest, True)


def test_the_newest_of_a_day_is_the_one_with_the_highest_number():
    many(1)
    day = date(2026, 3, 1)
    made = [record(record_manual_export, tag, ["a-1"], day) for tag in ("z", "y", "x")]
    assert fetch_latest_manual_export_batch() == made[-1]
