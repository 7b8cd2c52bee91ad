// A sandbox with a grant of every kind, and requests in one line each, for the tests of one
// request's life.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/exchange/exchange.h"
#include "tests/policy/decide/rule_builder.h"

namespace egret::test {

// One that begins with a known prefix and keeps its length, and plain ones of 40 characters that
// stand for longer and shorter values.
inline const std::string hub_secret = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
inline const std::string hub_placeholder = "ghp_egret" + std::string(31, 'H');
inline const std::string query_secret = "query value: a&b=c/d?e%41+~";
inline const std::string query_placeholder = "egret" + std::string(35, 'Q');
inline const std::string path_secret = "123456:AAE-path/../value";
inline const std::string path_placeholder = "egret" + std::string(35, 'P');
inline const std::string body_secret =
    "the value for bodies, which is longer than what stands for it";
inline const std::string body_placeholder = "egret" + std::string(35, 'B');
inline const std::string field_secret = "the value of a field";
inline const std::string field_placeholder = "egret" + std::string(35, 'F');
inline const std::string open_secret = "the value at an open host";
inline const std::string open_placeholder = "egret" + std::string(35, 'O');
// Well formed and never minted for this sandbox.
inline const std::string strange_placeholder = "egret" + std::string(35, 'Z');

inline Grant grant(const std::string& name, const std::string& placeholder, std::string value,
                   const std::vector<std::string>& hosts, const std::vector<std::string>& places,
                   Foreign foreign = Foreign::refuse) {
  auto secret = Secret::from(std::move(value));
  auto minted = Placeholder::parse(placeholder);
  REQUIRE(secret.has_value());
  REQUIRE(minted.has_value());
  Grant made{name, *minted, std::make_shared<const Secret>(std::move(*secret)), {}, {}, foreign};
  for (const std::string& host : hosts)
    made.hosts.push_back(pattern(host));
  for (const std::string& place : places) {
    auto parsed = Place::parse(place);
    REQUIRE_MESSAGE(parsed.has_value(), place);
    made.places.push_back(std::move(*parsed));
  }
  return made;
}

inline std::vector<Grant> all_grants() {
  return {grant("HUB", hub_placeholder, hub_secret, {"hub.test", "*.hub.test"}, {"header"}),
          grant("QUERY", query_placeholder, query_secret, {"query.test"}, {"query:key"}),
          grant("PATH", path_placeholder, path_secret, {"path.test"}, {"path"}),
          grant("BODY", body_placeholder, body_secret, {"body.test"}, {"body"}),
          grant("FIELD", field_placeholder, field_secret, {"field.test"}, {"header:x-own"}),
          grant("OPEN", open_placeholder, open_secret, {"open.test"}, {"header"}, Foreign::allow)};
}

// Everything below `.test` may be reached; secrets go to fewer places than that.
inline SnapshotPtr scene() {
  return make_snapshot("web", 1,
                       Policy({allow("*").methods({}).at("egret.yaml:7"), deny("no.test")}),
                       GrantTable(all_grants()), AddressRules());
}

using Fields = std::vector<std::pair<std::string, std::string>>;

inline RequestHead request(std::string method, std::string target, const Fields& fields) {
  RequestHead head;
  head.method = std::move(method);
  head.target = std::move(target);
  head.form = head.target == "*"             ? TargetForm::asterisk
              : head.target.starts_with('/') ? TargetForm::origin
              : head.method == "CONNECT"     ? TargetForm::authority
                                             : TargetForm::absolute;
  for (const auto& [name, value] : fields)
    head.fields.add(name, value);
  return head;
}

// Inside TLS that was terminated for this authority.
inline Ingress inside(std::string_view url) {
  Ingress ingress;
  ingress.kind = Ingress::Kind::intercepted;
  ingress.settled = target(url);
  return ingress;
}

inline Ingress explicit_proxy() {
  return {};
}

inline Ingress redirected(std::uint16_t port) {
  Ingress ingress;
  ingress.kind = Ingress::Kind::transparent_plain;
  ingress.port = port;
  return ingress;
}

// A GET over https to this host.
inline Admission ask(const SandboxSnapshot& snapshot, const std::string& host,
                     const std::string& path, Fields fields) {
  fields.insert(fields.begin(), {"host", host});
  return admit(snapshot, inside("https://" + host), request("GET", path, fields));
}

// `allowed`, or the reason that refuses.
inline std::string outcome(const Admission& admission) {
  CHECK(admission.permit.has_value() != admission.refusal.has_value());
  return admission.refusal ? std::string(name(admission.refusal->denial.reason)) : "allowed";
}

// What the origin would get for it.
inline RequestHead sent(const SandboxSnapshot& snapshot, const Ingress& ingress,
                        const RequestHead& head) {
  const Admission admission = admit(snapshot, ingress, head);
  REQUIRE(outcome(admission) == "allowed");
  RequestHead out = head_for_origin(admission, head);
  inject_secrets(snapshot.grants, admission.secrets, out);
  return out;
}

}  // namespace egret::test
