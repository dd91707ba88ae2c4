"""Rules as programs see them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

import documents
from access.models import AuditEvent
from conftest import make_user
from etl.documents.models import ETLRule, ETLTask

pytestmark = pytest.mark.django_db
HERE = "/api/v1/etl/rules"
FIELDS = {
    "rule": "ruleId name description projectId owner jsonSchema systemPrompt mode mayManage createdAt updatedAt",
    "list": "rules total limit offset page pageSize",
}
SCHEMA = {"type": "object", "properties": {"snake_key": {"type": "number", "minimum": 1.10}}}


@pytest.fixture
def api(client_of, operator):
    return client_of(operator)


def good(answer, shape=None, status=200):
    assert answer.status_code == status, answer.content
    body = answer.json() if answer.content else None
    if shape:
        assert set(body) == set(FIELDS[shape].split())
    return body


def problem(answer, status, slug="validation-error"):
    assert answer.status_code == status, answer.content
    assert answer.json()["type"] == f"/problems/{slug}"


def test_a_rule_over_its_life(api, project):
    answer = api.post(HERE, {"name": " Prices ", "jsonSchema": SCHEMA, "projectId": project.pk})
    made = good(answer, "rule", 201)
    path = f"{HERE}/{made['ruleId']}"
    assert answer["Location"] == path
    assert (made["name"], made["mode"], made["systemPrompt"], made["owner"]) == ("Prices", "llm", None, "operator")
    assert '"minimum":1.1' in api.get(path).content.decode()
    assert made["jsonSchema"] == SCHEMA
    assert good(api.get(path), "rule") == made
    assert good(api.get(HERE), "list")["rules"] == [made]
    changed = good(api.patch(path, {"systemPrompt": "Be exact.", "mode": "wrap", "project_id": None}), "rule")
    assert (changed["systemPrompt"], changed["mode"], changed["projectId"]) == ("Be exact.", "wrap", None)
    assert (changed["name"], changed["jsonSchema"]) == ("Prices", SCHEMA)
    assert good(api.patch(path, {"systemPrompt": None}))["systemPrompt"] is None
    good(api.delete(path), status=204)
    problem(api.get(path), 404, "not-found")
    done = AuditEvent.objects.filter(action__startswith="rule.").order_by("pk").values_list("action", flat=True)
    assert list(done) == ["rule.created", "rule.changed", "rule.changed", "rule.deleted"]


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""}, {"name": " "}, {"name": "x" * 256}, {"name": None}, {"jsonSchema": None}, {"jsonSchema": []},
        {"jsonSchema": {"type": "array"}}, {"jsonSchema": {"type": "object", "properties": 1}}, {"jsonSchema": "x"},
        {"mode": "skip"}, {"projectId": "x"}, {"ownerId": 1}, {"owner": "x"}, {"ruleId": 5}, {"more": 1},
    ],
)  # fmt: skip
def test_a_wrong_rule_is_told_what_is_wrong(api, change):
    problem(api.post(HERE, {"name": "R", "jsonSchema": SCHEMA} | change), 400)
    rule = good(api.post(HERE, {"name": "R", "jsonSchema": SCHEMA}), status=201)
    problem(api.patch(f"{HERE}/{rule['ruleId']}", change), 400)
    assert good(api.get(f"{HERE}/{rule['ruleId']}")) == rule


def test_the_same_request_again_makes_one_rule(api):
    wish = {"name": "R", "jsonSchema": SCHEMA}
    first, again = (api.post(HERE, wish, headers={"Idempotency-Key": "r"}) for _time in range(2))
    assert first.json() == again.json()
    assert ETLRule.objects.count() == 1


def test_a_member_uses_a_rule_and_does_not_change_it(client_of, project, operator, administrator):
    rule = ETLRule.objects.create(name="R", owner=operator, project=project, json_schema=SCHEMA)
    member = make_user("member", role="operator")
    project.members.add(member)
    api, path = client_of(member), f"{HERE}/{rule.pk}"
    assert good(api.get(path))["mayManage"] is False
    problem(api.patch(path, {"name": "S"}), 403, "permission-denied")
    problem(api.delete(path), 403, "permission-denied")
    boss = client_of(administrator)
    assert good(boss.patch(path, {"name": "S"}))["mayManage"] is True
    good(boss.delete(path), status=204)


def test_who_has_seen_another_version_changes_and_deletes_nothing(api):
    path = f"{HERE}/{good(api.post(HERE, {'name': 'R', 'jsonSchema': SCHEMA}), status=201)['ruleId']}"
    seen = {"If-Match": api.get(path)["ETag"]}
    changed = api.patch(path, {"name": "First"}, headers=seen)
    good(changed, "rule")
    answer = api.patch(path, {"name": "Second"}, headers=seen)
    problem(answer, 412, "stale")
    assert "Read it again" in answer.json()["detail"]
    problem(api.delete(path, headers=seen), 412, "stale")
    assert good(api.get(path))["name"] == "First"
    good(api.patch(path, {"name": "Third"}, headers={"If-Match": changed["ETag"]}), "rule")
    good(api.delete(path, headers={"If-Match": api.get(path)["ETag"]}), status=204)


@pytest.mark.django_db(transaction=True)
def test_of_two_who_have_seen_the_same_one_is_told(client_of, operator):
    rule = ETLRule.objects.create(name="R", owner=operator, json_schema=SCHEMA)
    path, clients = f"{HERE}/{rule.pk}", [client_of(operator) for _client in range(4)]
    seen = {"If-Match": clients[0].get(path)["ETag"]}
    answers = documents.all_at_once(
        *[lambda api=api, n=n: api.patch(path, {"name": f"R{n}"}, headers=seen) for n, api in enumerate(clients)]
    )
    assert sorted(each.status_code for each in answers) == [200, 412, 412, 412]
    (kept,) = [each.json()["name"] for each in answers if each.status_code == 200]
    assert ETLRule.objects.get().name == kept


@pytest.mark.django_db(transaction=True)
def test_changes_of_different_fields_side_by_side_are_all_kept(client_of, operator):
    rule = ETLRule.objects.create(name="R", owner=operator, json_schema=SCHEMA)
    changes = {"name": "New", "description": "Words", "system_prompt": "Be exact.", "mode": "wrap"}
    clients = [client_of(operator) for _field in changes]
    answers = documents.all_at_once(
        *[
            lambda api=api, field=field: api.patch(f"{HERE}/{rule.pk}", {field: changes[field]})
            for api, field in zip(clients, changes, strict=True)
        ]
    )
    assert [each.status_code for each in answers] == [200] * 4
    assert ETLRule.objects.values(*changes).get() == changes


def test_another_users_rule_is_404_everywhere(client_of, project, operator):
    rule = ETLRule.objects.create(name="R", owner=operator, project=project, json_schema=SCHEMA)
    other = make_user("other", role="operator")
    spy, path = client_of(other), f"{HERE}/{rule.pk}"
    problem(spy.get(path), 404, "not-found")
    problem(spy.patch(path, {"name": "S"}), 404, "not-found")
    problem(spy.delete(path), 404, "not-found")
    assert good(spy.get(HERE))["rules"] == []
    assert good(spy.get(f"{HERE}?projectId={project.pk}"))["rules"] == []
    problem(spy.post(HERE, {"name": "R", "jsonSchema": SCHEMA, "projectId": project.pk}), 404, "project-not-found")
    own = good(spy.post(HERE, {"name": "R", "jsonSchema": SCHEMA}), status=201)
    problem(spy.patch(f"{HERE}/{own['ruleId']}", {"projectId": project.pk}), 404, "project-not-found")


def test_a_rule_that_open_tasks_need_stays(api, project, operator):
    rule = ETLRule.objects.create(name="R", owner=operator, json_schema=SCHEMA)
    task = documents.task(project, status="pending")
    ETLTask.objects.filter(pk=task.pk).update(rule=rule, rule_name="R")
    problem(api.delete(f"{HERE}/{rule.pk}"), 409, "rule-in-use")


def test_a_page_costs_the_same_for_three_rows_and_three_hundred(api, operator):
    def queries():
        api.get(f"{HERE}?pageSize=100")
        with CaptureQueriesContext(connection) as captured:
            rows = good(api.get(f"{HERE}?pageSize=100"))["rules"]
        return len(captured), len(rows)

    def fill(count):
        ETLRule.objects.bulk_create(ETLRule(name="R", owner=operator, json_schema=SCHEMA) for _row in range(count))

    fill(3)
    few, _rows = queries()
    fill(300)
    many, rows = queries()
    assert (rows, many - few <= 2) == (100, True)
