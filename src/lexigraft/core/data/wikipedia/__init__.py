"""Wikipedia dumps: pages, titles, links, clean text, and the names of entities in other languages."""
