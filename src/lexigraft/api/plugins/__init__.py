"""Plug-ins listed, described, checked and begun."""
