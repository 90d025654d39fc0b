"""What the exchange's answers mean, decided without I/O.

codes.py        which error a status, a code and a text stand for
weight.py       what an answer says about weight
"""
