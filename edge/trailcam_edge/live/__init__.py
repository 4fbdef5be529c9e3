"""The live page: current picture, visits and health of the camera. Standard library only.

    latest_picture   the newest picture, encoded on request
    visit_counts     today's visits, and the number of each label by hour and day
    state            what the program does at present
    pages            visits, one visit, species, calendar, review
    access           access rules: address, token, cookie, host names
    handler          one request: pure responses around ``BaseHTTPRequestHandler``
    server, limits   connections and their limits
    client           reads the status of a running camera

``docs/adr/0008-live-page.md`` and ``0017-pages.md`` have the reasons and measurements.
"""
