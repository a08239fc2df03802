"""A phone's side of adb: the daemon that the adb server connects to, on loopback."""
