"""Coaching sessions: who belongs to them, how they go on, what is said in them, and what they come to."""
