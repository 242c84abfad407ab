"""The Python API: one module for each command, wiring core, plug-ins and adapters together."""
