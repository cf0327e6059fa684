"""Chat: conversations of two and of many, and talking in the rooms of sessions and challenges.

What is said is an event of the room's log (`fittracker.roomlog`): ordered, there once, sealed. Here are the
rules: who may say and read what, and what becomes of it afterwards. See docs/chat.md.
"""
