#include "proxy/exchange/reply.h"

#include "proxy/wire/json_string.h"

namespace egret {
namespace {

std::string_view phrase_of(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 405:
      return "Method Not Allowed";
    case 407:
      return "Proxy Authentication Required";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 421:
      return "Misdirected Request";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    case 508:
      return "Loop Detected";
    default:
      return "Error";
  }
}

// RFC 9209 2.3 error types.
std::string_view proxy_error_of(const Refusal& refusal) {
  switch (refusal.denial.reason) {
    case Reason::dns_failed:
      return "dns_error";
    case Reason::upstream_tls:
      return "tls_certificate_error";
    case Reason::upstream_framing:
      return "http_protocol_error";
    case Reason::body_unreadable:
      if (refusal.status == 502) return "http_response_content_coding";
      break;
    case Reason::upstream_unreachable:
      return "destination_unavailable";
    case Reason::upstream_timeout:
      return "connection_timeout";
    case Reason::addr_forbidden:
      return "destination_ip_prohibited";
    case Reason::loop:
      return "proxy_loop_detected";
    case Reason::audit_unavailable:
    case Reason::internal:
      return "proxy_internal_error";
    default:
      break;
  }
  return refusal.status == 403 ? "http_request_denied" : "http_request_error";
}

std::string_view error_word_of(int status) {
  if (status == 403 || status == 405 || status == 421 || status == 407) return "egress_denied";
  return status >= 500 ? "gateway_error" : "bad_request";
}

std::string_view default_hint(Reason reason) {
  switch (reason) {
    case Reason::audit_unavailable:
      return "the gate cannot write its audit file; nothing passes until it can: ask the person "
             "who runs it";
    case Reason::authority_mismatch:
      return "the Host field, the request target and the TLS server name have to name one and the "
             "same host";
    case Reason::upstream_tls:
      return "the origin's certificate was not accepted for this name; a private root goes into "
             "origins.ca_files of egret.yaml";
    case Reason::dns_failed:
      return "the name has no address in DNS";
    case Reason::upstream_unreachable:
      return "no connection to the origin could be made";
    case Reason::upstream_timeout:
      return "the origin did not answer in time";
    case Reason::upstream_framing:
      return "the origin's answer was not valid HTTP";
    case Reason::identity_missing:
      return "this listener needs credentials that name the sandbox: use the proxy URL that `egret "
             "env` prints";
    case Reason::loop:
      return "the request would come back to the gate itself";
    default:
      return "";
  }
}

void append_member(std::string& out, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  out += out.size() > 1 ? "," : "";
  out.append("\"").append(key).append("\":\"");
  append_json_escaped(text, JsonQuotes::short_form, text.size() * 6, out);
  out += '"';
}

std::string body_of(const Refusal& refusal, const ReplyContext& context) {
  const Denial& denial = refusal.denial;
  std::string out = "{";
  append_member(out, "error", error_word_of(refusal.status));
  append_member(out, "reason", name(denial.reason));
  if (context.target != nullptr) {
    append_member(out, "host", context.target->host.text());
    out += ",\"port\":" + std::to_string(context.target->port);
  }
  append_member(out, "sandbox", context.sandbox);
  append_member(out, "id", context.id);
  append_member(out, "rule", denial.rule);
  append_member(out, "hint",
                denial.hint.empty() ? default_hint(denial.reason) : std::string_view(denial.hint));
  out += "}\n";
  return out;
}

}  // namespace

int status_of(Reason reason) {
  switch (reason) {
    case Reason::host_malformed:
    case Reason::path_noncanonical:
    case Reason::framing_invalid:
    case Reason::header_invalid:
    case Reason::upgrade_denied:
    case Reason::protocol_denied:
      return 400;
    case Reason::authority_mismatch:
    case Reason::sni_mismatch:
      return 421;
    case Reason::identity_missing:
    case Reason::identity_mismatch:
      return 407;
    case Reason::limit_head_bytes:
    case Reason::limit_header_fields:
      return 431;
    case Reason::limit_uri_bytes:
      return 414;
    case Reason::limit_body_bytes:
      return 413;
    case Reason::body_unreadable:
      return 415;
    case Reason::limit_time:
      return 408;
    case Reason::limit_connections:
    case Reason::limit_dns_names:
    case Reason::limit_rate:
      return 429;
    case Reason::dns_failed:
    case Reason::upstream_tls:
    case Reason::upstream_framing:
    case Reason::upstream_unreachable:
    case Reason::secret_reflected:
      return 502;
    case Reason::upstream_timeout:
      return 504;
    case Reason::loop:
      return 508;
    case Reason::audit_unavailable:
    case Reason::secret_unresolved:
    case Reason::internal:
      return 503;
    default:
      return 403;
  }
}

Refusal refusal_of(Denial denial) {
  const int status = status_of(denial.reason);
  return {status, std::move(denial)};
}

Refusal refusal_of(Reason reason) {
  return refusal_of(Denial{reason, {}, {}});
}

Refusal refusal_of(const WireFault& fault) {
  return {fault.status, {fault.reason, {}, fault.what}};
}

Reply reply_to(const Refusal& refusal, const ReplyContext& context) {
  Reply reply;
  reply.body = body_of(refusal, context);
  reply.head.status = refusal.status;
  reply.head.reason = phrase_of(refusal.status);
  reply.head.fields.add("content-type", "application/json");
  std::string status = "egret; error=";
  status += proxy_error_of(refusal);
  status += "; details=\"";
  status += name(refusal.denial.reason);
  status += '"';
  reply.head.fields.add("proxy-status", status);
  reply.head.fields.add("cache-control", "no-store");
  if (refusal.status == 407) reply.head.fields.add("proxy-authenticate", "Basic realm=\"egret\"");
  if (refusal.status == 405)
    reply.head.fields.add("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  return reply;
}

}  // namespace egret
