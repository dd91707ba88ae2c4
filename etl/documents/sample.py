"""Documents of the sample workspace: invented files in both languages, read by whoever works."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils.translation import gettext as _

from etl.documents import projects, rules, services, tables
from etl.documents.choices import RuleMode
from etl.documents.models import ETLRule, Project
from etl.documents.samples import sample_files
from etl.documents.services import DocumentWish, Upload

PRICE_LIST = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "title": "编号"},
                    "name": {"type": "string", "title": "品名"},
                    "price": {"type": "number", "title": "单价"},
                    "stock": {"type": "integer", "title": "库存"},
                    "remarks": {"type": "string", "title": "备注"},
                },
            },
        }
    },
    "required": ["items"],
}
TITLED = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "department": {"type": "string", "title": "部门"},
        "person": {"type": "string", "title": "负责人"},
        "phone": {"type": "string", "title": "电话"},
    },
    "required": ["title"],
}
WRAPPED = {"type": "object", "properties": {"filename": {"type": "string"}, "content": {"type": "string"}}}


@transaction.atomic
def load(operator: Any) -> list[str]:
    """A project with rules, a table, and each sample file on its way into it; what was done, in words.

    Nothing when there are projects of one's own, or the sample was loaded before.
    """
    if Project.objects.exists():
        return []
    project = projects.create_project(
        name=_("Product papers"),
        description=_("Invented papers of a shop for lamps and desks."),
        members=get_user_model().objects.filter(username="viewer"),
        owner=operator,
        actor=operator,
    )
    listed = _rule(_("Price list"), PRICE_LIST, RuleMode.LLM, project, operator)
    titled = _rule(_("Title and contact"), TITLED, RuleMode.LLM, project, operator)
    kept = _rule(_("The text as it is"), WRAPPED, RuleMode.WRAP, project, operator)
    table = tables.create_table(
        project_id=project.pk,
        name=_("Catalog"),
        data={"documents": {}},
        user=operator,
        actor=operator,
    )
    # an operator who was here before the sample may have another role
    into = table.pk if operator.has_perm("etl.mount_table") else None
    rule_of = {".csv": listed, ".pdf": titled, ".docx": titled}
    tasks = []
    for filename, content in sample_files():
        rule = next((rule for suffix, rule in rule_of.items() if filename.endswith(suffix)), kept)
        wish = DocumentWish(project.pk, rule_id=rule.pk, table_id=into, pointer="/documents")
        tasks += services.request_documents([Upload(filename, [content])], wish, user=operator)
    return [_("project “%(name)s” with %(count)s documents, waiting for a worker")
            % {"name": project.name, "count": len(tasks)}]  # fmt: skip


def _rule(name: str, schema: dict[str, Any], mode: RuleMode, project: Project, operator: Any) -> ETLRule:
    rule = ETLRule(name=name, json_schema=schema, mode=mode, project=project)
    return rules.create_rule(rule, user=operator, actor=operator)
