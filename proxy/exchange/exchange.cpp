#include "proxy/exchange/exchange.h"

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/exchange/body_guard.h"
#include "proxy/exchange/content_coding.h"
#include "proxy/wire/http1_syntax.h"
#include "proxy/wire/websocket.h"

namespace egret {
namespace {

constexpr std::array<std::string_view, 9> hop_by_hop = {
    "connection",          "proxy-connection",  "keep-alive",    "te", "trailer", "upgrade",
    "proxy-authorization", "transfer-encoding", "content-length"};

// What an agent could use to tell an origin another host, client or method than the one decided on,
// or to have its credentials echoed (ATTACKS A12, A17, C06, D21, F16).
constexpr std::array<std::string_view, 18> never_forwarded = {"host",
                                                              "forwarded",
                                                              "via",
                                                              "x-forwarded-for",
                                                              "x-forwarded-host",
                                                              "x-forwarded-proto",
                                                              "x-forwarded-port",
                                                              "x-forwarded-server",
                                                              "x-original-url",
                                                              "x-rewrite-url",
                                                              "x-real-ip",
                                                              "max-forwards",
                                                              "early-data",
                                                              "http2-settings",
                                                              "expect",
                                                              "sec-websocket-extensions",
                                                              "x-http-method-override",
                                                              "x-method-override"};

constexpr std::array<std::string_view, 8> never_returned = {
    "connection", "proxy-connection",   "keep-alive",   "upgrade",
    "alt-svc",    "proxy-authenticate", "proxy-status", "proxy-authentication-info"};

// Where the response is searched for secrets it has to come whole, and in a coding that the gate
// reads (F03).
constexpr std::array<std::string_view, 3> hides_the_response = {"accept-encoding", "range",
                                                                "if-range"};

template <std::size_t N>
bool among(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

using syntax::lower;

bool is_end_to_end_critical(std::string_view name) {
  return name == "host" || name == "content-length" || name == "transfer-encoding" ||
         name == "content-type" || name == "content-encoding" || name == "cookie" ||
         is_credential_header(name);
}

std::optional<Refusal> check_fields(const RequestHead& head, Admission& admission) {
  for (const std::string& name : syntax::list_elements(head.fields, "connection")) {
    if (name != "proxy-authorization" && is_end_to_end_critical(name)) {
      return Refusal{400,
                     {Reason::header_invalid,
                      {},
                      "the Connection field may not name a field that the origin needs"}};
    }
  }
  if (const auto expect = head.fields.find("expect")) {
    if (lower(*expect) != "100-continue" || head.fields.count("expect") > 1) {
      return Refusal{
          417,
          {Reason::header_invalid, {}, "the only expectation that can be met is 100-continue"}};
    }
    admission.expects_continue = head.version != Version::http10;
  }
  if (const auto upgrade = head.fields.find("upgrade")) {
    const std::string protocols = lower(*upgrade);
    if (protocols.find("h2c") != std::string::npos || head.fields.has("http2-settings")) {
      return Refusal{
          400, {Reason::upgrade_denied, {}, "HTTP/2 without TLS is not possible here; use https"}};
    }
    if (protocols.find("websocket") != std::string::npos) {
      if (const auto checked = check_websocket_request(head); !checked)
        return refusal_of(checked.error());
      admission.websocket = true;
    }
  }
  return std::nullopt;
}

// Methods that no rule opens have their own status (ATTACKS A17).
int denial_status(const Denial& denial, std::string_view method) {
  const bool never = method == "TRACE" || method == "TRACK" || method == "CONNECT";
  return never ? 405 : status_of(denial.reason);
}

void refuse(Admission& admission, Refusal refusal) {
  admission.permit.reset();
  admission.refusal = std::move(refusal);
}

}  // namespace

Admission admit(const SandboxSnapshot& snapshot, const Ingress& ingress, const RequestHead& head) {
  Admission admission;
  auto addressed = address_request(ingress, head);
  if (!addressed) {
    admission.settled = ingress.settled;
    refuse(admission, addressed.error());
    return admission;
  }
  admission.addressed = std::move(*addressed);
  if (auto refusal = check_fields(head, admission)) {
    refuse(admission, std::move(*refusal));
    return admission;
  }
  Verdict verdict = decide(snapshot.policy,
                           {admission.addressed->target, head.method, &admission.addressed->path});
  if (auto* denial = std::get_if<Denial>(&verdict)) {
    const int status = denial_status(*denial, head.method);
    refuse(admission, {status, std::move(*denial)});
    return admission;
  }
  auto plan = plan_secrets(snapshot.grants, *admission.addressed, head);
  if (!plan) {
    admission.alarm = plan.error().alarm;
    refuse(admission, plan.error().refusal);
    return admission;
  }
  if (auto unreadable = check_body_coding(snapshot, admission.addressed->target, head.fields)) {
    refuse(admission, std::move(*unreadable));
    return admission;
  }
  admission.secrets = std::move(*plan);
  admission.permit = std::get<Permit>(std::move(verdict));
  return admission;
}

RequestHead head_for_origin(const Admission& admission, const RequestHead& head) {
  const std::vector<std::string> dropped = syntax::list_elements(head.fields, "connection");
  const Addressed& addressed = *admission.addressed;
  RequestHead out;
  out.method = head.method;
  out.target = addressed.path.text();
  out.form = out.target == "*" ? TargetForm::asterisk : TargetForm::origin;
  out.version = Version::http11;
  out.fields.add("host", addressed.target.authority());
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    const auto field = head.fields[i];
    if (among(hop_by_hop, field.name) || among(never_forwarded, field.name)) continue;
    if (admission.secrets.scans_response && among(hides_the_response, field.name)) continue;
    if (field.name == "cookie" && admission.secrets.drops_cookies) continue;
    if (std::find(dropped.begin(), dropped.end(), field.name) != dropped.end()) continue;
    out.fields.add(field.name, field.value);
  }
  if (admission.secrets.scans_response)
    out.fields.add("accept-encoding", readable_offer(head.fields));
  if (!admission.websocket && syntax::lists_token(head.fields, "te", "trailers"))
    out.fields.add("te", "trailers");
  if (admission.websocket) {
    out.fields.add("connection", "Upgrade");
    out.fields.add("upgrade", "websocket");
    const std::string extensions = websocket_extension_offers(head.fields);
    if (!extensions.empty()) out.fields.add("sec-websocket-extensions", extensions);
  }
  return out;
}

Result<void, Refusal> clean_response(ResponseHead& head,
                                     const std::shared_ptr<const Needles>& needles,
                                     std::uint64_t& redactions) {
  if (head.status == 407)
    return Refusal{502, {Reason::upstream_framing, {}, "the origin asked for proxy credentials"}};
  const std::vector<std::string> dropped = syntax::list_elements(head.fields, "connection");
  for (std::size_t i = head.fields.size(); i-- > 0;) {
    const auto field = head.fields[i];
    const bool drop = among(never_returned, field.name) ||
                      (std::find(dropped.begin(), dropped.end(), field.name) != dropped.end() &&
                       !is_end_to_end_critical(field.name));
    if (drop) {
      head.fields.remove_at(i);
      continue;
    }
    if (needles->empty()) continue;
    std::uint64_t found = 0;
    const std::string value = replace_all(needles, field.value, found);
    if (found > 0) head.fields.set_value(i, value);
    redactions += found;
  }
  head.reason = replace_all(needles, head.reason, redactions);
  return {};
}

FieldList clean_trailers(const FieldList& trailers, const std::shared_ptr<const Needles>& needles,
                         std::uint64_t& redactions) {
  FieldList out;
  for (std::size_t i = 0; i < trailers.size(); ++i) {
    const auto field = trailers[i];
    if (!among(never_returned, field.name))
      out.add(field.name, replace_all(needles, field.value, redactions));
  }
  return out;
}

std::optional<Refusal> check_trailers(const SandboxSnapshot& snapshot, const FieldList& trailers) {
  for (std::size_t i = 0; i < trailers.size(); ++i) {
    const auto field = trailers[i];
    for (const std::string_view text : {field.name, field.value}) {
      std::uint64_t found = 0;
      replace_all(snapshot.body, text, found);
      if (found > 0) {
        return Refusal{403,
                       {Reason::secret_location,
                        {},
                        "a placeholder may not stand in a field behind the body"}};
      }
    }
  }
  return std::nullopt;
}

const std::shared_ptr<const Needles>& needles_for_response(const SandboxSnapshot& snapshot,
                                                           const Host& host) {
  return snapshot.grants.any_covers(host) ? snapshot.redact : snapshot.mask;
}

}  // namespace egret
