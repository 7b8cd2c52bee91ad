#include "proxy/secrets/grants.h"

#include <cstdlib>

#include <doctest/doctest.h>

#include "proxy/secrets/placeholder_store.h"
#include "tests/certs/temporary_directory.h"

using namespace egret;
using namespace egret::test;

namespace {

const std::string github_token = "ghp_" + std::string(36, 'c');

HostPattern pattern(std::string_view text) {
  auto parsed = HostPattern::parse(text);
  REQUIRE(parsed.has_value());
  return *parsed;
}

SecretConfig secret(const std::string& name, SecretSource from) {
  SecretConfig config;
  config.name = name;
  config.from = std::move(from);
  config.hosts = {pattern("api.a.test")};
  config.in = {Place{PlaceKind::header, "x-key"}};
  config.foreign = Foreign::allow;
  return config;
}

std::string fault_of(const Result<GrantTable, SecretSourceFault>& grants) {
  return grants ? std::string{} : grants.error().what;
}

}  // namespace

TEST_CASE("a sandbox's grants hold the real values, their placeholders and where they count") {
  const TemporaryDirectory root;
  const std::string state = root / "state";
  write_file(root / "token", github_token + "\n");
  Config config;
  config.secrets["GITHUB_TOKEN"] = secret("GITHUB_TOKEN", SecretSourceFile{root / "token"});
  config.secrets["OTHER"] = secret("OTHER", SecretSourceExec{{"echo", "some-other-secret"}});
  config.secrets["UNUSED"] = secret("UNUSED", SecretSourceFile{"/nowhere"});
  SandboxConfig web;
  web.name = "web";
  web.secrets = {"GITHUB_TOKEN", "OTHER", "OTHER"};

  const auto table = load_grants(config, web, state);
  REQUIRE(table.has_value());
  REQUIRE(table->grants().size() == 2);
  const Grant& grant = table->grants().front();
  CHECK(grant.name == "GITHUB_TOKEN");
  CHECK(grant.secret->reveal() == github_token);
  CHECK(grant.placeholder.text().size() == github_token.size());
  CHECK(grant.placeholder.text().starts_with("ghp_egret"));
  CHECK(grant.hosts.size() == 1);
  CHECK(grant.places == std::vector<Place>{Place{PlaceKind::header, "x-key"}});
  CHECK(grant.foreign == Foreign::allow);
  CHECK(table->grants().back().secret->reveal() == "some-other-secret");

  const auto again = load_grants(config, web, state);
  REQUIRE(again.has_value());
  CHECK(again->grants().front().placeholder == grant.placeholder);
  const auto kept = placeholder_for(state, "web", "GITHUB_TOKEN", shape_of(github_token));
  REQUIRE(kept.has_value());
  CHECK(*kept == grant.placeholder);
  CHECK(read_file(state + "/sandboxes/web/placeholders.json").find(github_token) ==
        std::string::npos);
}

TEST_CASE("a sandbox without secrets needs no state") {
  const TemporaryDirectory root;
  const auto table = load_grants(Config{}, SandboxConfig{}, root / "state");
  REQUIRE(table.has_value());
  CHECK(table->empty());
  CHECK_FALSE(std::filesystem::exists(root / "state"));
}

TEST_CASE("secrets that cannot be had are all named at once, and there are no grants at all") {
  const TemporaryDirectory root;
  write_file(root / "open", github_token, 0644);
  ::unsetenv("EGRET_TEST_SECRET");
  const std::vector<SecretConfig> secrets{
      secret("GOOD", SecretSourceExec{{"echo", "some-good-secret"}}),
      secret("UNSET", SecretSourceEnv{"EGRET_TEST_SECRET"}),
      secret("OPEN", SecretSourceFile{root / "open"}),
  };
  const std::string fault = fault_of(load_grants(secrets, "web", root / "state"));
  CHECK(fault.find("secret UNSET: environment variable EGRET_TEST_SECRET") == 0);
  CHECK(fault.find("\nsecret OPEN: file ") != std::string::npos);
  CHECK(fault.find("GOOD") == std::string::npos);
  CHECK(fault.find("some-good-secret") == std::string::npos);
  CHECK(fault.find(github_token) == std::string::npos);
}

TEST_CASE("a secret that the configuration does not know, or names twice, is a fault") {
  const TemporaryDirectory root;
  SandboxConfig web;
  web.name = "web";
  web.secrets = {"NOBODY"};
  CHECK(fault_of(load_grants(Config{}, web, root / "state")).find("secret NOBODY: ") == 0);

  const SecretConfig twice = secret("TWICE", SecretSourceExec{{"echo", "some-good-secret"}});
  CHECK(fault_of(load_grants({twice, twice}, "web", root / "state")) ==
        "secret TWICE: named twice");
}

TEST_CASE("state that cannot be used is a fault and no grants") {
  const TemporaryDirectory root;
  write_file(root / "state", "a file");
  const std::vector<SecretConfig> secrets{
      secret("GOOD", SecretSourceExec{{"echo", "some-good-secret"}})};
  CHECK(fault_of(load_grants(secrets, "web", root / "state")).find(root / "state") == 0);
  CHECK(fault_of(load_grants(secrets, "../web", root / "other")).find("sandbox name") == 0);
}
