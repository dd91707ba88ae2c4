"""Declared names are camelCase; what users put inside stays as it was, digit for digit."""

import pytest

from access.models import AuditEvent
from access.services import record
from api.codec import decode
from api.serializers import ModelSerializer

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.api.sample")]


def test_an_answer_keeps_the_declared_order_and_user_data_untouched(api):
    event = AuditEvent.objects.create(action="x", after={"SKU_code": 1, "v2_counter": {"price_1": 2}})
    body = api.get(f"/api/v1/events/{event.pk}").json()
    assert list(body) == ["id", "objectName", "actorName", "after", "createdAt"]
    assert body["after"] == {"SKU_code": 1, "v2_counter": {"price_1": 2}}


def test_numbers_survive_the_round_trip_digit_for_digit(api):
    free_data = b'{"price":1.10,"tiny":0.1000000000000000055,"big_id":12345678901234567890}'
    wish = b'{"reportTag":"a","unitPrice":1.10,"freeData":%s}' % free_data
    answer = api.post("/api/v1/events", wish, content_type="application/json")
    assert answer.status_code == 202
    assert b'"unitPrice":1.100' in answer.content
    assert b'"freeData":%s' % free_data in answer.content


def test_exact_numbers_come_out_of_the_database_as_they_went_in(api, viewer):
    event = record(actor=viewer, action="x", after=decode(b'{"price":1.10,"long":0.12345678901234567890}'))
    content = api.get(f"/api/v1/events/{event.pk}").content
    assert b'{"long":0.12345678901234567890,"price":1.10}' in content


@pytest.mark.parametrize("wish", [{"reportTag": "a"}, {"report_tag": "a"}, {"reportTag": "a", "report_tag": "a"}])
def test_either_spelling_of_a_field_is_taken(api, wish):
    answer = api.post("/api/v1/events", wish)
    assert answer.status_code == 202
    assert answer.json()["reportTag"] == "a"
    assert answer.json()["shownName"] == "«a»"
    assert (answer["Location"], answer["Retry-After"]) == ("/api/v1/events/1", "2")


def test_times_are_local_with_their_offset(api):
    event = AuditEvent.objects.latest("id")
    assert api.get(f"/api/v1/events/{event.pk}").json()["createdAt"].endswith("+08:00")


def test_json_sent_for_a_model_is_taken_exactly():
    data = decode(b'{"action":"x","after":{"price":1.10,"SKU_code":0.1000000000000000055}}')

    class Incoming(ModelSerializer):
        class Meta:
            model = AuditEvent
            fields = ("action", "after")

    incoming = Incoming(data=data)
    assert incoming.is_valid(), incoming.errors
    assert str(incoming.save().after["SKU_code"]) == "0.1000000000000000055"
