"""Jobs on this and other machines, with the contract of launchers and the files that a job writes."""
