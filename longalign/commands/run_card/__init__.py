"""What a run's folder tells, as one page: ``folder`` and ``events`` read it, ``facts`` counts, the others write.

Nothing of a run is needed but what is there: what is missing is said.
"""
