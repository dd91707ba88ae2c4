"""What a reader must know of a text, as parsers note it, and in words for people.

A note is stored as data, {"what": …} with its facts, because whoever reads it may speak another language than the
worker that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

Note = dict[str, Any]


def notes_in_words(notes: Iterable[Note]) -> list[str]:
    """A sentence for each, in the language of now."""
    return [_in_words(note) for note in notes]


def _in_words(note: Note) -> str:
    count = note.get("count", 0)
    sentences = {
        "formulas": _("Formulas without a stored value, shown as they are: %(where)s"),
        "pictures": _("Pictures that were not read: %(count)s"),
        "empty-pages": _("Pages with nothing on them: %(where)s"),
        "encoding": _("Read as %(encoding)s"),
        "hidden": _("Hidden, and read all the same: %(where)s"),
        "partial": _("MinerU could read only a part of the document."),
        "named-pictures": ngettext(
            "%(count)s picture stands in the text by name only.",
            "%(count)s pictures stand in the text by name only.",
            count,
        ),
    }
    try:
        return sentences[note["what"]] % note
    except KeyError:  # written by a later release, say: its name is better than no answer at all
        return str(note["what"])
