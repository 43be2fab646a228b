"""The real servers on this machine, without containers: provisioned, started, stopped."""
