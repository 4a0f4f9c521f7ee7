"""What the doors talk to, and the road that a job takes."""
