"""Masks of a frame: read what a user drew, check it, write label maps."""
