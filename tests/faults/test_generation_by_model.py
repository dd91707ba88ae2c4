"""Articles and topics through real workers and a server that answers, refuses, hangs and breaks off.

Each ends as it should: what the article is to blame for fails that article, what passes lets the task wait, every
token is on record, and nothing is paid for twice.
"""

import json

import pytest
from django.db.models import Sum

from distillations import keywords, services
from distillations.models import Distillation, DistillationRun, GeneratedArticle, GenerationSlot, Topic
from distilled import usage
from faulting import FAST, Victim, eventually
from generation_runs import Watched, struck
from invariants import assert_all_hold, violations
from llm.models import LLMCall
from model_server import MODEL, TOKENS, ModelServer, status, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults, pytest.mark.timeout(300)]

GOOD = text("# A title\n\nA text.")


@pytest.fixture
def model():
    with ModelServer() as server:
        yield server


def by_hand(*words):
    """A distillation with a topic for each keyword, in this order."""
    return [keywords.distil_by_hand(each, [f"What is {each}?"], actor="test") for each in words]


def asked(count, **options):
    return Watched(services.request_generation(services.GenerationOptions(count, **options), actor="test").pk)


def slots(of):
    return {
        each.keyword: (each.status, each.error) for each in GenerationSlot.objects.filter(task=of.pk).order_by("pk")
    }


def assert_every_answer_is_on_record(answers):
    """Each answer that came is a row with the tokens the server told."""
    told = LLMCall.objects.exclude(raw=None)
    assert told.count() == answers
    sums = told.aggregate(Sum("tokens_in"), Sum("tokens_out"))
    assert tuple(sums.values()) == (TOKENS[0] * answers, TOKENS[1] * answers)


# --- Articles ------------------------------------------------------------------------------------

FATES = {
    "plain": ([GOOD], ("done", "")),
    "thoughtful": ([text("<think>hm</think># A title\n\nA text.")], ("done", "")),
    "busy once": ([status(429, retry_after="1"), GOOD], ("done", "")),
    "failing once": ([status(500), GOOD], ("done", "")),
    "silent at first": ([text(""), GOOD], ("done", "")),
    "cut off": ([text("# A ti", finish_reason="length")], ("failed", "llm-truncated")),
    "withheld": ([text("", finish_reason="content_filter")], ("failed", "llm-withheld")),
    "refused": ([status(400, "no such thing")], ("failed", "llm-request-refused")),
    "empty": ([text("")], ("failed", "llm-bad-answer")),
}
WRITTEN = [name for name, (_answers, (ended, _error)) in FATES.items() if ended == "done"]
REQUESTS = {"busy once": 2, "failing once": 2, "silent at first": 2, "empty": 3}
WITHOUT_ANSWER = 3  # the 429, the 500 and the 400


def test_each_article_ends_as_its_answers_deserve_and_a_retry_makes_only_the_missing_ones(model, reaper):
    sources = by_hand(*FATES)
    for name, (answers, _ended) in FATES.items():
        model.about(f"What is {name}?", *answers)
    of = asked(len(FATES))
    with Victim("llm", **model.environment):
        ended = of.ends()
        assert slots(of) == {name: fate for name, (_answers, fate) in FATES.items()}
        assert (ended.status, ended.generated_count) == ("partial", len(WRITTEN))
        assert (ended.error, ended.error_text) == (
            "some-failed",
            "llm-bad-answer × 1, llm-request-refused × 1, llm-truncated × 1, llm-withheld × 1",
        )
        requests = sum(REQUESTS.get(name, 1) for name in FATES)
        assert len(model.asked) == requests
        assert_every_answer_is_on_record(requests - WITHOUT_ANSWER)
        assert usage(*sources) == [int(name in WRITTEN) for name in FATES]
        assert_all_hold()

        model.prepared.clear()
        again = Watched(services.retry_generation(ended, actor="test").pk).ends()
    assert (again.status, again.requested_count, again.generated_count) == ("completed", 4, 4)
    assert len(model.asked) == requests + 4
    assert {model.times_asked(f"What is {name}?") for name in WRITTEN if name not in REQUESTS} == {1}
    assert_every_answer_is_on_record(requests - WITHOUT_ANSWER + 4)
    assert usage(*sources) == [1] * len(FATES)
    assert set(GeneratedArticle.objects.values_list("generator_kind", "generator_model")) == {("llm", MODEL)}
    assert_all_hold()


@pytest.mark.parametrize(
    ("trouble", "error"),
    [("failing", "llm-failing"), ("busy", "llm-busy"), ("silent", "llm-timeout"), ("dribbling", "llm-timeout")],
)
@pytest.mark.long
def test_while_the_server_is_away_the_task_waits_and_then_goes_on_where_it_was(model, reaper, trouble, error):
    sources = by_hand("first", "second")
    answer = {
        "failing": status(500),
        "busy": status(429, retry_after="8"),
        "silent": model.silence,
        "dribbling": model.dribble,
    }[trouble]
    model.about("What is second?", answer)
    of = asked(2)
    with Victim("llm", **model.environment):
        eventually(lambda: of.row.not_before, what="the task to wait")
        row = of.row
        assert (row.status, row.error, row.generated_count, row.lease_token) == ("pending", error, 1, None)
        assert slots(of) == {"first": ("done", ""), "second": ("generating", "")}
        assert GenerationSlot.objects.get(keyword="second").attempt == 0, "the article is not to blame"
        assert (row.not_before - row.updated_at).total_seconds() >= (7.9 if trouble == "busy" else 4.9)
        model.about("What is second?", GOOD)
        ended = of.ends()
    assert (ended.status, ended.error) == ("completed", "")
    assert model.times_asked("What is first?") == 1
    assert_every_answer_is_on_record(2)
    assert usage(*sources) == [1, 1]
    assert_all_hold()


@pytest.mark.parametrize("place", ["answer.after", "model.after", "commit.before"])
@pytest.mark.long
def test_a_worker_killed_between_answer_and_commit_pays_for_no_article_twice(model, reaper, place):
    by_hand("first", "second", "third")
    of = asked(3)
    with Victim("llm", FAILPOINT=f"{place}:2", **model.environment) as worker:
        struck(worker)
        worker.start_again(**model.environment)
        ended = of.ends()
    assert ended.status == "completed"
    assert len(model.asked) == 3
    assert_every_answer_is_on_record(3)
    assert_all_hold()


@pytest.mark.long
def test_killed_before_the_answer_is_stored_it_asks_again_and_the_first_call_stays_on_record(model, reaper):
    """The one place where money may be spent twice: the pack would say so, were the answer there twice."""
    by_hand("first")
    of = asked(1)
    with Victim("llm", FAILPOINT="answer.before:1", **model.environment) as worker:
        struck(worker)
        worker.start_again(**model.environment)
        ended = of.ends()
    assert ended.status == "completed"
    assert len(model.asked) == 2
    assert list(LLMCall.objects.order_by("pk").values_list("outcome", flat=True)) == ["asking", "ok"]
    assert_all_hold()
    LLMCall.objects.update(outcome="ok")
    assert any(each.startswith("nothing_is_paid_for_twice") for each in violations())


@pytest.mark.long
def test_without_a_key_keyword_topics_and_articles_are_made_by_rules_and_every_row_says_so(reaper):
    run = keywords.request_distillation("通勤鞋", 6, actor="test")
    with Victim("llm", **FAST):
        eventually(lambda: not DistillationRun.objects.open().exists(), what="the topics")
        run.refresh_from_db()
        ended = asked(3, distillation_id=run.distillation_id).ends()
    assert (run.status, run.distillation.provider, run.distillation.topic_count) == ("completed", "rules", 6)
    assert (ended.status, ended.generated_count) == ("completed", 3)
    articles = GeneratedArticle.objects.all()
    assert set(articles.values_list("provider", "generator_kind", "generator_model")) == {("rules", "rules", None)}
    assert len(set(articles.values_list("topic", flat=True))) == 3
    assert not LLMCall.objects.exists()
    assert_all_hold()


# --- Topics --------------------------------------------------------------------------------------

QUESTIONS = json.dumps({"topics": [f"question {number}?" for number in range(5)]})
FEW = text(json.dumps({"topics": ["only one?"]}))
UNKNOWN_FORMAT = status(400, "response_format json_schema is not supported")
ANSWERED = {  # answers → how the run ends, how often it is asked, how many answers are on record
    "plain": ([text(QUESTIONS)], "", 1, 1),
    "fenced": ([text(f"```json\n{QUESTIONS}\n```")], "", 1, 1),
    "talkative": ([text(f"Here you are: {QUESTIONS} Anything else?")], "", 1, 1),
    "without a schema": ([UNKNOWN_FORMAT, text(QUESTIONS)], "", 2, 1),
    "broken once": ([text("{topics: ["), text(QUESTIONS)], "", 2, 2),
    "too few once": ([FEW, text(QUESTIONS)], "", 2, 2),
    "busy once": ([status(429, retry_after="1"), text(QUESTIONS)], "", 2, 1),
    "failing once": ([status(502), text(QUESTIONS)], "", 2, 1),
    "broken": ([text("{topics: [")], "llm-bad-answer", 3, 3),
    "too few": ([FEW], "llm-bad-answer", 3, 3),
    "of another shape": ([text('{"questions": ["a?"]}')], "llm-bad-answer", 3, 3),
    "cut off": ([text(QUESTIONS[:40], finish_reason="length")], "llm-truncated", 1, 1),
    "refused": ([status(401)], "llm-key-refused", 1, 0),
}


@pytest.mark.long
def test_each_keyword_ends_as_its_answers_deserve_and_is_stored_with_its_topics_or_not_at_all(model, reaper):
    for name, (answers, *_ended) in ANSWERED.items():
        model.about(f": keyword\n{name}\n", *answers)
        # asked for last: what a server says of formats is learnt once per process
        if name != "without a schema":
            keywords.request_distillation(name, 5, actor="test")
    with Victim("llm", **model.environment):
        eventually(lambda: not DistillationRun.objects.open().exists(), what="the end")
        keywords.request_distillation("without a schema", 5, actor="test")
        eventually(lambda: not DistillationRun.objects.open().exists(), what="the end")
    found = {each.keyword: (each.status, each.error) for each in DistillationRun.objects.all()}
    assert found == {name: ("failed" if error else "completed", error) for name, (_a, error, *_n) in ANSWERED.items()}
    for name, (_answers, _error, requests, _told) in ANSWERED.items():
        assert (name, model.times_asked(f": keyword\n{name}\n")) == (name, requests)
    assert_every_answer_is_on_record(sum(told for *_fate, told in ANSWERED.values()))
    made = Distillation.objects.values_list("keyword", "provider", "topic_count")
    assert set(made) == {(name, "openai", 5) for name, (_answers, error, *_n) in ANSWERED.items() if not error}
    assert Topic.objects.count() == 5 * len(made)
    assert_all_hold()


@pytest.mark.parametrize(("trouble", "error"), [("failing", "llm-failing"), ("silent", "llm-timeout")])
@pytest.mark.long
def test_while_the_server_is_away_a_keyword_waits_and_is_then_stored_once(model, reaper, trouble, error):
    model.about("keyword\nshoes", status(503) if trouble == "failing" else model.silence)
    run = keywords.request_distillation("shoes", 5, actor="test")
    with Victim("llm", **model.environment):
        eventually(lambda: DistillationRun.objects.get(pk=run.pk).not_before, what="the run to wait")
        run.refresh_from_db()
        assert (run.status, run.error, run.distillation) == ("pending", error, None)
        model.about("keyword\nshoes", text(QUESTIONS))
        eventually(lambda: not DistillationRun.objects.open().exists(), what="the end")
    run.refresh_from_db()
    assert (run.status, run.error) == ("completed", "")
    assert Distillation.objects.get() == run.distillation
    assert_every_answer_is_on_record(1)
    assert_all_hold()


@pytest.mark.parametrize(
    "place",
    [
        "claim.before", "claim.after", "model.before", "answer.after", "model.after", "commit.before", "commit.after",
    ],
)  # fmt: skip
@pytest.mark.long
def test_a_keyword_whose_worker_is_killed_at_a_marked_place_is_paid_for_and_stored_once(model, reaper, place):
    model.about("keyword\nshoes", text(QUESTIONS))
    run = keywords.request_distillation("shoes", 5, actor="test")
    with Victim("llm", FAILPOINT=f"{place}:1", **model.environment) as worker:
        struck(worker)
        worker.start_again(**model.environment)
        eventually(lambda: not DistillationRun.objects.open().exists(), what="the end")
    run.refresh_from_db()
    assert run.status == "completed"
    assert (Distillation.objects.get(), Topic.objects.count()) == (run.distillation, 5)
    assert len(model.asked) == 1
    assert_all_hold()


@pytest.mark.long
def test_a_keyword_that_kills_its_worker_every_time_fails_at_its_cap_and_its_neighbours_are_made(model, reaper):
    model.about("keyword\n", text(QUESTIONS))
    run = keywords.request_distillation("poison", 5, actor="test")
    DistillationRun.objects.update(max_attempts=2)
    with Victim("llm", FAILPOINT="commit.before:1", **model.environment) as worker:
        eventually(lambda: not DistillationRun.objects.open().exists(), what="the end")
        worker.start_again(**model.environment)
        neighbour = keywords.request_distillation("shoes", 5, actor="test")
        eventually(lambda: not DistillationRun.objects.open().exists(), what="the neighbour's end")
    run.refresh_from_db()
    neighbour.refresh_from_db()
    assert (run.status, run.error, run.distillation) == ("failed", "worker-lost", None)
    assert Distillation.objects.get() == neighbour.distillation
    assert_all_hold()
