"""Everything that touches an outside framework."""
