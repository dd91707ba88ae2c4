"""Whatever a server does, the task ends in the right outcome, and nothing is handed in twice."""

import json
import time

import pytest
from werkzeug import Response

from etl.documents.choices import DocumentError
from etl.documents.mineru import CREDIT, credit_of, detection
from etl.documents.notes import notes_in_words
from etl.documents.parsed import Unreadable
from mineru_servers import MARKDOWN, SIGNATURE, TOKEN, as_json
from runs.errors import LeaseLost, Outage
from tests.etl.documents.mineru.conftest import Killed

ALL = ("3", "4", "hosted")
LOOK = {"3": "GET /tasks/[^/]+", "4": "GET /v1/tasks/[^/]+", "hosted": "GET .*/extract-results/.*"}
SUBMIT = {"3": "POST /tasks", "4": "POST /v1/tasks", "hosted": "POST .*/file-urls/batch"}


@pytest.fixture(params=ALL)
def server(request, mineru):
    made = mineru(request.param)
    made.generation = request.param
    return made


def refusal(task, **more):
    with pytest.raises(Unreadable) as raised:
        task.read(**more)
    return raised.value.slug, raised.value.text


def outage(task):
    with pytest.raises(Outage) as raised:
        task.read()
    assert raised.value.slug == "parser-away"
    return raised.value


def test_a_document_becomes_markdown(server, task):
    mine = task(server)
    read = mine.read()
    assert read.markdown == MARKDOWN
    assert read.parser == {"3": "mineru 3.4.4", "4": "mineru 4.0.12", "hosted": "mineru.net v4"}[server.generation]
    assert read.pages == (7 if server.generation == "hosted" else None)
    assert server.document == b"%PDF-1.7 a document"
    assert credit_of(read.parser) == str(CREDIT)


def test_the_id_is_kept_before_the_first_look(server, task):
    mine = task(server)
    mine.read()
    (name,) = mine.kept
    assert server.events[:3] == [("submit", name), ("keep", name), ("look", name)]


def test_a_killed_workers_task_is_looked_at_and_not_handed_in_again(server, task):
    mine = task(server)
    mine.killed = lambda: any(event[0] == "look" for event in server.events)
    with pytest.raises(Killed):
        mine.read()
    assert not any(event[0] == "cancel" for event in server.events)
    mine.killed = lambda: False
    assert mine.read().markdown == MARKDOWN
    assert len(server.submissions) == 1
    assert len(mine.kept) == 1


def test_a_lost_task_is_handed_in_once_more_under_its_new_id(server, task):
    mine = task(server)
    mine.keep("lost-with-the-old-server")
    server.events.clear()
    assert mine.read().markdown == MARKDOWN
    (handed_in,) = server.submissions
    assert mine.kept == ["lost-with-the-old-server", handed_in[1]]


def test_a_server_that_forgets_it_again_and_again_fails_the_task(server, task):
    mine = task(server)
    server.state_of = lambda name: server.restart() or server.runs
    slug, text = refusal(mine)
    assert slug == DocumentError.PARSER_FAILED
    assert text
    assert len(server.submissions) == 2
    assert mine.kept[-1] == "", "whoever tries again hands it in again"


def test_a_failure_is_told_in_the_servers_words(server, task):
    server.course = [server.runs, server.failed]
    mine = task(server)
    assert refusal(mine) == ("parser-failed", server.words)
    assert mine.kept[-1] == ""
    assert len(server.submissions) == 1


@pytest.mark.parametrize(("filename", "slug"), [("a.pdf", "needs_ocr"), ("a.PNG", "needs_ocr"), ("a.docx", "no-text")])
@pytest.mark.parametrize("text", ["", " \n\n", "![](images/a.jpg)\n\n<!-- page 1 -->", "---\n| | |"])
def test_a_document_without_text_is_no_success(mineru, task, filename, slug, text):
    server = mineru("3")
    server.markdown = text
    assert refusal(task(server), filename=filename)[0] == slug


def test_pictures_that_are_not_kept_are_noted(mineru, task):
    server = mineru("3")
    server.markdown = "# 图\n\n![](images/a.jpg)\n\n![b](images/b.jpg)"
    read = task(server).read()
    assert read.markdown == server.markdown
    assert notes_in_words(read.notes) == ["2 pictures stand in the text by name only."]


def test_what_the_database_does_not_take_is_cut_out_and_the_rest_is_not_touched(mineru, task):
    server = mineru("3")
    server.markdown = "Ca\u0000fe\u0301 \u2460 \ud800!"
    assert task(server).read().markdown == "Cafe\u0301 \u2460 ?!"


@pytest.mark.parametrize("generation", ALL)
def test_a_task_that_takes_too_long_has_timed_out(mineru, task, settings, generation):
    server = mineru(generation)
    server.course = [server.runs]
    settings.ETL_TASK_TIMEOUT = 0.3
    assert refusal(task(server))[0] == "timed-out"
    assert [event[0] for event in server.events if event[0] == "cancel"] == (["cancel"] if generation == "4" else [])


def test_an_answer_that_comes_a_byte_at_a_time_ends_at_the_deadline(server, task, settings):
    settings.ETL_TASK_TIMEOUT = 0.3
    server.dribbles(LOOK[server.generation])
    began = time.monotonic()
    assert refusal(task(server))[0] == "timed-out"
    assert time.monotonic() - began < 5


def test_a_server_that_says_nothing_lets_the_run_wait(server, task, settings):
    settings.ETL_MINERU_READ_SECONDS = 0.05
    server.hangs(LOOK[server.generation], times=3)
    outage(task(server))
    assert len(server.submissions) == 1


def test_a_moment_of_trouble_while_waiting_is_passed_over(server, task):
    server.instead(LOOK[server.generation], Response("<html>bad gateway", status=502), times=2)
    assert task(server).read().markdown == MARKDOWN
    assert len(server.submissions) == 1


@pytest.mark.parametrize(
    "answer",
    [Response("<html>", status=500), Response("<html>fine", status=200), as_json([1]), as_json({}, 202), as_json({})],
)
def test_a_broken_answer_to_the_document_lets_the_run_wait(server, task, answer):
    server.instead(SUBMIT[server.generation], answer)
    mine = task(server)
    outage(mine)
    assert mine.kept == []


def test_a_server_that_wants_to_be_left_alone_is(server, task):
    server.instead(SUBMIT[server.generation], as_json({"detail": "slow down"}, 429, **{"Retry-After": "77"}))
    assert outage(task(server)).asked_to_wait == 77


def test_a_server_that_is_not_there_lets_the_run_wait(server, task, settings):
    settings.ETL_MINERU_URL = "http://127.0.0.1:1"
    assert "cannot be reached" in str(outage(task(server)))


@pytest.mark.parametrize("generation", ["3", "4"])
def test_a_refused_key_fails_at_once(mineru, task, settings, generation):
    server = mineru(generation, contract=generation)
    server.token, settings.ETL_MINERU_TOKEN = "another", TOKEN
    slug, text = refusal(task(server))
    assert (slug, "ETL_MINERU_TOKEN" in text) == ("parser-refused", True)
    assert TOKEN not in text


def test_a_cancelled_task_is_given_up(server, task):
    mine = task(server)
    server.course = [server.runs]
    mine.cancelled = lambda: any(event[0] == "look" for event in server.events)
    with pytest.raises(LeaseLost):
        mine.read()
    assert [event[0] for event in server.events if event[0] == "cancel"] == ["cancel"] * (server.generation == "4")


def test_a_task_that_was_taken_over_while_it_was_handed_in_is_cancelled_there(mineru, task):
    server = mineru("4")
    mine = task(server)
    mine.cancelled = lambda: bool(server.submissions)
    with pytest.raises(LeaseLost):
        mine.read()
    assert [event[0] for event in server.events] == ["submit", "cancel"]
    assert mine.kept == []


def test_cancelling_there_may_fail_and_the_task_is_given_up_all_the_same(mineru, task):
    server = mineru("4").instead("DELETE .*", Response(status=500))
    server.course = [server.runs]
    mine = task(server)
    mine.cancelled = lambda: any(event[0] == "look" for event in server.events)
    with pytest.raises(LeaseLost):
        mine.read()


def test_a_document_that_is_gone_is_told(server, task):
    mine = task(server)
    mine.path.unlink()
    assert refusal(mine)[0] == "file-lost"


@pytest.mark.parametrize("generation", ["3", "4"])
def test_a_refused_document_is_told_in_the_servers_words(mineru, task, generation):
    server = mineru(generation)
    server.instead(SUBMIT[generation], as_json({"detail": "Unsupported file type: exe"}, 400))
    assert refusal(task(server)) == ("parser-refused", "Unsupported file type: exe")
    server.instead(SUBMIT[generation], as_json({"error": {"message": "File exceeds 200 MiB"}}, 413))
    assert refusal(task(server)) == ("file-too-large", "File exceeds 200 MiB")


def test_an_answer_without_an_end_is_refused(mineru, task):
    server = mineru("3").instead(LOOK["3"], Response(b" " * 1_000_001))
    assert refusal(task(server)) == ("parser-failed", "The MinerU server's answer is too large.")


def test_options_are_passed_on(mineru, task, settings):
    settings.ETL_MINERU_LANGUAGE, settings.ETL_MINERU_BACKEND, settings.ETL_MINERU_OCR = "en", "pipeline", "ocr"
    server = mineru("3")
    task(server).read()
    assert server.form | {"lang_list": "en", "backend": "pipeline", "parse_method": "ocr"} == server.form
    assert server.form["return_md"] == "true"
    assert server.sent_as == "document.pdf", "nobody outside needs to know what it is called"


def test_options_of_four_stand_in_the_query(mineru, task, settings):
    settings.ETL_MINERU_TIER, settings.ETL_MINERU_OCR = "standard", "txt"
    server = mineru("4")
    task(server).read()
    assert server.form == {"tier": "standard", "ocr_mode": "txt", "output_formats": "markdown"}


def test_a_tier_the_server_was_not_started_for_fails_at_once(mineru, task):
    server = mineru("4")
    server.instead(SUBMIT["4"], server.error(503, "quality_tier_unavailable", "Tier advanced is not available"))
    slug, text = refusal(task(server))
    assert slug == "parser-refused"
    assert "Tier advanced" in text


def test_a_part_of_a_document_says_so(mineru, task):
    server = mineru("4")
    server.course = ["running", "partial"]
    notes = task(server).read().notes
    assert notes_in_words(notes) == ["MinerU could read only a part of the document."]
    server.markdown = None
    assert refusal(task(server))[0] == "parser-failed"


def test_a_task_somebody_cancelled_there_is_handed_in_once_more(mineru, task):
    server = mineru("4")
    server.course = ["running", "canceled"]
    slug, text = refusal(task(server))
    assert (slug, text) == ("parser-failed", "The task was cancelled on the MinerU server.")
    assert len(server.submissions) == 2


def test_a_result_that_is_not_ready_yet_is_asked_for_again(mineru, task):
    server = mineru("3").instead("GET .*/result", as_json({"status": "processing"}, 202))
    assert task(server).read().markdown == MARKDOWN


def test_redirects_are_not_followed(server, task):
    elsewhere = server.http.url_for("/elsewhere").replace("127.0.0.1", "localhost")
    server.instead(SUBMIT[server.generation], Response(status=307, headers={"Location": elsewhere}))
    slug, text = refusal(task(server))
    assert slug == "unsupported-server"
    assert elsewhere in text
    assert not any(request.path == "/elsewhere" for request in server.requests)


def test_secrets_are_in_no_log_and_no_error(server, task, settings, caplog, capfd):
    caplog.set_level("DEBUG")
    caplog.set_level("CRITICAL", logger="werkzeug")  # the server's own log
    settings.ETL_MINERU_TOKEN = TOKEN
    mine = task(server)
    mine.read()
    server.words = f"cannot fetch https://oss.example/a?{SIGNATURE} with Bearer {TOKEN}"
    server.course = [server.failed]
    mine.kept.clear()
    slug, text = refusal(mine)
    assert slug == "parser-failed"
    told = text + caplog.text + "".join(capfd.readouterr())
    assert "oss.example" in text
    assert TOKEN not in told
    assert "sig-secret-456" not in told


def test_a_server_that_was_changed_since_is_asked_again(mineru, task, http):
    old = mineru("3")
    task(old).read()
    http.clear()
    new = mineru("4")
    assert detection._spoken
    mine = task(new)
    mine.keep("task-of-the-old-one")
    assert mine.read().parser == "mineru 4.0.12"
    assert json.dumps(detection._spoken).endswith('"4"}')
