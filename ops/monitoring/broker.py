"""Queue depths of the broker, Redis or RabbitMQ."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

BROKER_SECONDS = 2  # for each answer
TIMEOUTS = {"redis": ("socket_timeout",), "amqp": ("read_timeout", "write_timeout")}


def depths() -> dict[str, int]:
    """How many messages of each queue no worker has taken. Raises kombu's OperationalError."""
    with _connected() as broker:
        return {name: _depth(broker, name) for name in _names()}


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
