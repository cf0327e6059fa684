"""What people show each other: posts, likes, comments, and the feed of those whom one follows.

MongoDB has all of it; what is said in rooms only saves looking again. See docs/social.md.
"""
