"""Small helpers that know nothing of dust.

checks.py       check the types and bounds of what callers pass in
exact.py        exact amounts and aware times, as they are read and written
plain.py        values as JSON has them, and back
rows.py         answers of which a row can be set aside, or a field can be missing
misfit.py       where a value does not fit its declared type
structs.py      structs that hold a secret, and how they are printed
keys.py         what holds a key is never pickled; which private key a PEM holds
lifetimes.py    objects that are closed, or bound to one event loop; signals
files.py        which files are opened, and that readers see them whole
results.py      results made in the background, read as a stream
words.py        counts and durations in words; foreign text, made visible
html.py         tables and any record in HTML
"""
