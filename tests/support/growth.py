"""How much memory the gate takes for something large. EGRET_GROWTH_MIB is how much it may grow
meanwhile (default 10)."""

import os


def growth_limit_kib(mib=10):
    return int(os.environ.get("EGRET_GROWTH_MIB", str(mib))) * 1024


class Growth:
    """Asserts how little the gate's resident memory grew while the block ran. `warm_up` does the
    same in small first: what is loaded once does not count. `kib`: another limit than usual."""

    def __init__(self, gate, warm_up=lambda: None, kib=None):
        self._gate = gate
        self._warm_up = warm_up
        self._kib = growth_limit_kib() if kib is None else kib

    def __enter__(self):
        self._warm_up()
        self._gate.reset_resident_peak()
        self._before = self._gate.resident_kib()

    def __exit__(self, kind, *_):
        if kind is None:
            grown = self._gate.resident_peak_kib() - self._before
            assert grown < self._kib, f"the gate grew by {grown} KiB"
