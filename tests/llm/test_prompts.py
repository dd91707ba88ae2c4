"""Source text stays data, and the same words are the same prompt."""

import json

from hypothesis import given
from hypothesis import strategies as st

from llm.prompts import Purpose, prompt_hash, source, user

TEXTS = st.text(alphabet=st.characters(codec=None), max_size=200)


def inside(message):
    first, *lines, last = message["content"].split("\n")
    return first, "\n".join(lines), last


@given(TEXTS, TEXTS)
def test_no_text_can_end_its_own_delimiters(name, text):
    message = source(name, text)
    first, _body, last = inside(message)
    mark = last.removeprefix("END SOURCE ")
    assert first.startswith(f"BEGIN SOURCE {mark}: ")
    assert message["content"].count(mark) == 2
    assert message["role"] == "user"
    assert "\x00" not in message["content"]
    json.dumps(message, ensure_ascii=False).encode()


def test_a_text_that_quotes_another_message_does_not_end_it():
    first = source("a", "hello")["content"]
    _first, body, last = inside(source("b", first))
    assert body == first
    assert last not in first


@given(TEXTS, TEXTS)
def test_the_same_source_is_the_same_message(name, text):
    assert source(name, text) == source(name, text)


MESSAGES, PURPOSE = (user("a"), user("b")), Purpose("p")


def hash_of(*, messages=MESSAGES, purpose=PURPOSE, model="m", host="h", schema=None):
    return prompt_hash(messages, purpose=purpose, model=model, host=host, schema=schema)


def test_every_part_of_a_prompt_counts():
    others = [
        hash_of(messages=(user("ab"),)),
        hash_of(messages=(user("a"), user("b"), user(""))),
        hash_of(purpose=Purpose("q")),
        hash_of(purpose=Purpose("p", version=2)),
        hash_of(model="n"),
        hash_of(host="i"),
        hash_of(schema={"type": "object"}),
    ]
    assert len({hash_of(), *others}) == 8
    assert hash_of() == hash_of()
    assert hash_of(schema={"a": 1, "b": 2}) == hash_of(schema={"b": 2, "a": 1})
