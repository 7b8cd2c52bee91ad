"""A secret value that exists nowhere else, and the search for it in everything a sandbox, a log or
a reader could see."""

import base64
import random
import string

_SYSTEM = random.SystemRandom()


class Canary:
    def __init__(self, prefix="ghp_", length=40):
        rest = _SYSTEM.choices(string.ascii_letters + string.digits, k=length - len(prefix))
        self.value = prefix + "".join(rest)

    def forms(self):
        """Name and bytes of each form in which the value would be a leak."""
        raw = self.value.encode()
        yield "raw", raw
        yield "reversed", raw[::-1]
        yield "hex", raw.hex().encode()
        yield "upper-case hex", raw.hex().upper().encode()
        # Inside a longer base64 text the value sits at one of three alignments; the groups at
        # either edge depend on the neighbours and are left out.
        for shift in range(3):
            padded = b"\0" * shift + raw
            usable = len(padded) // 3 * 3
            begin = 4 if shift else 0
            yield f"base64 at {shift}", base64.b64encode(padded[:usable])[begin:]
            yield f"base64url at {shift}", base64.urlsafe_b64encode(padded[:usable])[begin:]

    def assert_absent(self, **artefacts):
        """artefacts: name → bytes or text, each searched for every form."""
        for name, content in artefacts.items():
            data = (
                content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
            )
            for form, needle in self.forms():
                assert needle not in data, f"the real secret ({form}) is in {name}"
