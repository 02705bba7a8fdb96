"""The broker's queues, Redis or RabbitMQ: how many messages wait there, and the end of those about one clinic."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import current_app
from django.conf import settings
from kombu.exceptions import KombuError, OperationalError
from kombu.utils.json import loads

log = structlog.get_logger(__name__)
BROKER_SECONDS = 2  # for each answer
TIMEOUTS = {"redis": ("socket_timeout",), "amqp": ("read_timeout", "write_timeout")}


def depths() -> dict[str, int]:
    """How many messages of each queue no worker has taken. Raises kombu's OperationalError."""
    with _connected() as broker:
        return {name: _depth(broker, name) for name in _names()}


def remove_messages(schema_name: str) -> int | None:
    """Take the messages about one clinic out of every queue: how many. All others stay, in their order.

    A broker that does not answer is logged and left alone, and the answer is None: whoever takes such a message finds
    no clinic to work for.
    """
    try:
        with _connected() as broker:
            remove = _remove_from_redis if broker.transport.driver_type == "redis" else _remove_from_rabbitmq
            return remove(broker, schema_name)
    except OperationalError as failed:
        log.warning("messages_not_removed", schema_name=schema_name, reason=type(failed.__cause__).__name__)
        return None


@contextmanager
def _connected() -> Iterator[Any]:
    """A connection that gives up soon. Raises kombu's OperationalError for whatever the broker's library raises."""
    with current_app.connection_for_read() as broker:
        broker.connect_timeout = BROKER_SECONDS
        limits = dict.fromkeys(TIMEOUTS[broker.transport.driver_type], BROKER_SECONDS)
        broker.transport_options = {**(broker.transport_options or {}), **limits}
        try:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_SECONDS)
            yield broker
        except OperationalError:
            raise
        except (*broker.connection_errors, *broker.channel_errors) as failed:
            raise OperationalError(str(failed)) from failed


def _names() -> list[str]:
    return [queue.name for queue in settings.CELERY_TASK_QUEUES]


def _depth(broker: Any, queue: str) -> int:
    """A queue that is not there yet, or in Redis any more, is empty."""
    with broker.channel() as channel:  # of its own: RabbitMQ closes the one that asks for a queue that is not there
        try:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except broker.channel_errors:
            return 0


def _remove_from_redis(broker: Any, schema_name: str) -> int:
    """No message of another clinic is ever taken, as kombu would keep it aside for an hour if this were killed then.

    What workers hold is looked at first: it comes back to a queue, of a killed worker, and never leads out of one.
    """
    removed = 0
    with broker.channel() as channel:
        client = channel.client
        for tag, held in client.hgetall(channel.unacked_key).items():
            if _clinic_of(channel, loads(held)[0]) == schema_name:
                # In this order: kombu clears a tag without message, and not the reverse.
                removed += client.hdel(channel.unacked_key, tag)
                client.zrem(channel.unacked_index_key, tag)
        for name in _names():
            for raw in client.lrange(name, 0, -1):
                if _clinic_of(channel, raw) == schema_name:
                    removed += client.lrem(name, 0, raw)
    return removed


def _remove_from_rabbitmq(broker: Any, schema_name: str) -> int:
    """What is taken and not acknowledged has its place in the queue again when the channel ends, however it ends."""
    removed = 0
    for name in _names():
        waiting = _depth(broker, name)
        with broker.channel() as channel:
            for _ in range(waiting):
                taken = channel.basic_get(name)
                if taken is None:  # workers were faster
                    break
                if _clinic_of(channel, taken) == schema_name:
                    channel.basic_ack(taken.delivery_tag)
                    removed += 1
    return removed


def _clinic_of(channel: Any, raw: Any) -> object:
    """The schema that a task's message names; None when it names none, or is no task's."""
    try:
        message = loads(raw) if isinstance(raw, bytes) else raw
        _args, kwargs, _embedded = channel.message_to_python(message).decode()
    except (KombuError, ValueError, TypeError, KeyError):
        return None
    return kwargs.get("schema_name") if isinstance(kwargs, dict) else None
