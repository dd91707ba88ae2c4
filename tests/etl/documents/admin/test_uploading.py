"""Files are handed in by a form: each taken or refused by itself, none twice, nothing half."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

import documents
from conftest import make_user
from documents import all_at_once
from etl.models import ETLRule, ETLTask

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("folder")]

UPLOAD = "/admin/etl/upload/"
TASKS = "/admin/etl/etltask/"
CSV = "名称,单价\n杯子,1.10\n".encode()


def files(**contents):
    return [SimpleUploadedFile(name.replace("_", "."), content) for name, content in contents.items()]


def body(answer):
    return answer.content.decode()


def test_all_files_are_queued_and_then_listed(operator, desk_of, project, rule):
    desk = desk_of(operator)
    sent = {"project": project.pk, "rule": rule.pk, "once": "a", "files": files(a_csv=CSV, b_txt=b"Hello", c_md=b"# H")}
    answer = desk.post(UPLOAD, sent)
    assert answer.status_code == 302
    page = body(desk.get(answer["Location"]))
    assert "3 documents are queued." in page
    tasks = ETLTask.objects.order_by("pk")
    assert [task.filename for task in tasks] == ["a.csv", "b.txt", "c.md"]
    assert {(task.rule_id, task.requested_by, task.status) for task in tasks} == {(rule.pk, operator, "pending")}
    for task in tasks:
        assert task.filename in page


def test_the_only_project_is_chosen_already(operator, desk_of, project):
    page = body(desk_of(operator).get(UPLOAD))
    assert f'<option value="{project.pk}" selected>' in page
    assert 'enctype="multipart/form-data"' in page
    assert " multiple" in page


def test_files_that_may_not_be_read_are_named_and_hold_up_no_other(operator, desk_of, project, rule):
    wrong = files(a_csv=CSV, virus_exe=b"MZ", empty_txt=b"", fake_pdf=b"no pdf at all")
    answer = desk_of(operator).post(UPLOAD, {"project": project.pk, "rule": rule.pk, "once": "a", "files": wrong})
    assert answer.status_code == 422
    page = body(answer)
    assert [task.filename for task in ETLTask.objects.all()] == ["a.csv"]
    assert "3 files were not taken" in page
    for name, reason in (("virus.exe", "cannot be read"), ("empty.txt", "is empty"), ("fake.pdf", "not what its name")):
        assert name in page
        assert reason in page
    assert "They need not be sent again" in page
    assert f'<option value="{rule.pk}" selected>' in page  # what was chosen is still there


def test_a_second_click_queues_nothing_twice(operator, desk_of, project):
    desk = desk_of(operator)
    first = desk.post(UPLOAD, {"project": project.pk, "once": "a", "files": files(a_csv=CSV, b_txt=b"Hello")})
    again = desk.post(UPLOAD, {"project": project.pk, "once": "a", "files": files(a_csv=CSV, b_txt=b"Hello")})
    assert again["Location"] == first["Location"]
    assert ETLTask.objects.count() == 2
    desk.post(UPLOAD, {"project": project.pk, "once": "b", "files": files(a_csv=CSV)})
    assert ETLTask.objects.count() == 3  # another form means it


def test_two_clicks_at_once_queue_nothing_twice(operator, project):
    def click():
        desk = Client()
        desk.force_login(operator)
        return desk.post(UPLOAD, {"project": project.pk, "once": "a", "files": files(a_csv=CSV)})["Location"]

    first, second = all_at_once(click, click)
    assert first == second
    assert ETLTask.objects.count() == 1


def test_other_files_sent_from_the_same_form_are_not_lost(operator, desk_of, project):
    desk = desk_of(operator)
    for content in (CSV, CSV + b"x,1\n"):
        desk.post(UPLOAD, {"project": project.pk, "once": "a", "files": files(a_csv=content)})
    assert ETLTask.objects.count() == 2


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"project": ""}, "project"),
        ({"project": "999999999999999999999"}, "project"),
        ({"rule": "x"}, "rule"),
        ({"files": []}, "files"),
        ({"pointer": "/a"}, "table"),
        ({"pointer": "a"}, "pointer"),
        ({"table": "0"}, "table"),
    ],
)
def test_a_wish_that_cannot_be_is_told_at_its_field(wrong, field, operator, desk_of, project):
    answer = desk_of(operator).post(UPLOAD, {"project": project.pk, "files": files(a_csv=CSV)} | wrong)
    assert answer.status_code == 422
    assert answer.context["form"].errors.keys() == {field}
    assert not ETLTask.objects.exists()


def test_more_files_than_a_wish_may_have_are_refused(operator, desk_of, project):
    many = [SimpleUploadedFile(f"{n}.csv", CSV) for n in range(21)]
    answer = desk_of(operator).post(UPLOAD, {"project": project.pk, "files": many})
    assert answer.status_code == 422
    assert "20 files at once" in body(answer)


def test_projects_rules_and_tables_of_others_are_not_offered_nor_taken(operator, desk_of, project):
    other = make_user("other", role="operator")
    theirs = documents.project(other, name="Theirs")
    table = documents.table(theirs, name="Their table")
    rule = ETLRule.objects.create(name="Their rule", owner=other, json_schema={"type": "object"})
    desk = desk_of(operator)
    page = body(desk.get(UPLOAD))
    assert "Their" not in page
    for wrong in ({"project": theirs.pk}, {"rule": rule.pk}, {"table": table.pk}):
        answer = desk.post(UPLOAD, {"project": project.pk, "files": files(a_csv=CSV)} | wrong)
        assert answer.status_code == 422
    assert not ETLTask.objects.exists()


def test_a_table_named_at_upload_is_mounted_into_when_the_result_is_there(operator, desk_of, project, table):
    from etl.documents import processing

    wish = {"project": project.pk, "table": table.pk, "pointer": "/sources", "files": files(a_csv=CSV)}
    desk_of(operator).post(UPLOAD, wish)
    task = ETLTask.objects.get()
    processing.run_document(task.pk)
    assert documents.at(table, "sources", "a") is not None


def test_a_full_queue_is_told_and_takes_nothing(operator, desk_of, project, settings):
    settings.ETL_MAX_PENDING = 1
    answer = desk_of(operator).post(UPLOAD, {"project": project.pk, "files": files(a_csv=CSV, b_csv=CSV)})
    assert answer.status_code == 422
    assert "Nothing was kept" in body(answer)
    assert ETLTask.objects.count() == 1


def test_hostile_names_are_escaped(operator, desk_of, project):
    hostile = "<img src=x onerror=alert(1)>.exe"
    answer = desk_of(operator).post(UPLOAD, {"project": project.pk, "files": [SimpleUploadedFile(hostile, b"x")]})
    assert "<img src=x" not in body(answer)
    assert "&lt;img src=x" in body(answer)


def test_without_a_project_the_page_says_what_to_do(operator, desk_of):
    page = body(desk_of(operator).get(UPLOAD))
    assert "There is no project yet" in page
    assert "/admin/etl/project/add/" in page


def test_who_may_not_run_documents_may_not_upload(viewer, desk_of, project):
    project.members.add(viewer)
    desk = desk_of(viewer)
    assert desk.get(UPLOAD).status_code == 403
    assert desk.post(UPLOAD, {"project": project.pk, "files": files(a_csv=CSV)}).status_code == 403
    assert "upload/" not in body(desk.get(TASKS))
