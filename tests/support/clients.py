"""Real clients behind a gate's explicit listeners."""

import subprocess

TIMEOUT_S = 30
BIG_LIMIT_S = 150


def curl(gate, *arguments, sandbox="web", proxy=None, stdin=None, check=0, seconds=TIMEOUT_S):
    """curl with the environment that `egret env` gives; `proxy` overrides it. Returns the finished
    process; its exit status must be `check`, or anything where that is None."""
    flags = ["-sS", "--max-time", str(seconds), *(["-x", proxy] if proxy else [])]
    done = subprocess.run(
        [*gate.home.within, "curl", *flags, *arguments],
        env=gate.client_environment(sandbox),
        input=stdin,
        capture_output=True,
        timeout=seconds + 10,
    )
    gate.home.assert_no_canary(**{"curl's stdout": done.stdout, "curl's stderr": done.stderr})
    if check is not None:
        assert (
            done.returncode == check
        ), f"curl ended with {done.returncode}: {done.stderr.decode()}"
    return done


def curl_status(gate, *arguments, **options):
    done = curl(gate, "-o", "/dev/null", "-w", "%{http_code}", *arguments, **options)
    return int(done.stdout)


def python(gate, code, sandbox="web", seconds=TIMEOUT_S):
    """Debian's Python running `code` behind the gate; its standard output."""
    environment = gate.client_environment(sandbox)
    done = subprocess.run(
        ["/usr/bin/python3", "-c", code],
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    gate.home.assert_no_canary(**{"python's stdout": done.stdout, "its stderr": done.stderr})
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_curl(gate, *arguments, feed=(), seconds=BIG_LIMIT_S):
    """curl with its standard input fed piece by piece; returns its standard output."""
    process = subprocess.Popen(
        ["curl", "-sSf", "--max-time", str(seconds), *arguments],
        env=gate.client_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        for piece in feed:
            process.stdin.write(piece)
        process.stdin.close()
        output = process.stdout.read()
        assert process.wait(TIMEOUT_S) == 0
        return output
    finally:
        process.kill()
        process.wait()
