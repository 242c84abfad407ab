"""Where core, plug-ins and adapters are wired together: one module for each thing a user can do."""
