"""A scrape of the web process includes the metrics of the worker and beat processes."""

import re

import pytest
import requests

from tests.end_to_end.stack import Stack, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.xdist_group("stack")]


def scrape(stack: Stack) -> dict[str, float]:
    response = requests.get(
        f"http://127.0.0.1:{stack.options.web_port}/metrics", headers={"Host": "localhost"}, timeout=9
    )
    found = re.findall(r"^(sidechart_[^ ]+) (\S+)$", response.text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def test_a_scrape_includes_requests_and_runs_of_the_worker_and_ticks_of_beat(stack: Stack) -> None:
    requests_made = 'sidechart_cliniko_requests_total{purpose="background",status="2xx"}'
    runs = 'sidechart_sync_runs_total{result="done"}'
    wait_until(lambda: runs in scrape(stack), what="metrics of the worker")
    before = scrape(stack)
    wait_until(lambda: scrape(stack)[runs] > before[runs], what="next run")
    found = scrape(stack)
    assert found[requests_made] > before[requests_made] > 0
    assert found["sidechart_last_tick_timestamp_seconds"] > before["sidechart_last_tick_timestamp_seconds"]
    assert found["sidechart_broker_up"] == 1
    assert {'sidechart_queue_messages{queue="celery"}', 'sidechart_queue_messages{queue="long"}'} <= set(found)
