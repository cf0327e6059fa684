"""Everything of a person as a file: handed out, and taken in again."""
