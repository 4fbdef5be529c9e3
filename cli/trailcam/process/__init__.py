"""This process: its signals, its user, and the output of native code."""
