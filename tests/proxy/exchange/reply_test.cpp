// The answers of the gate itself: valid JSON that says why, and no byte of the request in them.
#include "proxy/exchange/reply.h"

#include <nlohmann/json.hpp>

#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

nlohmann::json body_of(const Reply& reply) {
  auto json = nlohmann::json::parse(reply.body, nullptr, false);
  REQUIRE_FALSE(json.is_discarded());
  return json;
}

}  // namespace

TEST_CASE("a denial says what, why, for whom and what to do") {
  const Target to = target("https://evil.test");
  const Refusal refusal =
      refusal_of(Denial{Reason::host_not_allowed, "egret.yaml:14", "allow it in egret.yaml"});
  const Reply reply = reply_to(refusal, {"web", "0123456789abcdef", &to});
  CHECK(reply.head.status == 403);
  CHECK(reply.head.reason == "Forbidden");
  CHECK(reply.head.fields.find("content-type") == "application/json");
  CHECK(reply.head.fields.find("proxy-status") ==
        "egret; error=http_request_denied; details=\"host_not_allowed\"");
  CHECK(reply.head.fields.find("cache-control") == "no-store");
  const nlohmann::json body = body_of(reply);
  CHECK(body["error"] == "egress_denied");
  CHECK(body["reason"] == "host_not_allowed");
  CHECK(body["host"] == "evil.test");
  CHECK(body["port"] == 443);
  CHECK(body["sandbox"] == "web");
  CHECK(body["id"] == "0123456789abcdef");
  CHECK(body["rule"] == "egret.yaml:14");
  CHECK(body["hint"] == "allow it in egret.yaml");
}

TEST_CASE("every reason has an answer that is valid JSON and a valid head") {
  for (int number = 1; number < 64; ++number) {
    const auto reason = static_cast<Reason>(number);
    if (!reason_named(name(reason)) || reason_named(name(reason)) != reason) continue;
    CAPTURE(name(reason));
    const Reply bare = reply_to(refusal_of(Denial{reason, {}, {}}), {"", "", nullptr});
    CHECK(body_of(bare)["reason"] == std::string(name(reason)));
    CHECK(bare.head.status >= 400);
    CHECK(bare.head.status < 600);
    CHECK_FALSE(bare.head.reason.empty());
    for (std::size_t i = 0; i < bare.head.fields.size(); ++i) {
      CHECK(bare.head.fields[i].value.find_first_of("\r\n") == std::string_view::npos);
    }
  }
}

TEST_CASE("statuses follow from the reason in one place") {
  struct {
    Reason reason;
    int status;
  } const rows[] = {
      {Reason::host_not_allowed, 403},
      {Reason::secret_scope, 403},
      {Reason::foreign_credential, 403},
      {Reason::addr_forbidden, 403},
      {Reason::framing_invalid, 400},
      {Reason::host_malformed, 400},
      {Reason::authority_mismatch, 421},
      {Reason::identity_missing, 407},
      {Reason::limit_head_bytes, 431},
      {Reason::limit_uri_bytes, 414},
      {Reason::limit_body_bytes, 413},
      {Reason::limit_connections, 429},
      {Reason::limit_time, 408},
      {Reason::upstream_tls, 502},
      {Reason::upstream_framing, 502},
      {Reason::upstream_timeout, 504},
      {Reason::loop, 508},
      {Reason::audit_unavailable, 503},
      {Reason::secret_unresolved, 503},
      {Reason::dns_failed, 502},
  };
  for (const auto& row : rows) {
    CAPTURE(name(row.reason));
    CHECK(status_of(row.reason) == row.status);
  }
  CHECK(reply_to(refusal_of(Denial{Reason::identity_missing, {}, {}}), {"", "", nullptr})
            .head.fields.has("proxy-authenticate"));
}

TEST_CASE("what a refused request said is not said back") {
  const SnapshotPtr snapshot = scene();
  const std::string marker = "xyzzyMARKERxyzzy";
  const RequestHead rows[] = {
      request("GET", "/" + marker, {{"host", "no.test"}}),
      request("GET", "/?q=" + marker, {{"host", "no.test"}, {"x-" + marker, marker}}),
      request("GET", "/", {{"host", marker + "@no.test"}}),
      request("GET", "/", {{"host", "[" + marker + "]"}}),
      request(marker, "/", {{"host", "no.test"}}),
      request("GET", "/", {{"host", "no.test"}, {"expect", marker}}),
      request("GET", "/", {{"host", "no.test"}, {"connection", "host, " + marker}}),
      request("GET", "/\\" + marker, {{"host", "no.test"}}),
      request("GET", "/" + marker, {{"host", "other.test"}}),
      request("GET", "/?a=" + marker + hub_placeholder, {{"host", "no.test"}}),
  };
  for (const RequestHead& head : rows) {
    CAPTURE(head.target);
    const Admission admission = admit(*snapshot, inside("https://no.test"), head);
    REQUIRE(admission.refusal.has_value());
    const Reply reply = reply_to(*admission.refusal, {"web", "id", admission.target()});
    CHECK(reply.body.find(marker) == std::string::npos);
    CHECK(reply.body.find("HUB") == std::string::npos);
    CHECK(reply.body.find(hub_placeholder) == std::string::npos);
    for (std::size_t i = 0; i < reply.head.fields.size(); ++i) {
      CHECK(reply.head.fields[i].value.find(marker) == std::string_view::npos);
    }
    body_of(reply);
  }
}

TEST_CASE("a gRPC client is told by grpc-status and grpc-message") {
  RequestHead head;
  head.version = Version::http2;
  head.fields.add("content-type", "application/grpc+proto");
  REQUIRE(speaks_grpc(head));
  const auto status = [](Reason reason) {
    const Reply reply =
        grpc_reply_to(refusal_of(Denial{reason, {}, "50% of \"it\""}), {"web", "1", nullptr});
    CHECK(reply.head.status == 200);
    CHECK(reply.body.empty());
    const std::string message(*reply.head.fields.find("grpc-message"));
    CHECK(message.find(name(reason)) != std::string::npos);
    CHECK(message.find("50%25 of") != std::string::npos);
    return std::string(*reply.head.fields.find("grpc-status"));
  };
  CHECK(status(Reason::host_not_allowed) == "7");
  CHECK(status(Reason::authority_mismatch) == "7");
  CHECK(status(Reason::limit_rate) == "8");
  CHECK(status(Reason::upstream_unreachable) == "14");
  CHECK(status(Reason::header_invalid) == "13");

  head.version = Version::http11;
  CHECK_FALSE(speaks_grpc(head));
  RequestHead other;
  other.version = Version::http2;
  other.fields.add("content-type", "application/grpc-web");
  CHECK_FALSE(speaks_grpc(other));
}
