"""Programs that run when an animal comes: a lamp, a loudspeaker, a gate."""
