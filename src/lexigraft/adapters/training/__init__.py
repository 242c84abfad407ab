"""Training with transformers' Trainer and PEFT."""
