// The configuration: any text gives a configuration or errors with their places, never a crash.
#include "config/config.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::Input(data, size).rest();
  const ConfigPlaces places{"/home/agent", "", ""};
  const auto config = parse_config(text, "egret.yaml", places);
  if (!config) {
    require(!config.error().empty(), "a refusal has a reason");
    for (const ConfigError& error : config.error()) {
      require(!error.what.empty(), "an error says what");
      require(error.line >= 0 && error.column >= 0, "and where");
      require(error.text().starts_with("egret.yaml"), "in which file");
    }
    return 0;
  }
  require(config->sandboxes.contains("default"), "there is always a default sandbox");
  for (const auto& [name, sandbox] : config->sandboxes) {
    for (const auto& secret : sandbox.secrets) {
      require(config->secrets.contains(secret), "every secret of a sandbox is defined");
    }
    require(!show_config(*config, name).empty(), "an effective policy can be shown");
  }
  for (const auto& [name, secret] : config->secrets) {
    require(!secret.hosts.empty() && !secret.in.empty(), "a secret has hosts and places");
  }
  return 0;
}
