"""Parts of the launcher `slurm`: its scripts, and what Slurm's commands say."""
