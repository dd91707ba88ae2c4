"""The templates that a migration ships come and go without touching an operator's own."""

from importlib import import_module

import pytest
from django.apps import apps

from exports.models import BriefTemplate

pytestmark = pytest.mark.django_db

migration = import_module("exports.migrations.0002_shipped_templates")
SLUGS = {"zongbao", "wanbao", "markdown", "brief"}


def test_they_can_be_taken_back_and_shipped_again(shipped_templates):
    assert set(shipped_templates) == SLUGS
    BriefTemplate.objects.create(slug="own", title="Own")
    migration.take_back(apps, None)
    assert [template.slug for template in BriefTemplate.objects.all()] == ["own"]
    migration.ship_templates(apps)
    assert {template.slug for template in BriefTemplate.objects.all()} == SLUGS | {"own"}


def test_a_changed_one_is_not_shipped_over(shipped_templates):
    BriefTemplate.objects.filter(slug="zongbao").update(header="ours")
    shipped_templates["zongbao"].sections.filter(marker="★").delete()
    migration.ship_templates(apps)
    template = BriefTemplate.objects.get(slug="zongbao")
    assert (template.header, template.sections.count()) == ("ours", 2)


def test_the_workers_brief_prints_its_buckets_in_the_original_order(shipped_templates):
    sections = shipped_templates["brief"].sections.order_by("position")
    assert [(each.heading, each.section) for each in sections] == [
        ("京内正面", "jingnei_positive"), ("京内负面", "jingnei_negative"),
        ("京外正面", "jingwai_positive"), ("京外负面", "jingwai_negative"),
    ]  # fmt: skip
