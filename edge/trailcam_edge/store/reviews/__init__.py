"""Reviews: what people say of visits, stored beside the events and never over them.

    records     a review, and what the reviews of one visit say together
    tables      statements that read and write them
    accuracy    how often the camera is right, from reviewed random visits

``docs/events.md`` has the rules.
"""
