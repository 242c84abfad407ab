"""Ways of starting a job: a detached process, a remote machine, a cluster. One file each, found by themselves."""
