// What a good file means, and that all errors of a bad one come at once.
#include "config/config.h"

#include <string>

#include <doctest/doctest.h>

#include "config/starter.h"
#include "policy/decide/decide.h"

namespace {

using namespace egret;

const ConfigPlaces places{"/home/me", "", ""};

const std::string full = R"(version: 1
listen:
  - address: 127.0.0.1:3128
    sandbox: web
  - unix: /run/egret/web.sock
    sandbox: web
  - redirect: "[::1]:3129"
    sandbox: web
  - address: 127.0.0.1:0
workers: 2
state: ~/state
audit: {file: audit.jsonl}
origins:
  ca_files: [corp-root.pem, /etc/ca.pem]
  resolve: {api.demo.test: 127.0.0.1:8443, "*.w.test": "::1"}
  allow_addresses: [10.1.0.0/16]
secrets:
  GITHUB_TOKEN:
    from: env:MY_TOKEN
    hosts: [api.github.com, "*.ghe.example.com"]
  KEY:
    from: file:keys/key
    hosts: [api.example.com]
    in: ["header:x-key", "query:key", path, body, websocket]
    foreign: allow
  RUN:
    from: exec:~/bin/token  --for egret
    hosts: [run.example.com]
profiles:
  acme:
    include: [base]
    rules:
      - allow: api.github.com
        ports: [443, 8443]
        methods: [GET]
        paths: ["/repos/acme/**"]
      - deny: gist.github.com
      - {allow: pinned.example.com, tunnel: true}
  base:
    rules: [{allow: "*.npmjs.org"}]
sandboxes:
  web: {profiles: [acme, strict], rules: [{allow: own.example.com}],
        secrets: [GITHUB_TOKEN, NPM_TOKEN]}
)";

Config parse(const std::string& yaml) {
  const auto config = parse_config(yaml, "/etc/egret/egret.yaml", places);
  if (!config) {
    for (const ConfigError& error : config.error())
      MESSAGE(error.text());
  }
  REQUIRE(config.has_value());
  return *config;
}

}  // namespace

TEST_CASE("a full file becomes the values that it says") {
  const Config config = parse(full);
  CHECK(config.file == "/etc/egret/egret.yaml");
  CHECK(config.workers == 2U);
  CHECK(config.state == "/home/me/state");
  CHECK(config.audit_file == "/etc/egret/audit.jsonl");
  CHECK(config.origins.ca_files ==
        std::vector<std::string>{"/etc/egret/corp-root.pem", "/etc/ca.pem"});
  REQUIRE(config.origins.resolve.size() == 2);
  CHECK(config.origins.resolve[0].host.text() == "api.demo.test");
  CHECK(config.origins.resolve[0].address.text() == "127.0.0.1");
  CHECK(config.origins.resolve[0].port == 8443);
  CHECK(config.origins.resolve[1].address.text() == "::1");
  CHECK_FALSE(config.origins.resolve[1].port.has_value());
  REQUIRE(config.origins.allow_addresses.size() == 1);
  CHECK(config.origins.allow_addresses[0].text() == "10.1.0.0/16");
}

TEST_CASE("listeners keep their order, kind, sandbox and source line") {
  const Config config = parse(full);
  REQUIRE(config.listen.size() == 4);
  CHECK(std::get<ListenTcp>(config.listen[0].where).port == 3128);
  CHECK(config.listen[0].source == "egret.yaml:3");
  CHECK(std::get<ListenUnix>(config.listen[1].where).path == "/run/egret/web.sock");
  CHECK(std::get<ListenRedirect>(config.listen[2].where).address == "::1");
  CHECK(config.listen[2].sandbox == "web");
  CHECK_FALSE(config.listen[3].sandbox.has_value());
}

TEST_CASE("secrets know their source, hosts and places; header is the default place") {
  const Config config = parse(full);
  const SecretConfig& github = config.secrets.at("GITHUB_TOKEN");
  CHECK(std::get<SecretSourceEnv>(github.from).variable == "MY_TOKEN");
  CHECK(github.in == std::vector<Place>{Place{}});
  CHECK(github.foreign == Foreign::refuse);
  CHECK(github.source == "egret.yaml:18");
  const SecretConfig& key = config.secrets.at("KEY");
  CHECK(std::get<SecretSourceFile>(key.from).path == "/etc/egret/keys/key");
  REQUIRE(key.in.size() == 5);
  CHECK(key.in.back().text() == "websocket");
  CHECK(key.foreign == Foreign::allow);
  CHECK(std::get<SecretSourceExec>(config.secrets.at("RUN").from).argv ==
        std::vector<std::string>{"/home/me/bin/token", "--for", "egret"});
}

TEST_CASE("a secret can be a credential that the service manager keeps") {
  const Config config = parse(
      "version: 1\nsecrets:\n  KEY: {from: \"credential:api-key.1\", hosts: [a.example.com]}\n");
  CHECK(std::get<SecretSourceCredential>(config.secrets.at("KEY").from).credential == "api-key.1");
}

TEST_CASE("a sandbox's rules are those of its profiles and their includes, then its own") {
  const Config config = parse(full);
  const std::vector<Rule>& rules = config.sandboxes.at("web").rules;
  std::vector<std::string> seen;
  for (const Rule& rule : rules)
    seen.push_back(rule.host.text() + " " + rule.source);
  CHECK(seen == std::vector<std::string>{
                    "*.npmjs.org egret.yaml:40", "api.github.com egret.yaml:33",
                    "gist.github.com egret.yaml:37", "pinned.example.com egret.yaml:38",
                    "own.example.com egret.yaml:42"});
  CHECK(rules[1].ports == std::vector<std::uint16_t>{443, 8443});
  CHECK(rules[1].methods == std::vector<std::string>{"GET"});
  CHECK(rules[1].paths.size() == 1);
  CHECK(rules[2].effect == Effect::deny);
  CHECK(rules[3].tunnel);
}

TEST_CASE("a sandbox may name a well-known secret that has no entry") {
  const Config config = parse(full);
  CHECK(config.sandboxes.at("web").secrets ==
        std::vector<std::string>{"GITHUB_TOKEN", "NPM_TOKEN"});
  CHECK(config.secrets.at("NPM_TOKEN").hosts.at(0).text() == "registry.npmjs.org");
}

TEST_CASE("a minimal file, an empty allowlist and the defaults deny everything") {
  for (const char* yaml : {"version: 1\n", "version: 1\nsandboxes: {default: {}}\n",
                           "version: 1\nsandboxes: {default: {rules: []}}\n",
                           "version: 1\nsandboxes: {default: {profiles: []}}\n"}) {
    const Config config = parse(yaml);
    CHECK(config.sandboxes.at("default").rules.empty());
    CHECK(config.listen.empty());
  }
  CHECK(default_config(places).sandboxes.at("default").rules.empty());
  CHECK(default_config(places).sandboxes.at("default").profiles ==
        std::vector<std::string>{"strict"});
}

TEST_CASE("state and audit default to the state directory") {
  CHECK(default_config(places).state == "/home/me/.local/state/egret");
  CHECK(default_config(places).audit_file == "/home/me/.local/state/egret/audit.jsonl");
  CHECK(default_config({"/home/me", "/xdg/state", ""}).state == "/xdg/state/egret");
}

TEST_CASE("all errors of a file come at once, sorted by place") {
  const auto config = parse_config(R"(version: 1
workers: many
secrets:
  TOKEN: {from: env:A, hosts: ["*.com"], int: [header]}
sandboxes:
  web:
    profiles: [nmp]
    rules:
      - allow: https://example.com
      - {deny: a.example, methods: [get, post]}
    secrets: [TOKN]
listen: [{address: here, sandbox: wep}]
)",
                                   "egret.yaml", places);
  REQUIRE_FALSE(config.has_value());
  std::string at;
  for (const ConfigError& error : config.error()) {
    at += std::to_string(error.line) + ":" + std::to_string(error.column) + " ";
  }
  CHECK(at == "2:10 4:32 4:42 7:16 9:16 10:37 10:42 11:15 12:20 12:35 ");
}

TEST_CASE("an error's text is file, line, column, what, and what to write instead") {
  const auto config = parse_config("version: 1\nsandboxs: {}\n", "egret.yaml", places);
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().at(0).text().starts_with(
      "egret.yaml:2:1: unknown key `sandboxs`; write `sandboxes` (known: "));
}

TEST_CASE("a flood of errors is cut, with a count of the rest") {
  std::string yaml = "version: 1\n";
  for (int i = 0; i < 250; ++i)
    yaml += "k" + std::to_string(i) + ": 1\n";
  const auto config = parse_config(yaml, "egret.yaml", places);
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().size() == 101);
  CHECK(config.error().back().what == "150 more errors");
}

TEST_CASE("a secret's value written by mistake is not repeated in the error") {
  const auto config =
      parse_config("version: 1\nsecrets: {T: {from: ghp_realvalue, hosts: [a.example]}}\n",
                   "egret.yaml", places);
  REQUIRE_FALSE(config.has_value());
  for (const ConfigError& error : config.error()) {
    CHECK(error.text().find("realvalue") == std::string::npos);
  }
}

TEST_CASE("a byte order mark, CRLF line ends and a leading `---` are fine") {
  parse("\xef\xbb\xbfversion: 1\r\nworkers: 2\r\n");
  parse("---\nversion: 1\n");
}

TEST_CASE("every prefix of a good file parses or says why, without a crash") {
  for (std::size_t length = 0; length < full.size(); ++length) {
    const auto config = parse_config(full.substr(0, length), "egret.yaml", places);
    if (!config) CHECK_FALSE(config.error().empty());
  }
}

TEST_CASE("a good file with one byte changed parses or says why, without a crash") {
  constexpr std::string_view bytes("\0\n*&\"[:", 7);
  for (std::size_t at = 0; at < full.size(); ++at) {
    std::string yaml = full;
    yaml[at] = bytes[at % bytes.size()];
    const auto config = parse_config(yaml, "egret.yaml", places);
    if (!config) CHECK_FALSE(config.error().empty());
  }
}

TEST_CASE("deep nesting and many aliases end quickly in an error") {
  const std::string brackets(100'000, '[');
  CHECK_FALSE(parse_config("version: 1\nlisten: " + brackets, "egret.yaml", places).has_value());
  std::string laughs = "version: 1\na0: &a0 x\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before +
              "]\n";
  }
  CHECK_FALSE(parse_config(laughs, "egret.yaml", places).has_value());
}

TEST_CASE("more than eight levels are refused where they begin") {
  const auto config = parse_config("version: 1\nx: [[[[[[[[[1]]]]]]]]]\n", "egret.yaml", places);
  REQUIRE_FALSE(config.has_value());
  bool found = false;
  for (const ConfigError& error : config.error()) {
    if (error.what.find("8 levels") != std::string::npos)
      found = error.line == 2 && error.column == 11;
  }
  CHECK(found);
}

TEST_CASE("the starting file of `egret init config` parses, and allows reading packages only") {
  const Config config = parse(std::string(starter_config()));
  for (const Rule& rule : config.sandboxes.at("default").rules) {
    CHECK(rule.methods == std::vector<std::string>{"GET", "HEAD"});
  }
  CHECK(config.secrets.empty());
}

TEST_CASE("an upstream proxy's credentials are decoded once and kept as Basic credentials") {
  struct Row {
    const char* url;
    const char* host;
    int port;
    const char* authorization;  // empty: none
  };
  const Row rows[] = {
      {"http://corp:3128", "corp", 3128, ""},
      {"http://corp.example:80/", "corp.example", 80, ""},
      {"http://192.0.2.1:8080", "192.0.2.1", 8080, ""},
      {"\"http://[2001:db8::1]:8080\"", "2001:db8::1", 8080, ""},
      {"http://user:pass@corp:3128", "corp", 3128, "Basic dXNlcjpwYXNz"},
      {"http://u:@corp:3128", "corp", 3128, "Basic dTo="},
      {"http://user:p%40s%3a%2F%25@corp:3128", "corp", 3128, "Basic dXNlcjpwQHM6LyU="},
      {"http://user:p@ss@corp:3128", "corp", 3128, "Basic dXNlcjpwQHNz"},
      {"http://user:%c3%a9@corp:3128", "corp", 3128, "Basic dXNlcjrDqQ=="},
  };
  for (const Row& row : rows) {
    CAPTURE(row.url);
    const auto config =
        egret::parse_config("version: 1\norigins: {via: " + std::string(row.url) + "}\n",
                            "egret.yaml", {"/home/me", "", ""});
    REQUIRE(config.has_value());
    const auto& proxy = config->origins.via;
    REQUIRE(proxy.has_value());
    CHECK(proxy->host.text() == row.host);
    CHECK(proxy->port == row.port);
    CHECK(proxy->source == "egret.yaml:2");
    REQUIRE((proxy->authorization != nullptr) == (*row.authorization != '\0'));
    if (proxy->authorization) CHECK(proxy->authorization->reveal() == row.authorization);
  }
}
