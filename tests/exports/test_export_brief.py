"""manage.py export_brief as a shell sees it."""

import json
import signal

import pytest
from django.core.management import execute_from_command_line

from exports.models import BriefBatch, ExportRun
from exports.printing import sha256_of
from observed import everything
from processes import manage, start_manage, wait_until
from worker_briefs import DAY, article, articles, by_hand, exported, in_brief

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("shipped_templates")]

KEYS = [
    "runId", "status", "dryRun", "reportTag", "reportDate", "template", "batchId", "printed", "recorded", "sha256",
    "funnel",
]  # fmt: skip


def exit_code(*arguments):
    """The exit code of manage.py run inside this process, which spares a second of start-up."""
    with pytest.raises(SystemExit) as leaving:
        execute_from_command_line(["manage.py", "export_brief", *arguments])
    return leaving.value.code


def here(*arguments):
    """manage.py in this process, to its good end."""
    execute_from_command_line(["manage.py", "export_brief", *arguments])


def one_line(text):
    """The only line of an error beside the log; no traceback, no second line."""
    lines = [line for line in text.strip().splitlines() if not line.startswith('{"event"')]
    assert len(lines) == 1, text
    return lines[0]


def test_without_any_worker_the_text_goes_to_standard_output_and_the_funnel_to_the_other():
    articles(20)
    done = manage("export_brief", "--tag", "2026-03-01", "--limit", "5")
    assert done.returncode == 0, done.stderr
    batch = BriefBatch.objects.get()
    assert done.stdout == batch.content
    assert "20  candidates" in done.stderr
    assert "-15  Beyond the limit" in done.stderr
    assert "5  printed" in done.stderr


def test_json_is_one_object_with_the_promised_keys(capsys):
    articles(3)
    here("--json", "--tag", "2026-03-01-x")
    report = json.loads(capsys.readouterr().out)
    assert list(report) == KEYS
    run = ExportRun.objects.get()
    assert (report["runId"], report["batchId"], report["printed"]) == (
        run.pk,
        f"brief-{BriefBatch.objects.get().pk}",
        3,
    )
    assert (report["reportTag"], report["reportDate"]) == ("2026-03-01-x", "2026-03-01")
    assert report["funnel"]["candidates"] == 3


def test_a_dry_run_writes_no_row_at_all_and_prints_the_text_of_the_run(capsys):
    articles(10)
    before = everything()
    here("--dry-run", "--tag", "2026-03-01")
    told = capsys.readouterr()
    assert everything() == before
    assert "nothing was written" in told.err
    assert told.out == exported().content


def test_output_takes_the_text_byte_for_byte(tmp_path, capsys):
    article("1", title="标题", summary="第一行\n第二行 😀")
    target = tmp_path / "brief.txt"
    here("--tag", "2026-03-01", "--output", str(target))
    batch = BriefBatch.objects.get()
    assert sha256_of(target.read_bytes().decode()) == batch.sha256
    assert capsys.readouterr().out == ""
    assert [each.name for each in tmp_path.iterdir() if each.is_file()] == ["brief.txt"]


def test_a_place_that_cannot_be_written_fails_after_the_export_and_says_where_the_text_is(tmp_path, capsys):
    articles(3)
    assert exit_code("--tag", "2026-03-01", "--output", str(tmp_path / "no" / "brief.txt")) == 1
    assert "kept with the run" in one_line(capsys.readouterr().err)
    assert len(in_brief()) == 3


def test_nothing_to_export_is_done_and_says_so(capsys, tmp_path):
    here("--tag", "2026-03-01", "--output", str(tmp_path / "brief.txt"))
    told = capsys.readouterr()
    assert told.out == ""
    assert "nothing to export" in told.err
    assert not list(tmp_path.glob("*.txt"))
    assert not BriefBatch.objects.exists()


def test_scope_and_skipping_are_the_options_of_the_run(capsys):
    article("1")
    by_hand("hand", "1")
    here("--tag", "2026-03-01", "--json")
    assert json.loads(capsys.readouterr().out)["funnel"]["skipped"]["exported-by-hand"]["first"] == ["1"]
    here("--tag", "2026-03-02", "--skip-scope", "worker", "--json")
    assert json.loads(capsys.readouterr().out)["printed"] == 1
    here("--tag", "2026-03-03", "--no-skip-exported", "--json")
    assert json.loads(capsys.readouterr().out)["printed"] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--limit", "0"], ["--limit", "-7"], ["--limit", "many"], ["--limit", "99999999999"], ["--limit", "10001"],
        ["--min-score", "x"], ["--min-score", "NaN"], ["--min-score", "1e9"], ["--date", "2026-02-30"],
        ["--date", "tomorrow"], ["--date", "2026-3-1"],
        ["--template", "gone"], ["--template", "../x"], ["--template", ""],
        ["--skip-scope", "some"], ["--tag", "x" * 300], ["--tag", "a\nb"], ["--tag", "\udc80"], ["--fast"], ["extra"],
    ],
)  # fmt: skip
def test_a_wrong_argument_is_named_in_one_line_and_writes_nothing(arguments, capsys):
    before = everything()
    assert exit_code(*arguments) == 2
    assert arguments[0] in one_line(capsys.readouterr().err)
    assert everything() == before


def test_a_tag_of_another_date_is_a_conflict(capsys):
    articles(2)
    exported("daily", report_date=DAY)
    capsys.readouterr()
    assert exit_code("--tag", "daily", "--date", "2026-03-02") == 3
    assert "2026-03-01" in one_line(capsys.readouterr().err)


@pytest.mark.long
def test_ctrl_c_cancels_the_run_and_leaves_nothing():
    articles(10_000)
    process = start_manage("export_brief", "--tag", "2026-03-01")
    wait_until(lambda: ExportRun.objects.filter(status="running").exists(), what="the run")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert output == ""
    assert ExportRun.objects.get().status == "cancelled"
    assert not BriefBatch.objects.exists()
