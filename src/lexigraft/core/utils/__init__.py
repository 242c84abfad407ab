"""Files, hashing, memory, threads, devices, versions."""
