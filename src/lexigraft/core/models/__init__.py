"""Models and checkpoints: their tables and heads, surgery, and files written by streaming."""
