"""A scrape of the web process includes the metrics of the worker and beat processes."""

import re

import pytest
import requests

from tests.end_to_end.stack import Stack, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("stack")]


def scraped(stack: Stack) -> dict[str, float]:
    answer = requests.get(
        f"http://127.0.0.1:{stack.options.web_port}/metrics", headers={"Host": "localhost"}, timeout=9
    )
    found = re.findall(r"^(sidechart_[^ ]+) (\S+)$", answer.text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_requests_and_turns_of_the_worker_and_ticks_of_beat_are_seen(stack: Stack) -> None:
    of_the_worker = 'sidechart_cliniko_requests_total{purpose="background",status="2xx"}'
    turns = 'sidechart_sync_runs_total{result="done"}'
    wait_until(lambda: turns in scraped(stack), what="the worker's first numbers")
    before = scraped(stack)
    wait_until(lambda: scraped(stack)[turns] > before[turns], what="another turn")
    found = scraped(stack)
    assert found[of_the_worker] > before[of_the_worker] > 0
    assert found["sidechart_last_tick_timestamp_seconds"] > before["sidechart_last_tick_timestamp_seconds"]
    assert found["sidechart_broker_up"] == 1
    assert {'sidechart_queue_messages{queue="celery"}', 'sidechart_queue_messages{queue="long"}'} <= set(found)
