"""Parts that the networks share."""
