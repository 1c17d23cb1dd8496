"""A card of a training run, as HTML or Markdown.

``folder`` and ``events`` read the run's folder, ``facts`` computes its figures, the other modules write the card.

No file of a run is required: the card names those that are missing.
"""
