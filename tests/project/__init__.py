"""Tests of promises that span all packages."""
