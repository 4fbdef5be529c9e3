"""The event store: visits, blind times and effort on a disk that may be full, pulled out or switched off at any moment.

    STORE/
        events.db            SQLite in WAL mode; ``schema`` has the tables
        pictures/VISIT.jpg   one JPEG per visit, with EXIF
        lock                 lock of the one process that writes

``event_store`` writes, ``reader`` reads, ``recorder`` decouples the live loop from the disk. ``docs/events.md`` has the
guarantees.
"""
