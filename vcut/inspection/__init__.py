"""What a network holds of a clip, drawn: ``vcut inspect``."""
