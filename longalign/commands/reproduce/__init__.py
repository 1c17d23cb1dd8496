"""`bin/reproduce`: the whole recipe on a small, freely available model, and tables and pictures of its results."""
