"""Sinks of events: files, MQTT, webhooks. Each is optional, and none can slow the live loop.

The store is the queue. Each sink has a thread that reads events from the store in order and records its position there;
the live loop never calls a sink. ``worker`` has the protocol and the thread.
"""
