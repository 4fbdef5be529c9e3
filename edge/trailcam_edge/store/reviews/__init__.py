"""Reviews: answers of people, stored beside the events and never over them.

    records     a review, and the combined answer of one visit
    tables      statements that read and write them
    accuracy    how often the camera is right, from reviewed random visits

``docs/events.md`` has the rules.
"""
