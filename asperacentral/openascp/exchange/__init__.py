"""The exchange: what two openascp halves say to each other, and what each does about it.

One half sends, the other receives; each touches only the files of its own machine. `codec` and `messages` are the
language, `layout` is the map of the one stream of bytes, `plane` is what moves that stream; the halves are in
`sending` and `receiving`. Nothing here knows of SSH or jobs, and but for `server` nothing of managers.
"""
