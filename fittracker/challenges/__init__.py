"""Challenges: who does most of something between two moments, and how everybody stands.

MongoDB has the truth, Redis a board that is made out of it whenever it is missing. See docs/challenges.md.
"""
