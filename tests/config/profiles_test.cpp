// The shipped profiles: each parses, and opens what its comment says and nothing more. Also the
// flags and tables that work without a file.
#include "config/schema/profiles.h"

#include <algorithm>
#include <string>

#include <doctest/doctest.h>

#include "config/config.h"
#include "policy/decide/decide.h"

namespace {

using namespace egret;

const ConfigPlaces places{"/home/me", "", ""};

std::vector<Rule> rules_of(std::string_view profile) {
  auto rules = rules_of_profile(default_config(places), profile);
  REQUIRE(rules.has_value());
  return *rules;
}

bool allows(const Policy& policy, std::string_view method, std::string_view url) {
  const Scheme scheme = url.starts_with("https://") ? Scheme::https : Scheme::http;
  url.remove_prefix(url.find("://") + 3);
  const std::size_t slash = url.find('/');
  const auto host = Host::parse(url.substr(0, slash));
  const auto path = RequestPath::parse(url.substr(slash));
  REQUIRE(host.has_value());
  REQUIRE(path.has_value());
  const Target target{scheme, *host, default_port(scheme)};
  return std::holds_alternative<Permit>(decide(policy, {target, method, &*path}));
}

struct Request {
  const char* profile;
  const char* method;
  const char* url;
  bool allowed;
};

const Request requests[] = {
    {"strict", "GET", "https://example.com/", false},
    {"anthropic", "POST", "https://api.anthropic.com/v1/messages", true},
    {"anthropic", "POST", "https://statsig.anthropic.com/v1/log", false},
    {"openai", "POST", "https://api.openai.com/v1/responses", true},
    {"google-ai", "POST",
     "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent", true},
    {"google-ai", "GET", "https://storage.googleapis.com/bucket/x", false},
    {"github-read", "GET", "https://github.com/o/r/info/refs?service=git-upload-pack", true},
    {"github-read", "GET", "https://github.com/o/r.git/info/refs?service=git-upload-pack", true},
    {"github-read", "POST", "https://github.com/o/r/git-upload-pack", true},
    {"github-read", "POST", "https://github.com/o/r/git-receive-pack", false},
    {"github-read", "POST", "https://github.com/o/r/issues", false},
    {"github-read", "GET", "https://github.com/login", false},
    {"github-read", "GET", "https://github.com/o/r/archive/refs/heads/main.tar.gz", true},
    {"github-read", "GET", "https://github.com/o/r/releases/download/v1/x.tgz", true},
    {"github-read", "GET", "https://codeload.github.com/o/r/tar.gz/main", true},
    {"github-read", "GET", "https://raw.githubusercontent.com/o/r/main/README", true},
    {"github-read", "GET", "https://api.github.com/repos/o/r", true},
    {"github-read", "POST", "https://api.github.com/repos/o/r/issues", false},
    {"github-read", "POST", "https://api.github.com/graphql", false},
    {"github-read", "POST", "https://gist.github.com/", false},
    {"github-write", "POST", "https://github.com/o/r/git-receive-pack", true},
    {"github-write", "GET", "https://github.com/o/r/info/refs", true},
    {"github-write", "POST", "https://api.github.com/graphql", true},
    {"github-write", "DELETE", "https://api.github.com/repos/o/r/issues/1/lock", true},
    {"github-write", "POST", "https://github.com/session", false},
    {"npm", "GET", "https://registry.npmjs.org/react", true},
    {"npm", "GET", "https://registry.npmjs.org/@types%2fnode", true},
    {"npm", "PUT", "https://registry.npmjs.org/react", false},
    {"npm", "POST", "https://registry.npmjs.org/-/npm/v1/security/advisories/bulk", false},
    {"pypi", "GET", "https://pypi.org/simple/requests/", true},
    {"pypi", "GET", "https://files.pythonhosted.org/packages/x.whl", true},
    {"pypi", "POST", "https://upload.pypi.org/legacy/", false},
    {"pypi", "POST", "https://pypi.org/legacy/", false},
    {"crates", "GET", "https://index.crates.io/se/rd/serde", true},
    {"crates", "GET", "https://static.crates.io/crates/serde/1.0.0/download", true},
    {"crates", "GET", "https://crates.io/api/v1/crates/serde/1.0.0/download", true},
    {"crates", "GET", "https://crates.io/api/v1/me", false},
    {"crates", "PUT", "https://crates.io/api/v1/crates/new", false},
    {"go", "GET", "https://proxy.golang.org/golang.org/x/net/@v/list", true},
    {"go", "GET", "https://sum.golang.org/lookup/golang.org/x/net@v0.1.0", true},
    {"go", "GET", "https://storage.googleapis.com/anybody/x", false},
    {"maven", "GET", "https://repo1.maven.org/maven2/x.pom", true},
    {"maven", "GET", "https://repo.maven.apache.org/maven2/x.pom", true},
    {"maven", "GET", "https://plugins.gradle.org/m2/x.pom", true},
    {"debian", "GET", "http://deb.debian.org/debian/dists/bookworm/InRelease", true},
    {"debian", "GET", "https://security.debian.org/debian-security/x", true},
    {"debian", "POST", "http://deb.debian.org/debian/", false},
    {"registries", "GET", "https://registry.npmjs.org/react", true},
    {"registries", "GET", "http://deb.debian.org/debian/x", true},
    {"registries", "GET", "https://github.com/o/r/info/refs", false},
    {"moderate", "GET", "https://pypi.org/simple/x/", true},
    {"moderate", "POST", "https://github.com/o/r/git-upload-pack", true},
    {"moderate", "POST", "https://api.anthropic.com/v1/messages", true},
    {"moderate", "POST", "https://api.openai.com/v1/responses", true},
    {"moderate", "POST", "https://github.com/o/r/git-receive-pack", false},
    {"moderate", "GET", "https://example.com/", false},
    {"permissive", "POST", "https://anything.example.com/x", true},
    {"permissive", "GET", "https://192.0.2.1/", false},
};

}  // namespace

TEST_CASE("every shipped profile parses, and its comment says what risk remains") {
  for (const std::string& name : shipped_profile_names()) {
    CAPTURE(name);
    ConfigErrors errors;
    schema::read_shipped_profile(name, errors);
    for (const ConfigError& error : errors)
      MESSAGE(error.text());
    CHECK(errors.empty());
    const std::string_view text = shipped_profile_text(name);
    CHECK(text.starts_with("# " + name + ": "));
    CHECK(text.find("\n# Risk that remains: ") != std::string_view::npos);
  }
}

TEST_CASE("the shipped profiles are the promised ones") {
  CHECK(shipped_profile_names() ==
        std::vector<std::string>{"anthropic", "crates", "debian", "github-read", "github-write",
                                 "go", "google-ai", "maven", "moderate", "npm", "openai",
                                 "permissive", "pypi", "registries", "strict"});
  CHECK(shipped_profile_text("no-such").empty());
}

TEST_CASE("a shipped profile opens what its comment says and nothing more") {
  for (const Request& request : requests) {
    CAPTURE(request.profile);
    CAPTURE(request.method);
    CAPTURE(request.url);
    const Policy policy(rules_of(request.profile));
    CHECK(allows(policy, request.method, request.url) == request.allowed);
  }
}

TEST_CASE("registries and what they include are GET and HEAD only") {
  for (const Rule& rule : rules_of("registries")) {
    CHECK(rule.methods == std::vector<std::string>{"GET", "HEAD"});
  }
}

TEST_CASE("an included rule keeps the profile and line that it came from") {
  const auto rules = rules_of("moderate");
  CHECK(std::any_of(rules.begin(), rules.end(), [](const Rule& rule) {
    return rule.source.starts_with("profile npm:") && rule.host.text() == "registry.npmjs.org";
  }));
}

TEST_CASE("profiles that overlap by includes give each rule once") {
  const auto config =
      parse_config("version: 1\nsandboxes: {web: {profiles: [npm, registries, moderate]}}\n",
                   "egret.yaml", places);
  REQUIRE(config.has_value());
  std::vector<std::string> sources;
  for (const Rule& rule : config->sandboxes.at("web").rules)
    sources.push_back(rule.source);
  std::sort(sources.begin(), sources.end());
  CHECK(std::adjacent_find(sources.begin(), sources.end()) == sources.end());
}

TEST_CASE("an unknown --profile lists what there is") {
  const auto rules = rules_of_profile(default_config(places), "githubread");
  REQUIRE_FALSE(rules.has_value());
  CHECK(rules.error().text().find("write `github-read`") != std::string::npos);
  CHECK(rules.error().text().starts_with("--profile: "));
}

TEST_CASE("--allow takes a host pattern and a port") {
  struct Flag {
    const char* text;
    const char* host;
    int port;  // 0: the default ones
  };
  for (const Flag& flag :
       {Flag{"api.github.com", "api.github.com", 0},
        Flag{"api.github.com:8443", "api.github.com", 8443},
        Flag{"*.example.com", "*.example.com", 0}, Flag{"192.0.2.1:80", "192.0.2.1", 80},
        Flag{"2001:db8::1", "2001:db8::1", 0}, Flag{"[2001:db8::1]:443", "2001:db8::1", 443},
        Flag{"10.0.0.0/8", "10.0.0.0/8", 0}}) {
    CAPTURE(flag.text);
    const auto rule = rule_from_flag(flag.text);
    REQUIRE(rule.has_value());
    CHECK(rule->effect == Effect::allow);
    CHECK(rule->host.text() == flag.host);
    CHECK(rule->source == "--allow");
    if (flag.port == 0)
      CHECK(rule->ports.empty());
    else
      CHECK(rule->ports == std::vector<std::uint16_t>{static_cast<std::uint16_t>(flag.port)});
  }
}

TEST_CASE("--allow refuses what could not match or would open too much, and says what to write") {
  for (const char* text :
       {"", "*", "*.com", "*.github.io", "https://example.com", "example.com/x", "EXAMPLE.com",
        "example.com:", "example.com:0", "example.com:65536", "example.com:https",
        "example.com:0443", "[2001:db8::1", "0.0.0.0/0", ":443"}) {
    CAPTURE(text);
    const auto rule = rule_from_flag(text);
    REQUIRE_FALSE(rule.has_value());
    CHECK(rule.error().text().starts_with("--allow: "));
    CHECK_FALSE(rule.error().instead.empty());
  }
}

TEST_CASE("well-known secrets come from their variable and name their hosts") {
  for (const std::string& name : well_known_secret_names()) {
    CAPTURE(name);
    const auto secret = well_known_secret(name);
    REQUIRE(secret.has_value());
    CHECK(std::get<SecretSourceEnv>(secret->from).variable == name);
    CHECK_FALSE(secret->hosts.empty());
    CHECK_FALSE(secret->in.empty());
    for (const HostPattern& host : secret->hosts)
      CHECK(host.kind() == HostPattern::Kind::exact);
  }
  for (const char* name :
       {"GITHUB_TOKEN", "GH_TOKEN", "ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN",
        "OPENAI_API_KEY", "GEMINI_API_KEY", "NPM_TOKEN"}) {
    CHECK(well_known_secret(name).has_value());
  }
  CHECK(well_known_secret("GEMINI_API_KEY")->in.size() == 2);
  CHECK_FALSE(well_known_secret("AWS_SECRET_ACCESS_KEY").has_value());
}
