"""What to review next.

order       visits: random, unsure, unknown, rare, newest
samples     pictures of times without a visit
"""
