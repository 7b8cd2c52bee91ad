"""The config that most tests share: two sandboxes, some rules, origins pinned to loopback."""

RULES = [
    {"allow": "api.demo.test"},
    {"allow": "plain.demo.test"},
    {"allow": "other.demo.test"},
    {"allow": "ws.demo.test"},
    {"allow": "git.demo.test"},
    {"allow": "*.w.test"},
    {"deny": "banned.w.test"},
    {"allow": "read.demo.test", "methods": ["GET", "HEAD"], "paths": ["/public/**"]},
    {"allow": "ports.demo.test", "ports": [8443]},
]

SECRET = {"from": "env:DEMO_REAL", "hosts": ["api.demo.test"]}


def demo_config(authority, origin, rules=(), secrets=(), places=None, pins=None, listen=(), **top):
    """`rules` come on top of RULES; `pins` and `listen` too; `top` are more top-level keys."""
    sandbox = {"rules": [*RULES, *rules]}
    if secrets:
        sandbox["secrets"] = list(secrets)
    config = {
        "version": 1,
        "listen": [
            {"address": "127.0.0.1:0", "sandbox": "web"},
            {"address": "127.0.0.1:0", "sandbox": "other"},
            *listen,
        ],
        "workers": 2,
        "origins": {
            "ca_files": [str(authority.ca_file)],
            "resolve": {"*.demo.test": origin.pin, "*.w.test": origin.pin, **(pins or {})},
        },
    }
    if secrets:
        config["secrets"] = {
            name: {**SECRET, **({"in": places} if places else {})} for name in secrets
        }
    config["sandboxes"] = {"web": sandbox, "other": sandbox}
    return {**config, **top}
