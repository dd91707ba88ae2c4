"""manage.py import_articles: files of any length, bad rows put aside with the reason."""

import csv
import io
import json
import subprocess
import sys

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command, execute_from_command_line
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from access.models import AuditEvent
from exports.article_files import LINE_AT_MOST, import_articles
from exports.models import Article, ManualReview
from pool import row
from processes import ROOT, environment

pytestmark = pytest.mark.django_db


def jsonl(*rows):
    return io.BytesIO(b"\n".join(each if isinstance(each, bytes) else json.dumps(each).encode() for each in rows))


def comma(*rows, delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def imported(file, file_format="jsonl", **options):
    """What was done, and the rejects as (line, field, code)."""
    rejects = []

    def on_reject(line, faults):
        assert all(fault.row == line.number for fault in faults)
        rejects.extend((line.number, fault.field, fault.code) for fault in faults)

    return import_articles(file, file_format, actor="test", on_reject=on_reject, **options), rejects


def run(capsys, *arguments):
    """Exit code, standard output and error of the command."""
    try:
        execute_from_command_line(["manage.py", "import_articles", *map(str, arguments)])
        code = 0
    except SystemExit as leaving:
        code = leaving.code
    said = capsys.readouterr()
    return code, said.out, said.err


def test_lines_of_json_come_in_and_again_change_nothing():
    rows = [row(f"a-{each}") for each in range(2_500)]
    first, rejects = imported(jsonl(*rows))
    assert (first.rows, first.created, first.unchanged, rejects) == (2_500, 2_500, 0, [])
    again, _rejects = imported(jsonl(*rows))
    assert (again.created, again.updated, again.unchanged) == (0, 0, 2_500)
    assert ManualReview.objects.candidates().count() == 2_500
    assert AuditEvent.objects.filter(action="articles.ingested").count() == 3


def test_bad_lines_are_put_aside_by_their_number_and_the_rest_goes_in():
    done, rejects = imported(
        jsonl(
            row("a-1"),
            b"",
            b"{not json",
            b"[1]",
            b'{"article_id": "a-2"}',
            b'\xff"',
            row("a-3"),
            b"x" * (LINE_AT_MOST + 9),
            row("a-4"),
        )
    )
    assert rejects == [
        (3, "", "not-json"),
        (4, "", "not-an-object"),
        (5, "title", "required"),
        (6, "", "not-json"),
        (8, "", "too-long"),
    ]
    assert (done.rows, done.created, done.rejected) == (8, 3, 5)


def test_the_later_of_two_lines_with_one_id_counts_also_across_transactions():
    rows = [row("a-0", title="First"), *(row(f"a-{each}") for each in range(1, 1_500)), row("a-0", title="Last")]
    done, _rejects = imported(jsonl(*rows, row("a-1499", title="Again")))
    assert done.doubled == 2
    assert Article.objects.get(article_id="a-0").title == "Last"
    assert Article.objects.get(article_id="a-1499").title == "Again"


def test_fields_nobody_knows_are_passed_over_and_named():
    done, rejects = imported(jsonl(row("a-1", colour="red"), row("a-2", shape="round", colour="blue")))
    assert (done.created, rejects, done.unknown_columns) == (2, [], ["colour", "shape"])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_comes_in_with_any_usual_delimiter(delimiter):
    heading = ["article_id", "title", "score", "llm_keywords", "is_beijing_related", "publish_time_iso", "extra"]
    file = comma(heading, ["a-1", "Two\nlines, quoted", "91.5", "x; y", "true", "2026-05-01", "?"], delimiter=delimiter)
    done, rejects = imported(file, "csv")
    assert (done.created, rejects, done.unknown_columns) == (1, [], ["extra"])
    article = Article.objects.get()
    assert (article.title, str(article.score), article.keywords) == ("Two\nlines, quoted", "91.500", ["x", "y"])
    assert article.region == "internal"


def test_bad_csv_rows_are_put_aside_by_their_line():
    good = comma(["article_id", "title"], ["a-1", "two\nlines"], ["a-2"], [], ["", "no id"], ["a-3", "T"]).getvalue()
    done, rejects = imported(io.BytesIO(b"\xef\xbb\xbf" + good + b"a-4,\xff\xfe\r\na-5,a\0b\r\n"), "csv")
    assert rejects == [
        (4, "", "wrong-width"),
        (6, "article_id", "required"),
        (8, "title", "not-text"),
        (9, "title", "nul-character"),
    ]
    assert done.created == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"title,summary\nx,y\n",
        b"article_id,title,title\n1,2,3\n",
        b'article_id,title\n"' + b"x" * (LINE_AT_MOST + 1),
    ],
)
def test_a_file_that_is_no_csv_of_articles_is_refused(content):
    with pytest.raises(ValidationError):
        imported(io.BytesIO(content), "csv")
    assert not Article.objects.exists()


def test_a_file_with_more_rows_than_allowed_is_refused_before_any_is_written():
    with pytest.raises(ValidationError, match="more than 2"):
        imported(jsonl(row("a"), row("b"), row("c")), rows_at_most=2)
    assert not Article.objects.exists()
    assert imported(jsonl(row("a"), row("b")), rows_at_most=2)[0].created == 2


def test_json_is_one_object_with_the_promised_keys(tmp_path, capsys):
    path = tmp_path / "articles.jsonl"
    path.write_bytes(jsonl(row("a-1"), row("a-2")).getvalue())
    code, out, err = run(capsys, path, "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert list(report) == [
        "rows",
        "created",
        "updated",
        "unchanged",
        "doubled",
        "rejected",
        "file",
        "ignoredColumns",
        "seconds",
        "rowsPerSecond",
    ]
    assert (report["rows"], report["created"], report["rejected"], report["file"]) == (2, 2, 0, None)
    assert list(tmp_path.iterdir()) == [path]


def test_rejects_lie_beside_the_file_with_the_reason(tmp_path, capsys):
    path = tmp_path / "articles.csv"
    path.write_bytes(b"article_id,title,score\na-1,T,80\na-2,\xff,80\na-3,T,many\n")
    code, out, err = run(capsys, path)
    assert code == 1
    assert "created  1" in out
    assert "2 rows were rejected" in err
    rejects = [json.loads(line) for line in (tmp_path / "articles.csv.rejects.jsonl").read_text().splitlines()]
    assert [(each["line"], each["errors"][0]["code"]) for each in rejects] == [(3, "not-text"), (4, "not-a-number")]
    assert rejects[1]["row"] == {"article_id": "a-3", "title": "T", "score": "many"}


@pytest.mark.parametrize(
    "arguments",
    [["nowhere.jsonl"], ["articles.xls"], ["a.jsonl", "--format", "xml"], [], ["a.jsonl", "b.jsonl"], ["."]],
)
def test_a_wrong_argument_is_refused_in_one_line(arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _out, err = run(capsys, *arguments)
    assert code == 2
    assert len(err.strip().splitlines()) == 1


def test_called_from_python_it_raises_instead_of_leaving(tmp_path):
    with pytest.raises(CommandError) as refusal:
        call_command("import_articles", str(tmp_path / "nowhere.csv"))
    assert refusal.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_standard_input_is_a_file_like_any_other(tmp_path):
    path = tmp_path / "input"
    path.write_bytes(jsonl(row("a-1")).getvalue())
    with path.open("rb") as file:
        done = subprocess.run(
            [sys.executable, "manage.py", "import_articles", "-", "--json"],
            cwd=ROOT,
            env=environment(),
            stdin=file,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert Article.objects.get().article_id == "a-1"


def test_what_a_chunk_asks_of_the_database_does_not_grow_with_its_rows():
    def statements(letter, count):
        with CaptureQueriesContext(connection) as asked:
            first, rejects = imported(jsonl(*[row(f"{letter}-{each}") for each in range(count)]))
        assert (first.created, rejects) == (count, [])
        return len(asked)

    assert statements("h", 3_000) <= 3 * statements("i", 10)
