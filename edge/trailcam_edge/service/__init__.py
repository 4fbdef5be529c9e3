"""systemd units and notifications."""
