#include "proxy/exchange/ingress.h"

#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

struct Row {
  const char* target;
  const char* host;  // null: no Host field
  const char* expected;
};

std::string addressed(const Ingress& ingress, const Row& row) {
  Fields fields;
  if (row.host != nullptr) fields.emplace_back("host", row.host);
  const auto result = address_request(ingress, request("GET", row.target, fields));
  if (result) return result->target.text() + " " + std::string(result->path.text());
  return std::to_string(result.error().status) + " " +
         std::string(name(result.error().denial.reason));
}

void check_rows(const Ingress& ingress, std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    CAPTURE(row.target);
    CAPTURE(row.host);
    CHECK(addressed(ingress, row) == row.expected);
  }
}

}  // namespace

TEST_CASE("to the proxy a request names its target in full, and Host has to agree") {
  check_rows(explicit_proxy(),
             {{"http://a.test/x?y=1", "a.test", "http://a.test:80 /x?y=1"},
              {"HTTP://A.test./x", "a.TEST", "http://a.test:80 /x"},
              {"http://a.test:80/x", "a.test", "http://a.test:80 /x"},
              {"http://a.test/x", "a.test:80", "http://a.test:80 /x"},
              {"http://a.test:8080/", "a.test:8080", "http://a.test:8080 /"},
              {"http://a.test", nullptr, "http://a.test:80 /"},
              {"http://a.test?q", "a.test", "http://a.test:80 /?q"},
              {"http://[2001:db8::1]:81/", "[2001:db8::1]:81", "http://[2001:db8::1]:81 /"},
              {"http://evil.test/", "a.test", "400 authority_mismatch"},
              {"http://a.test/", "evil.test", "400 authority_mismatch"},
              {"http://a.test:8080/", "a.test", "400 authority_mismatch"},
              {"http://a.test/", "a.test:81", "400 authority_mismatch"},
              {"http://a.test/", "a.test, evil.test", "400 host_malformed"},
              {"http://a.test/", "", "400 host_malformed"},
              {"http://a.test@evil.test/", "evil.test", "400 host_malformed"},
              {"http://user:word@a.test/", "a.test", "400 host_malformed"},
              {"http:///x", "a.test", "400 host_malformed"},
              {"http://a%2etest/", "a.test", "400 host_malformed"},
              {"http://.a.test/", ".a.test", "400 host_malformed"},
              {"http://[a.test]/", "a.test", "400 host_malformed"},
              {"http://a.test:0/", "a.test", "400 host_malformed"},
              {"http://a.test:65536/", "a.test", "400 host_malformed"},
              {"http://2130706433/", "2130706433", "400 host_malformed"},
              {"https://a.test/", "a.test", "400 scheme_not_allowed"},
              {"ftp://a.test/", "a.test", "400 scheme_not_allowed"},
              {"ws://a.test/", "a.test", "400 scheme_not_allowed"},
              {"/x", "a.test", "400 framing_invalid"}});
}

TEST_CASE("inside TLS every request names the host that the connection was made for") {
  check_rows(inside("https://a.test"),
             {{"/x", "a.test", "https://a.test:443 /x"},
              {"/x", "A.TEST.:443", "https://a.test:443 /x"},
              {"/x", nullptr, "https://a.test:443 /x"},
              {"https://a.test/x", "a.test", "https://a.test:443 /x"},
              {"/x", "evil.test", "421 authority_mismatch"},
              {"/x", "a.test:80", "421 authority_mismatch"},
              {"/x", "a.test.evil.test", "421 authority_mismatch"},
              {"/x", "[a.test]", "400 host_malformed"},
              {"/x", "a.test@evil.test", "400 host_malformed"},
              {"https://evil.test/x", "evil.test", "421 authority_mismatch"},
              {"https://evil.test/x", "a.test", "421 authority_mismatch"},
              {"https://a.test/x", "evil.test", "421 authority_mismatch"},
              {"http://a.test/x", "a.test", "400 scheme_not_allowed"}});
  check_rows(inside("https://a.test:8443"), {{"/", "a.test:8443", "https://a.test:8443 /"},
                                             {"/", "a.test", "421 authority_mismatch"}});
}

TEST_CASE("on a redirected connection Host names the host, and the port is the one dialled") {
  check_rows(redirected(80), {{"/x", "a.test", "http://a.test:80 /x"},
                              {"http://a.test/x", "a.test", "http://a.test:80 /x"},
                              {"/x", "a.test:81", "400 authority_mismatch"},
                              {"http://b.test/x", "a.test", "400 authority_mismatch"},
                              {"/x", nullptr, "400 host_malformed"},
                              {"/x", "a test", "400 host_malformed"}});
  check_rows(redirected(8080), {{"/x", "a.test:8080", "http://a.test:8080 /x"},
                                {"/x", "a.test", "400 authority_mismatch"}});
}

TEST_CASE("CONNECT inside a connection that is already captured is no method") {
  for (const Ingress& ingress : {inside("https://a.test"), redirected(80)}) {
    const RequestHead head = request("CONNECT", "evil.test:443", {{"host", "a.test"}});
    const auto result = address_request(ingress, head);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().status == 405);
  }
}

TEST_CASE("a path that is too long or malformed has its own status") {
  const std::string long_path = "/" + std::string(RequestPath::bytes_max, 'a');
  CHECK(addressed(inside("https://a.test"), {long_path.c_str(), "a.test", ""}) ==
        "414 limit:uri_bytes");
  CHECK(addressed(inside("https://a.test"), {"/a\\b", "a.test", ""}) == "400 path_noncanonical");
  CHECK(addressed(explicit_proxy(), {"http://a.test/a#b", "a.test", ""}) ==
        "400 path_noncanonical");
}

TEST_CASE("the verdict is the same whatever way a request came in") {
  const SnapshotPtr snapshot =
      make_snapshot("web", 1,
                    Policy({allow("a.test").methods({"GET"}).paths({"/open/**"}), deny("no.a.test"),
                            allow("*.a.test"), allow("p.test").ports({8080})}),
                    GrantTable(), AddressRules());
  struct {
    const char* method;
    const char* host;
    const char* path;
    const char* expected;
  } const rows[] = {
      {"GET", "a.test", "/open/x", "allowed"},
      {"GET", "a.test", "/closed", "path_not_allowed"},
      {"GET", "a.test", "/open/../closed", "path_noncanonical"},
      {"POST", "a.test", "/open/x", "method_not_allowed"},
      {"TRACE", "a.test", "/open/x", "method_not_allowed"},
      {"GET", "b.a.test", "/", "allowed"},
      {"GET", "no.a.test", "/", "host_not_allowed"},
      {"GET", "evil.test", "/", "host_not_allowed"},
      {"GET", "nota.test", "/", "host_not_allowed"},
      {"GET", "p.test", "/", "port_not_allowed"},
      {"GET", "192.0.2.1", "/", "host_ip_literal"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.method);
    CAPTURE(row.host);
    CAPTURE(row.path);
    const std::string url = std::string("http://") + row.host;
    const Fields fields = {{"host", row.host}};
    const RequestHead plain = request(row.method, row.path, fields);
    const RequestHead absolute = request(row.method, url + row.path, fields);
    CHECK(outcome(admit(*snapshot, explicit_proxy(), absolute)) == row.expected);
    CHECK(outcome(admit(*snapshot, inside(url), plain)) == row.expected);
    CHECK(outcome(admit(*snapshot, redirected(80), plain)) == row.expected);
    CHECK(outcome(admit(*snapshot, inside("https://" + std::string(row.host)), plain)) ==
          row.expected);
  }
}
