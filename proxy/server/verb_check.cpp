#include <iostream>
#include <utility>

#include <nlohmann/json.hpp>

#include "proxy/exchange/exchange.h"
#include "proxy/server/verbs.h"

namespace egret {
namespace {

// The request that a client would make for this URL, and how it would come in: the same values and
// the same admit() as in service, so that check and enforcement cannot disagree.
struct Imagined {
  RequestHead head;
  Ingress ingress;
};

Result<Imagined, Failure> imagine(const CheckFlags& flags) {
  std::string_view url = flags.url;
  const std::size_t colon = url.find("://");
  if (colon == std::string_view::npos)
    return Failure{"egret: check: \"" + flags.url + "\" is no URL; write https://host/path", 2};
  const std::string_view scheme = url.substr(0, colon);
  if (scheme != "http" && scheme != "https") {
    return Failure{"egret: check: only http:// and https:// URLs can be checked", 2};
  }
  url.remove_prefix(colon + 3);
  url = url.substr(0, url.find('#'));
  const std::size_t slash = url.find_first_of("/?");
  const std::string authority(url.substr(0, slash));
  Imagined out;
  out.head.method = flags.method;
  out.head.target = slash == std::string_view::npos ? "/" : std::string(url.substr(slash));
  if (out.head.target.front() == '?') out.head.target.insert(0, "/");
  out.head.fields.add("host", authority);
  const auto parsed = parse_authority(authority);
  if (!parsed)
    return Failure{"egret: check: \"" + authority + "\": " + std::string(describe(parsed.error())),
                   2};
  if (scheme == "https") {
    out.ingress.kind = Ingress::Kind::intercepted;
    out.ingress.settled = Target{Scheme::https, parsed->host, parsed->port.value_or(443)};
  } else {
    out.ingress.kind = Ingress::Kind::transparent_plain;
    out.ingress.port = parsed->port.value_or(80);
  }
  return out;
}

struct Finding {
  bool allowed = false;
  bool tunnel = false;
  std::string reason, rule, hint, address_note;
};

// An address that is known without asking DNS: a pin or a literal.
void check_known_address(const SandboxSnapshot& snapshot, const Permit& permit, Finding& finding) {
  std::optional<Denial> denial;
  if (const ResolvePin* pin = pin_for(snapshot.addresses, permit.target().host)) {
    if (const auto checked = check_pin(permit, *pin); !checked) denial = checked.error();
  } else if (permit.target().host.is_address()) {
    const auto checked = check_address(permit, snapshot.addresses, *permit.target().host.address());
    if (!checked) denial = checked.error();
  }
  if (!denial) return;
  finding.allowed = false;
  finding.reason = name(denial->reason);
  finding.hint = denial->hint;
}

Finding find_out(const SandboxSnapshot& snapshot, const Imagined& imagined) {
  Finding finding;
  if (imagined.ingress.settled) {
    const Target& target = *imagined.ingress.settled;
    const Verdict tunnel = decide_tunnel(snapshot.policy, {Scheme::tcp, target.host, target.port});
    if (const auto* permit = std::get_if<Permit>(&tunnel)) {
      finding = {true, true, std::string(name(Reason::rule)), permit->rule(), {}, {}};
      check_known_address(snapshot, *permit, finding);
      return finding;
    }
  }
  const Admission admission = admit(snapshot, imagined.ingress, imagined.head);
  if (admission.permit) {
    finding = {true, false, std::string(name(Reason::rule)), admission.permit->rule(), {}, {}};
    check_known_address(snapshot, *admission.permit, finding);
    return finding;
  }
  const Denial& denial = admission.refusal->denial;
  return {false, false, std::string(name(denial.reason)), denial.rule, denial.hint, {}};
}

}  // namespace

int check_verb(const CheckFlags& flags) {
  auto setup = setup_for_sandbox(flags);
  if (!setup) return fail(setup.error());
  const SandboxSetup& sandbox = setup->sandboxes.front();
  // Without its secrets: nothing is read or minted to answer a question.
  const SnapshotPtr snapshot = make_snapshot(sandbox.name, 1, Policy(sandbox.rules), GrantTable(),
                                             address_rules(setup->config));
  const auto imagined = imagine(flags);
  if (!imagined) return fail(imagined.error());
  const Finding finding = find_out(*snapshot, *imagined);
  if (flags.json) {
    nlohmann::ordered_json out;
    out["decision"] = finding.allowed ? "allow" : "deny";
    out["reason"] = finding.reason;
    out["sandbox"] = sandbox.name;
    out["method"] = flags.method;
    out["url"] = flags.url;
    if (!finding.rule.empty()) out["rule"] = finding.rule;
    if (finding.tunnel) out["tunnel"] = true;
    if (!finding.hint.empty()) out["hint"] = finding.hint;
    std::cout << out.dump() << "\n";
  } else {
    std::cout << (finding.allowed ? "allow" : "deny") << "  " << flags.method << " " << flags.url
              << "\n";
    std::cout << "  sandbox  " << sandbox.name << "\n  reason   " << finding.reason << "\n";
    if (!finding.rule.empty()) std::cout << "  rule     " << finding.rule << "\n";
    if (finding.tunnel) std::cout << "  tunnel   relayed without interception\n";
    if (!finding.hint.empty()) std::cout << "  hint     " << finding.hint << "\n";
  }
  return finding.allowed ? 0 : 1;
}

}  // namespace egret
