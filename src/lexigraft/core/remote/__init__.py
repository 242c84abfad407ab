"""Jobs on this and other machines: the contract of launchers, the files that a job writes, and what they mean."""
