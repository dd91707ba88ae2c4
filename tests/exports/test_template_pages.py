"""Templates and issue numbers: changed by administrators, checked before they are stored, on record."""

import pytest

from access.models import AuditEvent
from exports.models import BriefTemplate, IssueCounter

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("shipped_templates")]

TEMPLATES, NUMBERS = "/admin/exports/brieftemplate/", "/admin/exports/issuecounter/"


def filled(template=None, **values):
    """What the form of a template sends."""
    sections = list(template.sections.all()) if template else []
    fields = {
        "slug": "paper", "title": "Paper", "header": "{tag}", "section_heading": "{heading}", "entry": "{title}",
        "cluster_separator": "", "issues_per_day": "1", "sections-TOTAL_FORMS": str(len(sections)),
        "sections-INITIAL_FORMS": str(len(sections)),
    }  # fmt: skip
    if template:
        names = ("slug", "title", "header", "section_heading", "entry", "cluster_separator", "issues_per_day")
        fields |= {name: str(getattr(template, name)) for name in names}
        fields |= {"is_numbered": "on"} if template.is_numbered else {}
    for number, each in enumerate(sections):
        names = ("id", "position", "section", "region", "sentiment", "heading", "marker", "numbering")
        fields |= {f"sections-{number}-{name}": str(getattr(each, name)) for name in names}
        fields[f"sections-{number}-template"] = str(template.pk)
    return {**fields, **values}


@pytest.mark.parametrize("address", [TEMPLATES, NUMBERS])
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_lists_open_in_both_languages(address, language, viewer, desk_of):
    assert desk_of(viewer).get(address, headers={"accept-language": language}).status_code == 200


def test_only_administrators_change_them(operator, viewer, shipped_templates, desk_of):
    page = f"{TEMPLATES}{shipped_templates['zongbao'].pk}/change/"
    for user in (viewer, operator):
        desk = desk_of(user)
        assert desk.get(page).status_code == 200
        assert desk.post(page, filled(shipped_templates["zongbao"], title="x")).status_code == 403
        assert desk.get(f"{TEMPLATES}add/").status_code == 403
        assert desk.get(f"{NUMBERS}add/").status_code == 403


def test_a_page_shows_the_template_with_sample_stories(viewer, shipped_templates, desk_of):
    page = desk_of(viewer).get(f"{TEMPLATES}{shipped_templates['wanbao'].pk}/change/").content.decode()
    assert "【舆情速览】\n一、市教委公布秋季学期校历" in page


def test_a_changed_section_prints_otherwise_at_once(administrator, shipped_templates, desk_of):
    template = shipped_templates["zongbao"]
    desk = desk_of(administrator)
    answer = desk.post(
        f"{TEMPLATES}{template.pk}/change/",
        filled(template, **{"sections-0-heading": "新栏目", "header": "{tag}\r\n{date}", "_continue": "1"}),
    )
    assert answer.status_code == 302
    template.refresh_from_db()
    assert template.header == "{tag}\n{date}"
    assert "【新栏目】" in desk.get(f"{TEMPLATES}{template.pk}/change/").content.decode()
    assert AuditEvent.objects.filter(action="template.changed").count() == 1


@pytest.mark.parametrize(
    ("field", "text"),
    [("header", "{period}"), ("header", "{title}"), ("entry", "{heading}"), ("entry", "{nothing}"),
     ("section_heading", "{title}"), ("slug", "a b"), ("issues_per_day", "x"), ("title", "")],
)  # fmt: skip
def test_a_field_that_does_not_exist_is_named_beside_its_text(field, text, administrator, desk_of):
    count = BriefTemplate.objects.count()
    answer = desk_of(administrator).post(f"{TEMPLATES}add/", filled(**{field: text}))
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert BriefTemplate.objects.count() == count


def test_two_sections_for_one_bucket_are_refused_in_words(administrator, shipped_templates, desk_of):
    template = shipped_templates["zongbao"]
    first = template.sections.first()
    fields = filled(template, **{"sections-1-region": first.region, "sections-1-sentiment": first.sentiment})
    answer = desk_of(administrator).post(f"{TEMPLATES}{template.pk}/change/", fields)
    assert answer.status_code == 200
    assert answer.context["errors"]


def test_a_template_can_be_deleted_whoever_names_it(administrator, shipped_templates, desk_of):
    desk = desk_of(administrator)
    answer = desk.post(f"{TEMPLATES}{shipped_templates['zongbao'].pk}/delete/", {"post": "yes"})
    assert answer.status_code == 302
    assert not BriefTemplate.objects.filter(slug="zongbao").exists()


def test_a_changed_issue_number_is_on_record_with_what_it_was(administrator, desk_of):
    counter = IssueCounter.objects.create(template="zongbao", report_date="2026-03-01", period=5, total_period=105)
    desk = desk_of(administrator)
    fields = {"template": "zongbao", "report_date": "2026-03-01", "period": "7", "total_period": "107"}
    assert desk.post(f"{NUMBERS}{counter.pk}/change/", fields).status_code == 302
    event = AuditEvent.objects.get(action="issue-numbers.changed")
    assert event.before == {"period": 5, "total_period": 105}
    assert (event.after["period"], event.after["total_period"]) == (7, 107)
    assert event.actor_name == "administrator"


@pytest.mark.parametrize(
    "fields", [{"period": "0"}, {"period": "x"}, {"report_date": "never"}, {"template": "nope"}, {"total_period": ""}]
)
def test_numbers_that_cannot_be_are_refused(fields, administrator, desk_of):
    good = {"template": "zongbao", "report_date": "2026-03-01", "period": "1", "total_period": "1"}
    answer = desk_of(administrator).post(f"{NUMBERS}add/", good | fields)
    assert answer.status_code == 200
    assert not IssueCounter.objects.exists()


def test_numbers_of_a_deleted_template_stay_readable_and_changeable(administrator, desk_of):
    counter = IssueCounter.objects.create(template="gone", report_date="2026-03-01", period=5, total_period=105)
    fields = {"template": "gone", "report_date": "2026-03-01", "period": "6", "total_period": "106"}
    assert desk_of(administrator).post(f"{NUMBERS}{counter.pk}/change/", fields).status_code == 302
