"""The pages that people read: one frame, one palette, one table, one picture, and charts by Matplotlib.

A page is one file that loads nothing. Data becomes HTML in ``markup.fill`` alone, which escapes it.
"""
