#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/proxy/wire/http1_rows.h"

using namespace egret;
using namespace egret::http1_tests;
using namespace std::string_literals;

TEST_CASE("a plain request is read into its parts") {
  const Parsed parsed = parse(
      "PUT /a/b?x=%20|{}^`y HTTP/1.1\r\nHost: a.example:81\r\nX-Empty:\r\n"
      "x-Spaced: \t v w\x80 \t\r\ncontent-length: 12\r\n\r\n");
  REQUIRE(parsed.status == 0);
  CHECK(parsed.head.method == "PUT");
  CHECK(parsed.head.target == "/a/b?x=%20|{}^`y");
  CHECK(parsed.head.form == TargetForm::origin);
  CHECK(parsed.head.version == Version::http11);
  CHECK(parsed.head.fields.find("x-empty") == "");
  CHECK(parsed.head.fields.find("x-spaced") == "v w\x80");
  CHECK(parsed.length == BodyLength{BodyLength::Kind::length, 12});
  CHECK_FALSE(parsed.head.fields.has("content-length"));
}

TEST_CASE("method and shape decide the form of the target") {
  struct Form {
    std::string line;
    TargetForm form;
  };
  const std::vector<Form> forms = {
      {"GET / HTTP/1.1", TargetForm::origin},
      {"GET //x HTTP/1.1", TargetForm::origin},
      {"GET /http://a/ HTTP/1.1", TargetForm::origin},
      {"OPTIONS * HTTP/1.1", TargetForm::asterisk},
      {"GET http://a.example/ HTTP/1.1", TargetForm::absolute},
      {"GET HTTPS://a.example HTTP/1.1", TargetForm::absolute},
      {"GET ftp://a.example/ HTTP/1.1", TargetForm::absolute},
      {"GET file:///etc/passwd HTTP/1.1", TargetForm::absolute},
      {"CONNECT a.example:443 HTTP/1.1", TargetForm::authority},
      {"CONNECT [::1]:443 HTTP/1.1", TargetForm::authority},
      {"CONNECT * HTTP/1.1", TargetForm::authority},
  };
  for (const Form& row : forms) {
    CAPTURE(row.line);
    const Parsed parsed = parse(get(row.line));
    CHECK(parsed.status == 0);
    CHECK(parsed.head.form == row.form);
  }
}

TEST_CASE("a request line that two recipients could read differently is refused") {
  check_rows({
      {get("GET / HTTP/1.0"), 0},
      {get("GET / HTTP/1.2"), 505},
      {get("GET / HTTP/2.0"), 505},
      {get("GET / HTTP/0.9"), 505},
      {get("PRI * HTTP/2.0"), 505},
      {get("GET / http/1.1"), 400},
      {get("GET / HTTP/1.1 "), 400},
      {get("GET / HTTP/1.10"), 400},
      {get("GET / HTTP/11"), 400},
      {get("GET /"), 400},
      {get("GET / "), 400},
      {get("GET"), 400},
      {get(""), 400},
      {get(" GET / HTTP/1.1"), 400},
      {get("GET  / HTTP/1.1"), 400},
      {get("GET /  HTTP/1.1"), 400},
      {get("GET\t/ HTTP/1.1"), 400},
      {get("GET /\tHTTP/1.1"), 400},
      {get("GET /a b HTTP/1.1"), 400},
      {get("\r\nGET / HTTP/1.1"), 400},
      {get("\nGET / HTTP/1.1"), 400},
      {get("G\xc3\x89T / HTTP/1.1"), 400},
      {get("GE(T / HTTP/1.1"), 400},
      {get("G\0T / HTTP/1.1"s), 400},
      // Any token is a method here; which ones there are is for policy.
      {get("get / HTTP/1.1"), 0},
      {get("GE!T / HTTP/1.1"), 0},
      {get("TRACE / HTTP/1.1"), 0},
      {get(std::string(32, 'M') + " / HTTP/1.1"), 0},
      {get(std::string(33, 'M') + " / HTTP/1.1"), 501},
      {get(std::string(300, 'M') + " / HTTP/1.1"), 501},
  });
}

TEST_CASE("a request target that could name another place is refused") {
  check_rows({
      {get("GET @evil.example/ HTTP/1.1"), 400},
      {get("GET evil.example/ HTTP/1.1"), 400},
      {get("GET a.example:443 HTTP/1.1"), 400},
      {get("GET http:/a.example HTTP/1.1"), 400},
      {get("GET ://a.example HTTP/1.1"), 400},
      {get("GET 1http://a.example HTTP/1.1"), 400},
      {get("GET ht_tp://a.example HTTP/1.1"), 400},
      {get("GET * HTTP/1.1"), 400},
      {get("OPTIONS ** HTTP/1.1"), 400},
      {get("GET /a#b HTTP/1.1"), 400},
      {get("GET /a\\b HTTP/1.1"), 400},
      {get("GET /a\"b HTTP/1.1"), 400},
      {get("GET /<b> HTTP/1.1"), 400},
      {get("GET /a\x80 HTTP/1.1"), 400},
      {get("GET /a\xff HTTP/1.1"), 400},
      {get("GET /a\x7f HTTP/1.1"), 400},
      {get("GET /a\0b HTTP/1.1"s), 400},
      {get("CONNECT / HTTP/1.1"), 400},
      {get("CONNECT http://a.example:443/ HTTP/1.1"), 400},
      {get("CONNECT a.example:443/ HTTP/1.1"), 400},
      {get("CONNECT a.example?:443 HTTP/1.1"), 400},
  });
}

TEST_CASE("exactly one Host for HTTP/1.1, at most one for HTTP/1.0") {
  check_rows({
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nhOsT: b\r\n\r\n", 400},
      {"GET http://a/ HTTP/1.0\r\n\r\n", 0},
      {"GET / HTTP/1.0\r\nHost: a\r\n\r\n", 0},
      {"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\xff.example\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
  });
  CHECK(parse("GET / HTTP/1.1\r\n\r\n").reason == Reason::host_malformed);
}

TEST_CASE("a field line is a token, a colon, and clean octets up to exactly CRLF") {
  check_rows({
      {with("X: \xe4\xf6\r\n"), 0},
      {with("!#$%&'*+-.^_`|~09az: v\r\n"), 0},
      {with(": v\r\n"), 400},
      {with("X\r\n"), 400},
      {with("X : v\r\n"), 400},
      {with("X\t: v\r\n"), 400},
      {with("X\xe4: v\r\n"), 400},
      {with("X(y): v\r\n"), 400},
      {with("X\0y: v\r\n"s), 400},
      {with("X: a\0b\r\n"s), 400},
      {with("X: a\x01\r\n"), 400},
      {with("X: a\x7f\r\n"), 400},
      {with("X: a\x0b\r\n"), 400},
      {with("X: a\rb\r\n"), 400},
      {with("X: a\nY: b\r\n"), 400},
      {with("X: a\n"), 400},
      {with("X: a\r\r\n"), 400},
      {with("X: a\r\n b\r\n"), 400},
      {with("X: a\r\n\tb\r\n"), 400},
      {with("X: a\r\n \r\n"), 400},
      {with("Authorization: Bearer \xe4\r\n"), 400},
      {with("Connection: \xe4\r\n"), 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\n\n", 400},
      {"GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n\r\n", 400},
  });
}

TEST_CASE("every limit has its status") {
  std::string many;
  for (int i = 0; i < 3000; ++i)
    many += "a:b\r\n";
  const std::string endless_line = "GET /" + std::string(40'000, 'a');
  const std::string endless_field = "GET / HTTP/1.1\r\nX: " + std::string(40'000, 'a');
  struct Limit {
    std::string text;
    int status;
    Reason reason;
  };
  const std::vector<Limit> rows = {
      {get("GET /" + std::string(8191, 'a') + " HTTP/1.1"), 0, Reason::rule},
      {get("GET /" + std::string(8192, 'a') + " HTTP/1.1"), 414, Reason::limit_uri_bytes},
      {get("GET /" + std::string(15'000, 'a') + " HTTP/1.1"), 414, Reason::limit_uri_bytes},
      {endless_line, 414, Reason::limit_uri_bytes},
      {endless_field, 431, Reason::limit_head_bytes},
      {with("X: " + std::string(8189, 'a') + "\r\n"), 0, Reason::rule},
      {with("X: " + std::string(8190, 'a') + "\r\n"), 431, Reason::limit_head_bytes},
      {with(many), 431, Reason::limit_header_fields},
      {with("X: " + std::string(33'000, 'a') + "\r\n"), 431, Reason::limit_head_bytes},
  };
  for (const Limit& row : rows) {
    CAPTURE(row.text.substr(0, 40));
    CAPTURE(row.text.size());
    const Parsed parsed = parse(row.text);
    CHECK(parsed.status == row.status);
    CHECK(parsed.reason == row.reason);
  }
}

TEST_CASE("exactly as many fields as allowed are accepted") {
  Http1Limits limits;
  limits.fields_max = 3;
  CHECK(parse(with("A: 1\r\nB: 2\r\n"), limits).status == 0);
  CHECK(parse(with("A: 1\r\nB: 2\r\nC: 3\r\n"), limits).status == 431);
}

TEST_CASE("the end of a head is found whatever the pieces, and never too early") {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
  const std::string stream = head + "GET /next HTTP/1.1\r\n\r\n";
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    CAPTURE(first);
    std::size_t scanned = 0;
    const auto early = find_head_end(std::string_view(stream).substr(0, first), scanned);
    if (first < head.size()) {
      CHECK_FALSE(early.has_value());
    } else {
      CHECK(early == head.size());
    }
    if (!early) CHECK(find_head_end(stream, scanned) == head.size());
  }
  std::size_t scanned = 0;
  std::optional<std::size_t> end;
  std::size_t given = 0;
  while (!end)
    end = find_head_end(std::string_view(stream).substr(0, ++given), scanned);
  CHECK(given == head.size());
}

TEST_CASE("a head cut anywhere is refused, not read as a shorter one") {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  for (std::size_t size = 0; size < head.size(); ++size) {
    CAPTURE(size);
    RequestHead out;
    CHECK_FALSE(parse_request_head(std::string_view(head).substr(0, size), {}, out).has_value());
  }
  RequestHead out;
  CHECK(parse_request_head(head, {}, out).has_value());
}

TEST_CASE("no octet but those of the grammar gets through, wherever it stands") {
  const std::string head = "GET /abc HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  for (std::size_t at = 0; at < head.size(); ++at) {
    for (int c : {0, 1, 9, 10, 11, 12, 13, 27, 32, 127, 128, 160, 255}) {
      std::string changed = head;
      changed[at] = static_cast<char>(c);
      if (changed == head) continue;
      CAPTURE(at);
      CAPTURE(c);
      RequestHead out;
      const bool accepted = parse_request_head(changed, {}, out).has_value();
      const bool is_space = c == 9 || c == 32;
      const bool in_value = head.find("Host:") + 5 == at || head.find("th:") + 3 == at ||
                            head.find(" a\r") + 1 == at || head.find(" 5\r") + 1 == at;
      CHECK(accepted == (is_space && in_value));
    }
  }
}

TEST_CASE("a head leaves nothing of the one before it") {
  RequestHead out;
  REQUIRE(parse_request_head("PUT /long HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n", {}, out).has_value());
  REQUIRE(parse_request_head("GET / HTTP/1.0\r\n\r\n", {}, out).has_value());
  CHECK(out.method == "GET");
  CHECK(out.target == "/");
  CHECK(out.version == Version::http10);
  CHECK(out.fields.empty());
}
