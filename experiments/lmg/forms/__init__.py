"""The forms of the LMG loop: how a circuit reaches its time, and when the feedback is worked
out."""
