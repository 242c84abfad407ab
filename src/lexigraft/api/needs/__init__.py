"""The needs of strategies beyond the two vocabularies, one file each: how it is supplied, loaded and identified."""
