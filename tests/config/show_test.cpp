// `egret config show`: one rule a line, aligned, with where it came from.
#include <string>

#include <doctest/doctest.h>

#include "config/config.h"

namespace {

using namespace egret;

const ConfigPlaces places{"/home/me", "", ""};

const std::string yaml = R"(version: 1
listen: [{address: 127.0.0.1:3128, sandbox: web}]
secrets:
  TOKEN: {from: env:T, hosts: [api.example.com]}
sandboxes:
  web:
    profiles: [pypi]
    rules:
      - allow: api.example.com
        methods: [GET, POST]
        paths: ["/v1/**"]
      - deny: old.example.com
    secrets: [TOKEN]
  open: {profiles: [permissive]}
)";

}  // namespace

TEST_CASE("a sandbox is shown with its denials first, in columns, with sources") {
  const auto config = parse_config(yaml, "egret.yaml", places);
  REQUIRE(config.has_value());
  const std::string expected = R"(config  egret.yaml
state   /home/me/.local/state/egret
audit   /home/me/.local/state/egret/audit.jsonl
listen  127.0.0.1:3128  sandbox web  egret.yaml:2

sandbox web (pypi), egret.yaml:6
  deny   old.example.com                            egret.yaml:12
  allow  pypi.org                GET, HEAD          profile pypi:7
  allow  files.pythonhosted.org  GET, HEAD          profile pypi:9
  allow  api.example.com         GET, POST  /v1/**  egret.yaml:9
  everything else is denied
  secret  TOKEN  from env:T  to api.example.com  in header  egret.yaml:4
)";
  CHECK(show_config(*config, "web") == expected);
}

TEST_CASE("how origins are reached is shown, but never the proxy's credentials") {
  const auto config = parse_config(R"(version: 1
origins:
  via: http://me:pw-to-hide@corp.example:3128
  bypass: ["*.in.example", 10.0.0.0/8]
  client_certs:
    - {hosts: [api.example.com, "*.b.example"], cert: c.pem, key: keys/c.key}
)",
                                   "/etc/egret/egret.yaml", places);
  REQUIRE(config.has_value());
  const std::string text = show_config(*config, std::nullopt);
  CHECK(text.find("via                 http://corp.example:3128 with credentials\n"
                  "bypass              *.in.example\n"
                  "bypass              10.0.0.0/8\n"
                  "client certificate  /etc/egret/c.pem with key /etc/egret/keys/c.key to "
                  "api.example.com, *.b.example\n") != std::string::npos);
  CHECK(text.find("to-hide") == std::string::npos);
  CHECK(text.find("me:") == std::string::npos);
  CHECK(text.find("bWU6") == std::string::npos);  // Base64 of `me:`
}

TEST_CASE("a wildcard that opens strangers' names is called dangerously wide") {
  const auto config = parse_config(yaml, "egret.yaml", places);
  REQUIRE(config.has_value());
  CHECK(show_config(*config, "open").find("allow  *  dangerously wide  profile permissive:") !=
        std::string::npos);
}

TEST_CASE("without a name every sandbox is shown; an unknown one is denied everything") {
  const auto config = parse_config(yaml, "egret.yaml", places);
  REQUIRE(config.has_value());
  const std::string all = show_config(*config, std::nullopt);
  for (const char* name : {"sandbox default (strict)", "sandbox open", "sandbox web"}) {
    CHECK(all.find(name) != std::string::npos);
  }
  CHECK(all.find("denies everything") != std::string::npos);
  CHECK(show_config(*config, "nobody").find("everything is denied") != std::string::npos);
}

TEST_CASE("what opens more than is wise is listed for the start-up message, each once") {
  const auto config = parse_config(yaml, "egret.yaml", places);
  REQUIRE(config.has_value());
  const auto settings = dangerous_settings(*config);
  REQUIRE(settings.size() == 1);
  CHECK(settings[0].starts_with("sandbox open: `*` is allowed by profile permissive:"));
  CHECK(dangerous_settings(default_config(places)).empty());
}

TEST_CASE("a listener that strangers may reach without credentials is told of at the start") {
  const auto config = parse_config(R"(version: 1
listen:
  - {address: 127.0.0.1:3128, sandbox: default}
  - {address: "[::1]:3128", sandbox: default}
  - {address: 0.0.0.0:3129, sandbox: default}
  - {address: "[2001:db8::1]:3130", sandbox: default}
  - {address: 192.168.1.1:3131}
  - {unix: /run/egret/web.sock, sandbox: default}
)",
                                   "egret.yaml", places);
  REQUIRE(config.has_value());
  const auto settings = dangerous_settings(*config);
  REQUIRE(settings.size() == 2);
  CHECK(settings[0].starts_with("listener 0.0.0.0:3129: whoever can reach it is sandbox default"));
  CHECK(settings[0].ends_with("egret.yaml:5"));
  CHECK(settings[1].starts_with("listener [2001:db8::1]:3130: "));
}
