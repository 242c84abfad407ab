"""Charts of the pages as inline SVG."""
