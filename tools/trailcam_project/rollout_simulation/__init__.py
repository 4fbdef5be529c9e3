"""Simulation of rollouts: requests, bytes and duration for one static host and a thousand cameras.

    python -m trailcam_project.rollout_simulation

``contacts`` counts requests and bytes of the real client with a repository in a temporary folder. ``fleet`` simulates
such contacts of a thousand cameras, each of which applies the real rollout rule.
"""
