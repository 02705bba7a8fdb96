"""A purged clinic's messages leave the broker's queues; those of the clinic beside it wait on, in their order.

CELERY_BROKER_URL=amqp://… runs these on RabbitMQ instead of the embedded broker.
"""

import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.core.management import call_command
from kombu import Connection as Broker
from kombu import Queue
from pytest_django import Settings

from audit.log import OPS
from ops import lifecycle
from ops import purge as purging
from ops.monitoring import broker
from ops.purge import purge
from sync.tasks import sync_clinic, tick
from tenants.models import Clinic
from tests.end_to_end.stack import wait_until
from tests.project.test_logs import events

Waiting = list[tuple[str | None, int | None]]


@pytest.fixture
def short_and_long(settings: Settings) -> Iterator[tuple[str, str]]:
    """Queues from which no worker of another test takes."""
    names = f"short-{uuid4()}", f"long-{uuid4()}"
    settings.CELERY_TASK_QUEUES = [Queue(name) for name in names]
    yield names
    with current_app.connection_for_write() as broker:
        for name in names:
            Queue(name)(broker.default_channel).delete()


@pytest.fixture
def suspended(bondi: Clinic, harbour: Clinic) -> Clinic:
    lifecycle.suspend("bondi", reason="goodbye", by=OPS)
    return bondi


def of_its_own(queue: str) -> Any:
    """Without the exchange that Celery would leave in RabbitMQ for a mere name. Its types know names alone."""
    return Queue(queue)


def send(queue: str, clinic: Clinic, *numbers: int) -> None:
    for number in numbers:
        kwargs = {"schema_name": clinic.schema_name, "export_id": number}
        current_app.send_task("exports.make", kwargs=kwargs, queue=of_its_own(queue))


def received(queue: str) -> Iterator[Any]:
    """What a worker would get, in its order; it is gone then."""
    with current_app.connection_for_read() as broker:
        bound = Queue(queue)(broker.default_channel)
        while (message := bound.get(no_ack=True)) is not None:
            yield message


def waiting(queue: str) -> Waiting:
    found = [message.decode()[1] for message in received(queue)]
    return [(kwargs.get("schema_name"), kwargs.get("export_id")) for kwargs in found]


def test_the_messages_of_the_clinic_go_and_those_of_the_other_stay_in_their_order(
    suspended: Clinic, harbour: Clinic, short_and_long: tuple[str, str]
) -> None:
    for queue in short_and_long:
        for number in (1, 2, 3):
            send(queue, suspended, number)
            send(queue, harbour, number)
        send(queue, suspended, 4, 5)
    assert purge("bondi", by=OPS).certificate["messages"] == 10
    for queue in short_and_long:
        send(queue, harbour, 4)
        assert waiting(queue) == [(harbour.schema_name, number) for number in (1, 2, 3, 4)]


def test_a_message_of_every_kind_that_only_looks_alike_stays(
    suspended: Clinic, harbour: Clinic, short_and_long: tuple[str, str]
) -> None:
    queue, _ = short_and_long
    line = of_its_own(queue)
    longer = suspended.schema_name + "0"
    sync_clinic.apply_async(kwargs={"schema_name": longer}, queue=line)
    current_app.send_task("another.task", args=[suspended.schema_name], queue=line)
    current_app.send_task("another.task", kwargs={"told": suspended.schema_name}, queue=line)
    tick.apply_async(queue=line)
    sync_clinic.apply_async(kwargs={"schema_name": suspended.schema_name}, queue=line)
    purge("bondi", by=OPS)
    assert waiting(queue) == [(longer, None), (None, None), (None, None), (None, None)]


@pytest.mark.parametrize("body", [{"not": "of a task"}, [[], "no kwargs", {}], "words"])
def test_what_is_no_message_of_a_task_stays_and_stops_nothing(
    suspended: Clinic, short_and_long: tuple[str, str], body: object
) -> None:
    queue, _ = short_and_long
    with current_app.connection_for_write() as broker, broker.Producer() as producer:
        producer.publish(body, routing_key=queue, declare=[Queue(queue)])
        producer.publish(b"\x80", routing_key=queue, content_type="application/x-python-serialize")
    assert purge("bondi", by=OPS).is_done
    first, second = received(queue)
    assert first.decode() == body
    assert second.body in (b"\x80", "\x80")


def test_a_dry_run_leaves_them(suspended: Clinic, short_and_long: tuple[str, str]) -> None:
    queue, _ = short_and_long
    send(queue, suspended, 1, 2)
    call_command("clinic", "purge", "bondi", "--dry-run")
    assert waiting(queue) == [(suspended.schema_name, 1), (suspended.schema_name, 2)]


def test_a_clinic_that_is_not_to_be_purged_keeps_them(
    bondi: Clinic, harbour: Clinic, short_and_long: tuple[str, str]
) -> None:
    queue, _ = short_and_long
    send(queue, bondi, 1)
    with pytest.raises(purging.Refused):
        purge("bondi", by=OPS)
    assert waiting(queue) == [(bondi.schema_name, 1)]


def test_they_are_gone_before_a_certificate_says_so(
    suspended: Clinic, harbour: Clinic, short_and_long: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, _ = short_and_long
    send(queue, suspended, 1)
    send(queue, harbour, 1)
    seen: dict[str, int] = {}

    def killed(*_: object, **__: object) -> None:
        seen.update(broker.depths())
        raise KeyboardInterrupt

    monkeypatch.setattr(purging, "_remove", killed)
    with pytest.raises(KeyboardInterrupt):
        purge("bondi", by=OPS)
    assert seen[queue] == 1
    assert waiting(queue) == [(harbour.schema_name, 1)]


def test_what_was_queued_while_the_schema_went_goes_too(
    suspended: Clinic, harbour: Clinic, short_and_long: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, _ = short_and_long
    remove = purging._remove

    def beside(*args: Any, **kwargs: Any) -> dict[str, Any]:
        send(queue, suspended, 1)
        send(queue, harbour, 1)
        return remove(*args, **kwargs)

    monkeypatch.setattr(purging, "_remove", beside)
    purge("bondi", by=OPS)
    assert waiting(queue) == [(harbour.schema_name, 1)]


def test_killed_among_the_messages_it_has_lost_none_of_the_other_and_the_next_call_ends_it(
    suspended: Clinic, harbour: Clinic, short_and_long: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, _ = short_and_long
    for number in (1, 2):
        send(queue, suspended, number)
        send(queue, harbour, number)
    looked, read = [], broker._clinic_of

    def killed_at_the_third(channel: Any, raw: Any) -> object:
        if queue in str(getattr(raw, "delivery_info", raw)):  # and is not what another test's worker was killed with
            looked.append(raw)
        if len(looked) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return read(channel, raw)

    with monkeypatch.context() as patched:
        patched.setattr(broker, "_clinic_of", killed_at_the_third)
        child = os.fork()
        if not child:
            broker.remove_messages(suspended.schema_name)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    wait_until(lambda: broker.depths()[queue] == 3, what="what the killed process held")
    purge("bondi", by=OPS)
    assert waiting(queue) == [(harbour.schema_name, 1), (harbour.schema_name, 2)]


def test_what_a_killed_worker_held_does_not_come_back(
    suspended: Clinic, harbour: Clinic, short_and_long: tuple[str, str]
) -> None:
    queue, _ = short_and_long
    with current_app.connection_for_read() as worker:
        if worker.transport.driver_type != "redis":
            pytest.skip("RabbitMQ gives it back at once")
        send(queue, suspended, 1)
        send(queue, harbour, 1)
        bound = Queue(queue)(worker.channel())
        assert bound.get() is not None
        assert bound.get() is not None
        assert broker.depths()[queue] == 0
        assert purge("bondi", by=OPS).certificate["messages"] == 1
    assert waiting(queue) == [(harbour.schema_name, 1)]  # which the end of the connection has given back


@pytest.mark.parametrize("address", ["redis://127.0.0.1:9/0", "amqp://guest@127.0.0.1:9//"])
def test_a_broker_that_is_down_stops_no_purge(
    suspended: Clinic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, address: str
) -> None:
    monkeypatch.setattr(current_app, "connection_for_read", lambda: Broker(address))
    assert purge("bondi", by=OPS).certificate["messages"] is None
    before_the_certificate, after = events(caplog, "messages_not_removed")
    assert before_the_certificate["schema_name"] == after["schema_name"] == suspended.schema_name


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_never_answers_stops_no_purge(
    suspended: Clinic, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}//"
        monkeypatch.setattr(current_app, "connection_for_read", lambda: Broker(address))
        monkeypatch.setattr(broker, "BROKER_SECONDS", 0.2)
        began = time.monotonic()
        assert purge("bondi", by=OPS).is_done
        assert time.monotonic() - began < 15
