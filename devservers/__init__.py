"""Real servers on this machine without containers: provision, start, stop."""
