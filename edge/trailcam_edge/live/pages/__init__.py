"""The pages over a store: visits, one visit, species, calendar, review. Rendered here, on the device or on a laptop.

    markup           HTML that escapes by default
    filters          the filter of a list, from and to an address
    library          what the pages read of a store
    layout           the frame of every page; assets: style and script files
    visits, visit    the list, and one visit
    overviews        species and calendar
    router           address to response

``docs/adr/0017-pages.md`` has the reasons and measurements.
"""
