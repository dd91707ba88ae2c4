"""manage.py consume_product_changes and restart_change_feed as a shell sees them."""

import json

import pytest
from django.core.management import execute_from_command_line
from django.db import connection

from access.models import AuditEvent
from etl.models import FeedConsumer
from processes import manage

pytestmark = pytest.mark.django_db(transaction=True)


def write(*numbers):
    with connection.cursor() as cursor:
        for number in numbers:
            cursor.execute(
                "INSERT INTO product_change_log (product_id, brand_code, sku, change_type, new_version, changed_fields)"
                " VALUES (1, 'B', %s, 'UPDATE', 'v', '{\"price\": [1.10, 2.00]}')",
                [str(number)],
            )


@pytest.fixture
def consume(capsys):
    """consume(arguments) runs the command inside this process; (exit code, lines of stdout, stderr)."""

    def run(*arguments, command="consume_product_changes"):
        code = 0
        try:
            execute_from_command_line(["manage.py", command, *arguments])
        except SystemExit as leaving:
            code = leaving.code
        out, errors = capsys.readouterr()
        return code, out.splitlines(), errors

    return run


@pytest.fixture(params=["file", "database"])
def place(request, tmp_path):
    """The arguments that keep a place."""
    return ["--cursor-file", str(tmp_path / "cursor")] if request.param == "file" else ["--consumer", "mirror"]


def test_every_change_is_printed_once_over_several_calls(consume, place):
    write(1, 2, 3)
    assert [line.split()[3] for line in consume(*place, "--limit", "2")[1]] == ["1", "2", "3"]
    assert consume(*place) == (0, [], "")
    write(4)
    assert [line.split()[3] for line in consume(*place)[1]] == ["4"]


def test_json_is_one_line_per_change_as_the_api_has_it(consume, place):
    write(1)
    _code, (line,), _errors = consume(*place, "--json")
    assert json.loads(line)["changedFields"] == {"price": [1.1, 2.0]}
    assert '"price":[1.10,2.00]' in line


def test_it_may_begin_at_the_end_and_begin_again(consume, place):
    write(1)
    assert consume(*place, "--start", "now")[1] == []
    assert len(consume(*place, "--restart")[1]) == 1
    assert AuditEvent.objects.filter(action="feed-consumer.moved").exists() == ("--consumer" in place)


def test_a_gone_cursor_says_what_to_do_and_moves_nothing(consume, place):
    write(1)
    consume(*place)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE product_change_log")
    code, lines, errors = consume(*place)
    assert (code, lines, len(errors.strip().splitlines())) == (4, [], 1)
    assert "--restart" in errors
    assert consume(*place, "--restart", "--start", "now") == (0, [], "")


def test_a_file_that_holds_something_else_is_refused_and_kept(consume, tmp_path):
    for text in ("hello", "", "\0"):
        (tmp_path / "cursor").write_text(text)
        code, _lines, errors = consume("--cursor-file", str(tmp_path / "cursor"))
        assert (code, "nextCursor" in errors) == (2, True)
        assert (tmp_path / "cursor").read_text() == text
    assert consume("--cursor-file", str(tmp_path / "none" / "cursor"))[0] == 2
    assert consume("--cursor-file", str(tmp_path))[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--consumer", " "], ["--consumer", "x" * 65], ["--consumer", "x", "--cursor-file", "y"],
        ["--consumer", "x", "--limit", "0"], ["--consumer", "x", "--every", "nan"], ["--consumer", "x", "--start", "5"],
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused(consume, arguments):
    code, _lines, errors = consume(*arguments)
    assert (code, bool(errors)) == (2, True)
    assert not FeedConsumer.objects.exists()


def test_a_restart_of_the_feed_needs_a_reason(consume):
    assert consume(command="restart_change_feed")[0] == 2
    assert consume("--reason", " ", command="restart_change_feed")[0] == 2
    assert consume("--reason", "a dump", command="restart_change_feed")[0] == 0
    assert manage("restart_change_feed", "--reason", "x").stdout == "0 changes were adopted.\n"
