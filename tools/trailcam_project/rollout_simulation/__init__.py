"""A fleet that never was: what a rollout costs one static host and a thousand cameras, and how long it takes.

    python -m trailcam_project.rollout_simulation

``contacts`` makes a repository in a temporary folder and lets the real client fetch from it: so many requests and bytes
are a contact. ``fleet`` lets a thousand cameras have such contacts, each deciding by the real rule of the rings.
"""
