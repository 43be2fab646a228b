"""Puts tests/ on the import path, so that tests of every area can import `doubles`."""
