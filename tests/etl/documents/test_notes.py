"""What parsers note is data, and is put into words where it is read."""

from django.utils import translation

from etl.documents.notes import notes_in_words

PICTURES = {"what": "pictures", "count": 3}


def test_a_note_speaks_the_language_of_its_reader():
    assert notes_in_words([PICTURES]) == ["Pictures that were not read: 3"]
    with translation.override("zh-hans"):
        (said,) = notes_in_words([PICTURES])
    assert "3" in said
    assert "Pictures" not in said


def test_every_note_of_a_parser_has_words():
    notes = [
        PICTURES, {"what": "formulas", "where": "A1"}, {"what": "empty-pages", "where": "2"},
        {"what": "encoding", "encoding": "gb18030"}, {"what": "hidden", "where": "Sheet2"}, {"what": "partial"},
        {"what": "named-pictures", "count": 1},
    ]  # fmt: skip
    assert all(" " in said and "%" not in said for said in notes_in_words(notes))


def test_a_note_nobody_knows_is_named_and_breaks_nothing():
    assert notes_in_words([{"what": "of a later release"}, {"what": "formulas"}]) == ["of a later release", "formulas"]
