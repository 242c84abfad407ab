"""What strategies may need beyond the two vocabularies, one file each: how it is supplied, loaded and identified."""
