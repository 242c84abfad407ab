"""The needs of strategies beyond the two vocabularies, one file each."""
