#include "proxy/secrets/grants.h"

#include <memory>
#include <set>
#include <utility>

#include "proxy/secrets/placeholder_store.h"

namespace egret {
namespace {

void add_line(std::string& lines, const std::string& line) {
  if (!lines.empty()) lines += '\n';
  lines += line;
}

}  // namespace

Result<GrantTable, SecretSourceFault> load_grants(const Config& config,
                                                  const SandboxConfig& sandbox,
                                                  const std::string& state_dir) {
  std::vector<SecretConfig> secrets;
  std::set<std::string> seen;
  for (const std::string& name : sandbox.secrets) {
    const auto found = config.secrets.find(name);
    if (found == config.secrets.end()) {
      return SecretSourceFault{"secret " + name + ": not in `secrets` of the configuration"};
    }
    if (seen.insert(name).second) secrets.push_back(found->second);
  }
  return load_grants(secrets, sandbox.name, state_dir);
}

Result<GrantTable, SecretSourceFault> load_grants(const std::vector<SecretConfig>& secrets,
                                                  const std::string& sandbox,
                                                  const std::string& state_dir) {
  if (secrets.empty()) return GrantTable{};
  std::string faults;
  std::set<std::string> seen;
  std::vector<std::shared_ptr<const Secret>> values;
  std::vector<PlaceholderRequest> requests;
  for (const SecretConfig& secret : secrets) {
    if (!seen.insert(secret.name).second)
      add_line(faults, "secret " + secret.name + ": named twice");
    auto value = read_secret(secret.name, secret.from);
    if (!value) {
      add_line(faults, value.error().what);
      continue;
    }
    requests.push_back({secret.name, shape_of(value->reveal())});
    values.push_back(std::make_shared<const Secret>(std::move(*value)));
  }
  if (!faults.empty()) return SecretSourceFault{std::move(faults)};

  auto placeholders = placeholders_for(state_dir, sandbox, requests);
  if (!placeholders) return placeholders.error();
  std::vector<Grant> grants;
  for (std::size_t i = 0; i < secrets.size(); ++i) {
    grants.push_back(Grant{.name = secrets[i].name,
                           .placeholder = std::move((*placeholders)[i]),
                           .secret = std::move(values[i]),
                           .hosts = secrets[i].hosts,
                           .places = secrets[i].in,
                           .foreign = secrets[i].foreign});
  }
  return GrantTable{std::move(grants)};
}

}  // namespace egret
