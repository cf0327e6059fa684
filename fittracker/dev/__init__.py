"""A developer's machine: the whole of it started by one command, with people in it and something to see."""
