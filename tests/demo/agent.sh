# shellcheck shell=sh
# What the demo's command does inside the sandbox: it plays an agent that tries its luck.
# Each step leaves a file in the current directory, which is all that leaves the sandbox.
# $1 is the origin's real address on the host.
env >environment
curl -sS -4 -m 8 -H "Authorization: Bearer $DEMO_TOKEN" -w '%{http_code}' -o allowed.body \
  https://api.demo.test/me >allowed.status
curl -sS -4 -m 8 -w '%{http_code}' -o denied.body https://evil.example/ >denied.status
# To an address, past every name: bytes go out, and what comes back?
/usr/bin/python3 - 192.0.2.10 5432 >address.result <<'PYTHON'
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), 8) as sock:
    sock.sendall(b"let me out\n")
    try:
        back = sock.recv(1000)
    except ConnectionResetError:
        back = b""
    print(f"closed, {len(back)} bytes came back")
PYTHON
curl -sS -m 8 "http://$1/" >loopback.result 2>&1 || :
