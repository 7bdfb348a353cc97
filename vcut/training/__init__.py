"""Training: clips from stills and video, losses, and a trainer that resumes."""
