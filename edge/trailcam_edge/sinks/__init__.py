"""Where events go from the store: files, MQTT, webhooks, Prometheus. Each is optional, none can slow the live loop.

The store is the queue. A sink has its own thread, which takes events from the store in order and remembers in the store
how far it came; the live loop never talks to a sink. ``delivery`` has the protocol and the thread.
"""
