"""The other importers, each run as a process of its own: `python -m bench.peers.NAME`."""
