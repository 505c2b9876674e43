"""Own: the cases of a user's own data, whatever the names of files and folders."""
