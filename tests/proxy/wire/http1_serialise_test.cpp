#include <csignal>
#include <functional>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/wire/http1.h"

using namespace egret;
using Kind = BodyLength::Kind;

namespace {

RequestHead request(const char* method, const char* target) {
  RequestHead head;
  head.method = method;
  head.target = target;
  head.fields.add("X-Before", "1");
  head.fields.add("Host", "a.example");
  head.fields.add("x-after", "2");
  return head;
}

std::string text_of(const RequestHead& head, BodyLength length) {
  std::string out;
  append_request_head(out, head, length);
  return out;
}

std::string text_of(const ResponseHead& head, BodyLength length, bool close) {
  std::string out;
  append_response_head(out, head, length, close);
  return out;
}

// In a child, whose end is all that is looked at.
bool aborts(const std::function<void()>& action) {
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGABRT, SIG_DFL);
    action();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace

TEST_CASE("a request head is written in order, with our framing behind the fields") {
  const std::string fields = "x-before: 1\r\nhost: a.example\r\nx-after: 2\r\n";
  struct Row {
    const char* method;
    BodyLength length;
    std::string framing;
  };
  const std::vector<Row> rows = {
      {"GET", {}, ""},
      {"POST", {}, "content-length: 0\r\n"},
      {"PUT", {}, "content-length: 0\r\n"},
      {"PATCH", {}, "content-length: 0\r\n"},
      {"DELETE", {}, ""},
      {"POST", {Kind::length, 0}, "content-length: 0\r\n"},
      {"POST", {Kind::length, 12345678901}, "content-length: 12345678901\r\n"},
      {"POST", {Kind::chunked, 0}, "transfer-encoding: chunked\r\n"},
  };
  for (const Row& row : rows) {
    CHECK(text_of(request(row.method, "/a?b"), row.length) ==
          std::string(row.method) + " /a?b HTTP/1.1\r\n" + fields + row.framing + "\r\n");
  }
}

TEST_CASE("a response head says close where it must") {
  ResponseHead head;
  head.status = 200;
  head.reason = "OK";
  head.version = Version::http10;
  head.fields.add("a", "b");
  CHECK(text_of(head, {Kind::length, 5}, false) ==
        "HTTP/1.1 200 OK\r\na: b\r\ncontent-length: 5\r\n\r\n");
  CHECK(text_of(head, {Kind::chunked, 0}, true) ==
        "HTTP/1.1 200 OK\r\na: b\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
  CHECK(text_of(head, {Kind::until_close, 0}, false) ==
        "HTTP/1.1 200 OK\r\na: b\r\nconnection: close\r\n\r\n");
  head.status = 304;
  head.reason.clear();
  head.fields.add("content-length", "5");
  CHECK(text_of(head, {}, false) == "HTTP/1.1 304 \r\na: b\r\ncontent-length: 5\r\n\r\n");
}

TEST_CASE("chunks and trailers") {
  std::string out;
  append_chunk_start(out, 0x1a2b);
  append_chunk_end(out);
  FieldList trailers;
  trailers.add("Grpc-Status", "0");
  append_last_chunk(out, trailers);
  CHECK(out == "1a2b\r\n\r\n0\r\ngrpc-status: 0\r\n\r\n");
}

TEST_CASE("what is written reads back as the same") {
  RequestHead head = request("POST", "http://a.example/x|y");
  RequestHead read;
  REQUIRE(parse_request_head(text_of(head, {Kind::length, 7}), {}, read).has_value());
  const auto length = take_request_length(read);
  REQUIRE(length.has_value());
  CHECK(*length == BodyLength{Kind::length, 7});
  CHECK(text_of(read, *length) == text_of(head, {Kind::length, 7}));
}

TEST_CASE("a head that would break the framing is never written") {
  const auto with = [](const char* name, const char* value) {
    return [name, value] {
      RequestHead head = request("POST", "/");
      head.fields.add(name, value);
      text_of(head, {});
    };
  };
  CHECK_FALSE(aborts(with("x", "y")));
  CHECK(aborts(with("content-length", "5")));
  CHECK(aborts(with("transfer-encoding", "chunked")));
  CHECK(aborts(with("host", "b.example")));
  CHECK(aborts(with("x", "a\r\nb: c")));
  CHECK(aborts(with("x", "a\nb")));
  CHECK(aborts([] { text_of(request("GET /", "/"), {}); }));
  CHECK(aborts([] { text_of(request("GET", "/ HTTP/1.1\r\nX: y"), {}); }));
  CHECK(aborts([] { text_of(request("GET", "/"), {Kind::until_close, 0}); }));
  CHECK(aborts([] {
    RequestHead head = request("GET", "/");
    head.fields.remove("host");
    text_of(head, {});
  }));
  CHECK(aborts([] {
    ResponseHead head;
    head.status = 200;
    head.fields.add("content-length", "5");
    text_of(head, {Kind::length, 5}, false);
  }));
  CHECK(aborts([] {
    std::string out;
    append_chunk_start(out, 0);
  }));
}
