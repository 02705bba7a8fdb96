#!/usr/bin/env python
"""Run a Django or Sidechart command: `manage.py help` lists them."""

import gc
import os
import sys

gc.disable()  # saves a tenth of the start: loading modules creates no garbage

import django  # noqa: E402 - after the line above
from django.core.management import execute_from_command_line  # noqa: E402

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "saas.settings")
    if not any(word.partition("=")[0] in ("--settings", "--pythonpath") for word in sys.argv):
        django.setup()  # otherwise Django calls it, after it has read these options
    gc.freeze()  # exclude loaded modules from collection
    gc.enable()
    execute_from_command_line(sys.argv)
