"""Feature visualisation by activation maximisation: what TRANSPORTER is compared with.

AM, GradViT, MACO and LEAPS invert a network into a video (`inversion.py`), by the loop that trains
Phi as well. They differ in what is optimised (`parametrisations.py`) and in the terms of the loss
(`terms.py`); `methods.py` puts both together.
"""
