"""Who somebody is: accounts, passwords, tokens, sign-in sessions."""
