"""All of a clinic's data as one ZIP: what is in it, how it is made, where it lies, and who fetches it."""

from exports.storage import remove_all

__all__ = ["remove_all"]
