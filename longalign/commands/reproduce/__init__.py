"""The whole recipe on a model that anyone can have, as `bin/reproduce` runs it, and the figures that come out."""
