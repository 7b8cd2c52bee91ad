// What a request's fields may say, and which of them an origin gets.
#include "tests/proxy/exchange/scene.h"

using namespace egret;
using namespace egret::test;

namespace {

RequestHead forwarded(const Fields& extra, const char* method = "GET") {
  Fields fields = {{"host", "plain.test"}};
  fields.insert(fields.end(), extra.begin(), extra.end());
  return sent(*scene(), inside("https://plain.test"), request(method, "/x?y", fields));
}

int status_of_fields(const Fields& extra, Version version = Version::http11) {
  Fields fields = {{"host", "plain.test"}};
  fields.insert(fields.end(), extra.begin(), extra.end());
  RequestHead head = request("GET", "/", fields);
  head.version = version;
  const Admission admission = admit(*scene(), inside("https://plain.test"), head);
  return admission.refusal ? admission.refusal->status : 200;
}

const Fields websocket = {{"upgrade", "websocket"},
                          {"connection", "Upgrade"},
                          {"sec-websocket-version", "13"},
                          {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="}};

}  // namespace

TEST_CASE("the origin gets a request built afresh from the canonical target") {
  const SnapshotPtr snapshot = scene();
  const RequestHead head =
      request("GET", "http://Plain.TEST:80/a?b", {{"host", "plain.test:80"}, {"accept", "*/*"}});
  const RequestHead out = sent(*snapshot, explicit_proxy(), head);
  CHECK(out.target == "/a?b");
  CHECK(out.form == TargetForm::origin);
  CHECK(out.fields[0].name == "host");
  CHECK(out.fields.find("host") == "plain.test");
  CHECK(out.fields.count("host") == 1);
  CHECK(out.fields.find("accept") == "*/*");
  const RequestHead other = sent(*scene(), inside("https://port.test:443"),
                                 request("GET", "/", {{"host", "port.test:443"}}));
  CHECK(other.fields.find("host") == "port.test");
}

TEST_CASE("hop-by-hop fields, and what could name another host or method, stay at the gate") {
  const char* const names[] = {"connection",
                               "proxy-connection",
                               "keep-alive",
                               "te",
                               "trailer",
                               "upgrade",
                               "proxy-authorization",
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
                               "x-http-method-override",
                               "x-method-override"};
  for (const char* name : names) {
    CAPTURE(name);
    const RequestHead out = forwarded({{name, "value"}, {"x-kept", "kept"}});
    CHECK_FALSE(out.fields.has(name));
    CHECK(out.fields.find("x-kept") == "kept");
  }
}

TEST_CASE("what Connection nominates is removed, whatever the case and the list") {
  const RequestHead out = forwarded({{"connection", "close , X-One"},
                                     {"connection", "\tx-two,"},
                                     {"x-one", "1"},
                                     {"x-two", "2"},
                                     {"x-three", "3"}});
  CHECK_FALSE(out.fields.has("connection"));
  CHECK_FALSE(out.fields.has("x-one"));
  CHECK_FALSE(out.fields.has("x-two"));
  CHECK(out.fields.find("x-three") == "3");
}

TEST_CASE("Connection may not nominate what the origin needs") {
  for (const char* name : {"host", "Authorization", "x-api-key", "content-length",
                           "Transfer-Encoding", "cookie", "content-type", "content-encoding"}) {
    CAPTURE(name);
    CHECK(status_of_fields({{"connection", std::string("close, ") + name}}) == 400);
  }
  CHECK(status_of_fields({{"connection", "close, x-anything"}}) == 200);
}

TEST_CASE("100-continue is the only expectation") {
  CHECK(status_of_fields({{"expect", "100-continue"}}) == 200);
  CHECK(status_of_fields({{"expect", "100-Continue"}}) == 200);
  for (const char* expectation : {"", "y 100-continue", "100-continue, x", "200-ok"}) {
    CAPTURE(expectation);
    CHECK(status_of_fields({{"expect", expectation}}) == 417);
  }
  CHECK(status_of_fields({{"expect", "100-continue"}, {"expect", "100-continue"}}) == 417);
  CHECK_FALSE(forwarded({{"expect", "100-continue"}}, "POST").fields.has("expect"));
}

TEST_CASE("the gate answers an expectation itself, to a client that knows it") {
  const SnapshotPtr snapshot = scene();
  RequestHead head = request("POST", "/", {{"host", "plain.test"}, {"expect", "100-continue"}});
  CHECK(admit(*snapshot, inside("https://plain.test"), head).expects_continue);
  head.version = Version::http10;
  CHECK_FALSE(admit(*snapshot, inside("https://plain.test"), head).expects_continue);
}

TEST_CASE("an upgrade is to websocket, whole and alone, or it does not leave") {
  CHECK(status_of_fields(websocket) == 200);
  CHECK(status_of_fields({{"upgrade", "h2c"}, {"connection", "upgrade"}}) == 400);
  CHECK(status_of_fields({{"upgrade", "websocket, H2C"}, {"connection", "upgrade"}}) == 400);
  for (std::size_t missing = 1; missing < websocket.size(); ++missing) {
    Fields fields = websocket;
    fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(missing));
    CAPTURE(websocket[missing].first);
    CHECK(status_of_fields(fields) == 400);
  }
  const RequestHead other = forwarded({{"upgrade", "TLS/1.0"}, {"connection", "upgrade"}});
  CHECK_FALSE(other.fields.has("upgrade"));
  CHECK_FALSE(other.fields.has("connection"));
}

TEST_CASE("a checked upgrade is written afresh") {
  Fields fields = websocket;
  fields[1].second = "keep-alive, Upgrade, x-hop";
  fields.emplace_back("x-hop", "1");
  const RequestHead out = forwarded(fields);
  CHECK(out.fields.find("upgrade") == "websocket");
  CHECK(out.fields.find("connection") == "Upgrade");
  CHECK(out.fields.count("connection") == 1);
  CHECK(out.fields.count("upgrade") == 1);
  CHECK_FALSE(out.fields.has("x-hop"));
}

TEST_CASE("compression of a WebSocket is offered at every host, and no other extension") {
  Fields fields = websocket;
  fields.insert(fields.begin(), {"host", "hub.test"});
  fields.emplace_back("sec-websocket-extensions", "x-other");
  fields.emplace_back("sec-websocket-extensions", "permessage-deflate;client_max_window_bits");
  const RequestHead out = sent(*scene(), inside("https://hub.test"), request("GET", "/", fields));
  CHECK(out.fields.count("sec-websocket-extensions") == 1);
  CHECK(out.fields.find("sec-websocket-extensions") ==
        "permessage-deflate; client_max_window_bits");
  fields.pop_back();
  CHECK_FALSE(sent(*scene(), inside("https://hub.test"), request("GET", "/", fields))
                  .fields.has("sec-websocket-extensions"));
}

TEST_CASE("methods that no rule opens have a status of their own") {
  for (const char* method : {"TRACE", "TRACK"}) {
    const Admission admission = admit(*scene(), inside("https://plain.test"),
                                      request(method, "/", {{"host", "plain.test"}}));
    REQUIRE(admission.refusal.has_value());
    CHECK(admission.refusal->status == 405);
  }
  const Admission odd =
      admit(*scene(), inside("https://plain.test"), request("get", "/", {{"host", "plain.test"}}));
  REQUIRE(odd.refusal.has_value());
  CHECK(odd.refusal->status == 403);
}
