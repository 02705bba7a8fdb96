"""The console: what ops see and do on the base host."""
