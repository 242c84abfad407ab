"""Commands that list, show, check and begin plug-ins, a group for each kind."""
