"""The three ways in which a run can fail to give a result.

Wrong:  the contract says that the rules, the checkpoint or the command line are wrong. `status` is aoac's exit status.
Unsure: the contract does not say what happens, or this oracle does not cover it. Nothing may be concluded.
Doubts: a run may go on although the contract is silent about a detail; the doubt is noted, and users of the oracle that
        need certainty (the generators) drop the case.
"""


class Wrong(Exception):
    """`also`: further statuses that the conformance suite allows for this mistake."""

    def __init__(self, text, status=1, also=()):
        super().__init__(text)
        self.status, self.also = status, tuple(also)


class Unsure(Exception):
    pass


class Unknown(Exception):
    """A dimension has no value yet. Becomes Wrong when nothing can give it one."""

    def __init__(self, key):
        super().__init__(f'dimension {key[1]} has no value')
        self.key = key


class Doubts:
    def __init__(self):
        self.notes = []

    def note(self, text):
        if text not in self.notes: self.notes.append(text)
