"""Interpreters, runtimes and the decision rule."""
