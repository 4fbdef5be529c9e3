"""The live page: what the camera sees now, what visited, how the machine is. Standard library only.

    view       the newest picture, encoded when somebody looks
    tally      today's visits, and how many of each label by hour and day
    access     who may look: address, token, cookie, host names
    handler    one request: pure answers around ``BaseHTTPRequestHandler``
    server     connections, and their limits

``docs/adr/0008-live-page.md`` has the reasons and figures.
"""
