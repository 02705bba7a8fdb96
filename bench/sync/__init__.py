"""The part "sync": full imports, a changing list, idle ticks, dispatch, fairness, the rate limit."""
