"""The modes of manage.py etl_products, and how wrong arguments are refused, as a shell sees it."""

import json
from datetime import timedelta

import pytest
from django.core.management import execute_from_command_line
from django.utils import translation

from etl.models import Product, ProductSyncRun, StagingProduct
from observed import NOON, log
from processes import manage, manage_here

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fed():
    """Ten rows, synchronised."""
    StagingProduct.objects.bulk_create(
        StagingProduct(style_brand_no="B", style_no=str(n), price="1", src_updated_at=NOON + timedelta(minutes=n))
        for n in range(10)
    )
    run("--json")


def run(*arguments):
    """manage.py etl_products inside this process, which spares a second of start-up."""
    execute_from_command_line(["manage.py", "etl_products", *arguments])


def report(capsys, *arguments):
    """The JSON object of a run that succeeds."""
    capsys.readouterr()
    run(*arguments, "--json")
    return json.loads(capsys.readouterr().out)


def refusal(capsys, *arguments):
    """Exit code and error of a run that does not."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as leaving:
        run(*arguments)
    return leaving.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--limit", "0"], "'0' is not a whole number from 1"),
        (["--fast"], "unrecognized arguments: --fast"),
        (["--max-delete-percent", "101", "--full"], "from 0 to 100"),
        (["--since", "yesterday"], "ISO 8601"),
        (["--since", "2026-02-30"], "2026-02-30"),
        (["--until", ""], "ISO 8601"),
        (["--since", "9999-12-31"], "--since: No row has such a time."),
        (["--since", "0001-01-01T00:00"], "--since"),
        (["--since", "2026-02-01", "--until", "2026-01-01"], "--until: The end lies before the beginning."),
        (["--keys", "B"], "'B' is not of the form BRAND/SKU"),
        (["--keys", ""], "is not of the form BRAND/SKU"),
        (["--keys", "B/1,C"], "'C' is not of the form BRAND/SKU"),
        (["--keys", "B/ "], "names no product"),
        (["--keys", f"B/{'9' * 65}"], "names no product"),
        (["--keys", "@/nowhere/keys.txt"], "cannot be read"),
        (["--keys", "@/"], "cannot be read"),
        (["--full", "--since", "2026-01-01"], "--since: This cannot be combined with: Full compare."),
        (["--full", "--rehash"], "--rehash: This cannot be combined with: Full compare."),
        (["--full", "--max-batches", "1"], "--max-batches: This cannot be combined with: Full compare."),
        (["--rehash", "--keys", "B/1"], "--keys: This cannot be combined with: Rehash."),
        (["--rehash", "--max-rejects", "1"], "--max-rejects: This cannot be combined with: Rehash."),
        (["--keys", "B/1", "--no-resume"], "--resume: This cannot be combined with: Replay."),
        (["--max-delete-percent", "5"], "--max-delete-percent: This goes only with: Full compare."),
        (["--dry-run", "--full", "--until", "2026-01-01"], "--until"),
    ],
)
def test_a_wrong_or_contradictory_argument_is_one_line_and_exit_code_two(arguments, says, capsys):
    code, error = refusal(capsys, *arguments)
    assert (code, len(error.strip().splitlines())) == (2, 1), error
    assert says in error
    assert not ProductSyncRun.objects.exists()


def test_the_refusal_of_an_argument_points_to_the_help(capsys):
    assert "see manage.py etl_products --help" in refusal(capsys, "--limit", "0")[1]
    with pytest.raises(SystemExit):
        execute_from_command_line(["manage.py", "etl_watermark", "rewind", "--to", "x", "--reason", "y"])
    error = capsys.readouterr().err
    assert (len(error.splitlines()), "see manage.py etl_watermark rewind --help" in error) == (1, True)


def test_full_deletes_and_tells_how_many(fed, capsys):
    StagingProduct.objects.filter(style_no="3").delete()
    told = report(capsys, "--full", "--dry-run")
    assert (told["mode"], told["deleted"], told["differences"][-1]["sku"]) == ("full", 1, "3")
    done = report(capsys, "--full")
    assert (done["deleted"], done["unchanged"]) == (1, 9)
    assert log()[-1] == ("DELETE", "3")


def test_too_many_deletes_exit_with_one_and_say_how_many_of_how_many(fed, capsys):
    StagingProduct.objects.filter(style_no__in="345").delete()
    failed = manage_here("etl_products", "--full")
    assert (failed.returncode, len(failed.stderr.strip().splitlines())) == (1, 1)
    assert "3 / 10 = 30.0 % > 10 %" in failed.stderr
    assert report(capsys, "--full", "--max-delete-percent", "30%")["deleted"] == 3


def test_a_naive_time_is_in_the_time_zone_of_the_settings(fed, capsys):
    shanghai = (NOON + timedelta(hours=8, minutes=7)).strftime("%Y-%m-%dT%H:%M")
    assert report(capsys, "--since", shanghai)["read"] == 3
    assert report(capsys, "--since", "2026-03-01T12:07Z", "--until", "2026-03-01T12:08Z")["read"] == 2


def test_keys_may_be_repeated_or_stand_in_a_file_and_those_not_found_are_told(fed, capsys, tmp_path):
    file = tmp_path / "keys.txt"
    file.write_text("\ufeffB/1\n\n B/2 \nB/a,b\n", encoding="utf-8")
    told = report(capsys, "--keys", "B/3,B/4", "--keys", f"@{file}")
    assert (told["read"], told["keysNotFound"]) == (4, {"count": 1, "first": ["B/a,b"]})
    run("--keys", "B/9,B/10,B/11")
    assert "keysNotFound  2  B/10, B/11" in capsys.readouterr().out


def test_rehash_brings_versions_up_to_date(fed, capsys):
    Product.objects.filter(sku="3").update(data_version="v0:x")
    assert report(capsys, "--rehash", "--dry-run")["updated"] == 1
    done = report(capsys, "--rehash")
    assert (done["mode"], done["read"], done["updated"], done["watermarkAfter"]) == ("rehash", 10, 1, None)
    assert report(capsys, "--full")["unchanged"] == 10


def test_a_queued_run_of_another_mode_is_in_the_way(fed, capsys):
    from etl.products import services

    services.request_sync(services.SyncOptions(), actor="test")
    assert refusal(capsys, "--rehash")[0] == 3
    assert refusal(capsys, "--since", "2026-01-01")[0] == 3
    assert report(capsys, "--rehash", "--dry-run")["read"] == 10


def test_the_watermark_command_speaks_the_language_of_the_settings():
    shown = manage("etl_watermark", "show", LANGUAGE_CODE="zh-hans")
    assert (shown.returncode, shown.stdout.strip()) == (0, "尚未读取任何数据源。")
    with translation.override("zh-hans"):
        wrong = manage_here("etl_watermark", "rewind", "--to", "x", "--reason", "y")
    assert wrong.returncode == 2
    assert "不是 ISO 8601 日期或时间" in wrong.stderr
