"""npm inside a sandbox, against a registry on loopback."""

import pytest

from support.registries import npm_registry, serve

INSTALL = """
  set -e
  export npm_config_cache="$PWD/cache" npm_config_update_notifier=false npm_config_audit=false
  export npm_config_fund=false npm_config_fetch_retries=0
  printf '//%s/:_authToken=${DEMO_TOKEN}\\n' "$1" > .npmrc
  echo '{"name": "e2e", "version": "1.0.0"}' > package.json
  npm install --registry "https://$1/" greeting >&2
  node -p 'require("greeting")'
"""


@pytest.mark.parametrize("host", ["api.demo.test", "h2.demo.test"])
def test_npm_installs_a_package_and_what_it_needs(client_home, origin, canary, host):
    serve(origin, npm_registry(f"https://{host}"))
    done = client_home.run("sh", "-c", INSTALL, "sh", host, seconds=50)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "hello from npm\n"
    assert {request.get("authorization") for request in origin.requests} == {
        f"Bearer {canary.value}"
    }


def test_npm_tells_why_its_registry_is_refused(client_home, origin):
    done = client_home.run("sh", "-c", INSTALL, "sh", "evil.example", seconds=50)
    assert done.returncode != 0 and "403" in done.stderr, done.stderr
    origin.assert_untouched()
