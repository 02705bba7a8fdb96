"""The operators' console on the base host."""
