"""Benchmarks of Sidechart's speed and correctness beside other importers. Production code imports none of this."""
