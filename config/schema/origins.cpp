#include "config/schema/origins.h"

#include <algorithm>

#include "config/schema/client_certs.h"
#include "config/schema/hosts.h"
#include "config/schema/via.h"
#include "policy/target/address_class.h"

namespace egret::schema {
namespace {

// The same bounds as for a rule: a shorter prefix opens networks of several organisations.
constexpr int v4_prefix_bits_min = 8;
constexpr int v6_prefix_bits_min = 7;  // fc00::/7 is all of the unique local addresses

void read_ca_files(Context& context, const Node& node, OriginsConfig& origins) {
  const auto items =
      yaml::list_of(context.problems, node, "`ca_files: [corp-root.pem]`", Empty::allowed);
  refuse_repeated(context, items);
  for (const Node& item : items) {
    if (auto path = read_path(context, item, "a PEM file"))
      origins.ca_files.push_back(std::move(*path));
  }
}

bool refuse_metadata(Context& context, yaml::Mark mark, const IpAddress& address) {
  if (classify(address) != AddressClass::metadata) return false;
  context.problems.add(mark, "`" + address.text() + "` is a cloud metadata address",
                       "remove it; it is never dialled, whatever the configuration says");
  return true;
}

void read_pin(Context& context, const yaml::Pair& pair, OriginsConfig& origins) {
  auto host = read_host(context, *pair.key, HostUse::pin);
  const std::string* text =
      yaml::text_of(context.problems, *pair.value, "`127.0.0.1` or `127.0.0.1:8443`");
  if (text == nullptr) return;
  const auto to = parse_address_and_port(*text);
  if (!to || to->port == 0) {
    context.problems.add(pair.value->mark, "`" + *text + "` is no address",
                         "write 127.0.0.1, 127.0.0.1:8443, \"::1\" or \"[::1]:8443\"");
    return;
  }
  if (refuse_metadata(context, pair.value->mark, to->address) || !host) return;
  origins.resolve.push_back({std::move(*host), to->address, to->port});
}

void read_resolve(Context& context, const Node& node, OriginsConfig& origins) {
  for (const yaml::Pair& pair :
       yaml::pairs_of(context.problems, node, "`resolve: {api.demo.test: 127.0.0.1:8443}`")) {
    read_pin(context, pair, origins);
  }
}

void read_allow_addresses(Context& context, const Node& node, OriginsConfig& origins) {
  const auto items =
      yaml::list_of(context.problems, node, "`allow_addresses: [10.1.0.0/16]`", Empty::allowed);
  refuse_repeated(context, items);
  for (const Node& item : items) {
    const std::string* text =
        yaml::text_of(context.problems, item, "a range such as `10.1.0.0/16`");
    if (text == nullptr) continue;
    const auto range = Cidr::parse(*text);
    if (!range) {
      context.problems.add(item.mark, "`" + *text + "` is no address and no range",
                           "write it as 10.1.0.0/16, 10.1.2.3 or \"fd00::/8\"");
    } else if (range->prefix_bits() <
               (range->base().is_v4() ? v4_prefix_bits_min : v6_prefix_bits_min)) {
      context.problems.add(item.mark, "`" + *text + "` opens nearly every address",
                           "write the ranges that are needed; public addresses need none");
    } else if (!range->single() || !refuse_metadata(context, item.mark, range->base())) {
      origins.allow_addresses.push_back(*range);
    }
  }
}

constexpr Field<OriginsConfig> fields[] = {
    {"ca_files", Need::optional, read_ca_files},
    {"resolve", Need::optional, read_resolve},
    {"allow_addresses", Need::optional, read_allow_addresses},
    {"via", Need::optional, read_via},
    {"bypass", Need::optional, read_bypass},
    {"client_certs", Need::optional, read_client_certs},
};

void refuse_bypass_alone(Context& context, const Node& node) {
  const auto at = [&](std::string_view name) {
    return std::find_if(node.keys.begin(), node.keys.end(),
                        [&](const Node& key) { return key.text == name; });
  };
  const auto bypass = at("bypass");
  if (bypass == node.keys.end() || at("via") != node.keys.end()) return;
  context.problems.add(bypass->mark, "`bypass` without `via`: there is no proxy to go past",
                       "write `via: http://corp:3128` beside it, or remove it");
}

}  // namespace

void read_origins(Context& context, const Node& node, OriginsConfig& origins) {
  yaml::read_mapping(context, node, fields, "`origins: {ca_files: [corp-root.pem]}`", origins);
  refuse_bypass_alone(context, node);
}

}  // namespace egret::schema
