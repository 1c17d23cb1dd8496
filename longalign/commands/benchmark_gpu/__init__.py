"""`bin/benchmark-gpu`: speed and memory of `longalign fit` on this machine's GPUs, as figures and a chart."""
