"""Every generated row says who wrote it, and cannot lie about it."""

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import isolate_apps
from django.utils import translation

from llm.api import GeneratorSerializer
from llm.completions import Completion
from llm.generator import Generated, generated_constraints, generator_label, labelled


@pytest.fixture
def notes(transactional_db):
    """A model of a domain that does not exist."""
    with isolate_apps("llm"):

        class Note(Generated):
            text = models.TextField()

            class Meta:
                app_label = "llm"
                constraints = generated_constraints()

    with connection.schema_editor() as editor:
        editor.create_model(Note)
    yield Note
    with connection.schema_editor() as editor:
        editor.delete_model(Note)


@pytest.mark.parametrize(
    ("kind", "model"),
    [("rules", "gpt"), ("manual", "gpt"), ("llm", None), ("llm", ""), ("rules", ""), ("robots", None), ("", None)],
)
def test_the_database_refuses_a_false_origin(notes, kind, model):
    with pytest.raises(IntegrityError), transaction.atomic():
        notes.objects.create(text="x", generator_kind=kind, generator_model=model)


@pytest.mark.parametrize(("kind", "model"), [("rules", None), ("manual", None), ("llm", "gpt")])
def test_a_true_origin_is_kept_and_shown(notes, kind, model):
    note = notes.objects.create(text="x", generator_kind=kind, generator_name="n/1", generator_model=model)
    told = GeneratorSerializer(note).data
    assert (told["kind"], told["name"], told["model"], told["isLlm"]) == (kind, "n/1", model, kind == "llm")
    assert told["label"] == note.generator_label
    assert told["label"] in note.generator_badge


def test_a_completion_brings_the_fields_of_its_row(notes):
    made = Completion(
        text="x", data=None, provider="rules", model=None, generator_kind="rules", generator_name="rules-extractive/1"
    )
    note = notes.objects.create(text=made.text, **made.generator)
    assert (note.generator_kind, note.generator_name, note.generator_model) == ("rules", "rules-extractive/1", None)


def test_the_label_of_rules_speaks_the_reader_s_language():
    assert generator_label("rules") == "Rule-based, no language model"
    assert generator_label("rules", language="zh-hans") == "规则生成·未使用大模型"
    with translation.override("zh-hans"):
        assert generator_label("rules") == "规则生成·未使用大模型"
        assert generator_label("llm", "deepseek-chat", language="en") == "Written by a language model (deepseek-chat)"


def test_a_text_that_leaves_the_house_carries_its_label_once():
    text = labelled("# T\n", "rules", language="en")
    assert text == "> Rule-based, no language model\n\n# T\n"
    assert labelled(text, "rules", language="en") == text
