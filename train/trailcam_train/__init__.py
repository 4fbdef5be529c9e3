"""Train an image classifier on folders of photographs and leave a run directory behind."""
