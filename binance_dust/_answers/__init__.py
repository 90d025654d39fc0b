"""What the exchange's answers mean, decided without I/O.

judge.py        the one judge: a result or an error, and what the budget is told
codes.py        which error a status, a code and a text stand for
reading.py      a body becomes the declared result
weight.py       what budgets are told, and how headers are read
unreadable.py   why an answer cannot be read, and where
"""
