"""config.catalogue, on small source trees."""

import polib
import pytest

from config.catalogue import faults_of, texts_of, update

SOURCE = """
from django.utils.translation import gettext_lazy as _, ngettext, pgettext

title = _("Products " "and documents")
count = ngettext("%(count)s row", "%(count)s rows", 2)
month = pgettext("month", "May")
dynamic = _(title)
"""
TEMPLATE = """{% load i18n %}<h1>{% translate "Sign in (again)" %}</h1>{{ _("Home") }}
{% blocktranslate count n=3 trimmed %}one {{ n }}
 article{% plural %}{{ n }} articles{% endblocktranslate %} not_ours("x")"""


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "app").mkdir()
    (tmp_path / "app/models.py").write_text(SOURCE)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates/page.html").write_text(TEMPLATE)
    return tmp_path


@pytest.fixture
def catalogue(tree):
    folder = tree / "locale/zh_Hans/LC_MESSAGES"
    folder.mkdir(parents=True)
    path = folder / "django.po"
    polib.POFile().save(str(path))
    return path


def translate_all(path):
    file = polib.pofile(str(path))
    for entry in file:
        if entry.msgid_plural:
            entry.msgstr_plural = {0: entry.msgid_plural}
        else:
            entry.msgstr = entry.msgid
    file.save()
    path.with_suffix(".mo").write_bytes(file.to_binary())


def test_texts_of_code_and_templates_are_found(tree):
    assert set(texts_of(tree)) == {
        (None, "Products and documents", None),
        (None, "%(count)s row", "%(count)s rows"),
        ("month", "May", None),
        (None, "Sign in (again)", None),
        (None, "Home", None),
        (None, "one %(n)s article", "%(n)s articles"),
    }


def test_a_text_that_is_missing_or_untranslated_is_a_fault(tree, catalogue):
    assert len([fault for fault in faults_of(catalogue, texts_of(tree)) if "not in the catalogue" in fault]) == 6
    update(catalogue, texts_of(tree))
    assert len([fault for fault in faults_of(catalogue, texts_of(tree)) if "not translated" in fault]) == 6
    translate_all(catalogue)
    assert faults_of(catalogue, texts_of(tree)) == []


def change(path, **values):
    file = polib.pofile(str(path))
    entry = file.find("one %(n)s article")
    for name, value in values.items():
        setattr(entry, name, value)
    file.save()
    return file


@pytest.mark.parametrize(
    ("change_of_entry", "fault"),
    [
        ({"flags": ["fuzzy"]}, "is fuzzy"),
        ({"msgstr_plural": {0: "%(number)s 篇文章"}}, "differ in their placeholders"),
    ],
)
def test_a_doubtful_or_broken_translation_is_a_fault(tree, catalogue, change_of_entry, fault):
    update(catalogue, texts_of(tree))
    translate_all(catalogue)
    change(catalogue, **change_of_entry)
    assert any(fault in found for found in faults_of(catalogue, texts_of(tree)))


def test_a_catalogue_that_was_not_compiled_is_a_fault(tree, catalogue):
    update(catalogue, texts_of(tree))
    translate_all(catalogue)
    change(catalogue, msgstr_plural={0: "%(n)s 篇文章"})
    [fault] = faults_of(catalogue, texts_of(tree))
    assert "stale" in fault
