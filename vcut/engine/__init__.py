"""From frames to masks: preprocessing, aggregation, the step from frame to frame, and the threads around it."""
