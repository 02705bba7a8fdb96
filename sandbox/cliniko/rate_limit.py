"""Limit requests per minute for each key, counted from its first request."""

import math
import threading
from dataclasses import dataclass
from datetime import datetime

from sandbox.cliniko.errors import TooManyRequests

MINUTE = 60.0


@dataclass
class Window:
    ends: float  # UNIX seconds
    used: int = 0


class RateLimiter:
    """The current window of each key, in memory: a restart resets all of them."""

    def __init__(self, requests_per_minute: int) -> None:
        self.requests_per_minute = requests_per_minute
        self._windows: dict[str, Window] = {}
        self._lock = threading.Lock()

    def spend(self, key: str, now: datetime, *, budget: int | None = None) -> None:
        """Count one request. Raises TooManyRequests with the time at which the window ends."""
        with self._lock:
            window = self._windows.get(key)
            if not window or now.timestamp() >= window.ends:
                window = self._windows[key] = Window(ends=math.ceil(now.timestamp() + MINUTE))
            window.used += 1
            over = window.used > (self.requests_per_minute if budget is None else budget)
        if over:
            wait = max(1, math.ceil(window.ends - now.timestamp()))
            headers = {"X-RateLimit-Reset": str(int(window.ends)), "Retry-After": str(wait)}
            raise TooManyRequests("You have exceeded the rate limit. Try again later.", headers)

    def reset(self) -> None:
        """Start a new window for every key."""
        with self._lock:
            self._windows.clear()
