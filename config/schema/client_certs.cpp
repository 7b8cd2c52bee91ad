#include "config/schema/client_certs.h"

#include "config/schema/hosts.h"

namespace egret::schema {
namespace {

constexpr std::string_view example =
    "`{hosts: [api.corp.example], cert: client.pem, key: client.key}`";

// One host, one certificate: which of two is shown must not be luck.
void refuse_second(Context& context, const Node& node, const HostPattern& host,
                   const OriginsConfig& origins) {
  for (const ClientCertConfig& other : origins.client_certs) {
    for (const HostPattern& theirs : other.hosts) {
      if (!overlap(host, theirs)) continue;
      context.problems.add(node.mark,
                           "`" + host.text() + "` has a client certificate already, by `" +
                               theirs.text() + "` of " + other.source,
                           "write each host in one entry only");
      return;
    }
  }
}

struct Draft {
  ClientCertConfig& entry;
  const OriginsConfig& before;
};

void read_hosts(Context& context, const Node& node, Draft& draft) {
  const auto items =
      yaml::list_of(context.problems, node, "`hosts: [api.corp.example]`", Empty::refused);
  refuse_repeated(context, items);
  for (const Node& item : items) {
    auto host = read_host(context, item, HostUse::secret);
    if (!host) continue;
    refuse_second(context, item, *host, draft.before);
    draft.entry.hosts.push_back(std::move(*host));
  }
}

constexpr Field<Draft> fields[] = {
    {"hosts", Need::required, read_hosts},
    {"cert", Need::required,
     [](Context& context, const Node& node, Draft& draft) {
       if (auto path = read_path(context, node, "a PEM file")) draft.entry.cert_file = *path;
     }},
    {"key", Need::required,
     [](Context& context, const Node& node, Draft& draft) {
       if (auto path = read_path(context, node, "a PEM file")) draft.entry.key_file = *path;
     }},
};

}  // namespace

void read_client_certs(Context& context, const Node& node, OriginsConfig& origins) {
  for (const Node& item :
       yaml::list_of(context.problems, node, "`client_certs: [{hosts: ..., cert: ..., key: ...}]`",
                     Empty::allowed)) {
    ClientCertConfig entry;
    entry.source = context.source_of(item.mark);
    Draft draft{entry, origins};
    yaml::read_mapping(context, item, fields, example, draft);
    origins.client_certs.push_back(std::move(entry));
  }
}

}  // namespace egret::schema
