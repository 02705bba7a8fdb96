"""So many requests a minute for each key, counted from its first one."""

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


class Limits:
    """The minutes that are running. They live in memory: a restart forgives everybody."""

    def __init__(self, requests_per_minute: int) -> None:
        self.requests_per_minute = requests_per_minute
        self._windows: dict[str, Window] = {}
        self._lock = threading.Lock()

    def spend(self, key: str, now: datetime, *, budget: int | None = None) -> None:
        """Count one request; raises TooManyRequests with the second at which the key may come back."""
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

    def forget(self) -> None:
        """Begin a new minute for everybody."""
        with self._lock:
            self._windows.clear()
