"""The part "sync": full imports, a list that moves, idle ticks, dispatch."""
