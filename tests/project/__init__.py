"""Promises of the whole house: no single room can keep or break them alone."""
