"""Read queue depths from the broker, Redis or RabbitMQ."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

BROKER_TIMEOUT = 2  # seconds, for each response
TIMEOUTS = {"redis": ("socket_timeout",), "amqp": ("read_timeout", "write_timeout")}


def queue_depths() -> dict[str, int]:
    """Return how many messages wait in each queue. Raises kombu's OperationalError."""
    with _connected() as broker:
        return {queue.name: _depth(broker, queue.name) for queue in settings.CELERY_TASK_QUEUES}


@contextmanager
def _connected() -> Iterator[Any]:
    """Connect with a short timeout. Raises kombu's OperationalError for every error of the broker's library."""
    with current_app.connection_for_read() as broker:
        broker.connect_timeout = BROKER_TIMEOUT
        limits = dict.fromkeys(TIMEOUTS[broker.transport.driver_type], BROKER_TIMEOUT)
        broker.transport_options = {**(broker.transport_options or {}), **limits}
        try:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_TIMEOUT)
            yield broker
        except OperationalError:
            raise
        except (*broker.connection_errors, *broker.channel_errors) as failed:
            raise OperationalError(str(failed)) from failed


def _depth(broker: Any, queue: str) -> int:
    """Return 0 for a queue that doesn't exist: it was never used or, in Redis, is empty."""
    with broker.channel() as channel:  # a new one: RabbitMQ closes the channel that declares a missing queue passively
        try:
            return int(channel.queue_declare(queue=queue, passive=True).message_count)
        except broker.channel_errors:
            return 0
