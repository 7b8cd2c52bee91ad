#include "proxy/wire/socks5.h"

#include <string>
#include <vector>

#include <doctest/doctest.h>

using namespace egret;
using namespace std::string_literals;
using Auth = Socks5Server::Auth;

namespace {

struct Outcome {
  std::string sent;
  bool ready = false;
  bool fault = false;
  Reason reason = Reason::rule;
  std::string target;  // host:port
  std::string user, password;
  std::string left;  // behind the request
};

// A client that sends `stream` in pieces of so many bytes; credentials count if they are
// `accepted`.
Outcome run(Auth auth, const std::string& stream, std::size_t piece_bytes, bool accepted = true) {
  Socks5Server server(auth);
  Outcome outcome;
  std::string held;
  std::size_t given = 0;
  bool again = false;
  while (!outcome.ready && (again || given < stream.size())) {
    if (!again) {
      held += stream.substr(given, piece_bytes);
      given += std::min(piece_bytes, stream.size() - given);
    }
    again = false;
    const auto progress = server.feed(held);
    if (!progress) {
      outcome.fault = true;
      outcome.reason = progress.error().reason;
      outcome.sent += server.fault_reply();
      return outcome;
    }
    held.erase(0, progress->consumed);
    outcome.sent += progress->reply;
    outcome.ready = progress->ready;
    if (progress->need_check) {
      outcome.sent += server.authenticated(accepted);
      again = accepted && !held.empty();
      if (!accepted) return outcome;
    }
  }
  outcome.left = held + stream.substr(given);
  if (server.credentials()) {
    outcome.user = server.credentials()->user;
    outcome.password = server.credentials()->password;
  }
  if (outcome.ready) {
    const Authority& authority = server.request()->authority;
    outcome.target = authority.host.authority_text() + ":" + std::to_string(*authority.port);
  }
  return outcome;
}

const std::string hello = "\x05\x01\x00"s;
const std::string hello_answer = "\x05\x00"s;

std::string to_name(const std::string& name, const std::string& port = "\x01\xbb") {
  return "\x05\x01\x00\x03"s + static_cast<char>(name.size()) + name + port;
}

}  // namespace

TEST_CASE("a request is read whatever the pieces, and what is behind it stays") {
  struct Row {
    Auth auth;
    std::string stream;
    std::string sent;
    std::string target;
  };
  const std::string login = "\x05\x02\x00\x02"s + "\x01\x03web\x02pw";
  const std::string login_answer = "\x05\x02\x01\x00"s;
  const std::vector<Row> rows = {
      {Auth::none, hello + to_name("A.example."), hello_answer, "a.example:443"},
      {Auth::none, "\x05\x02\x00\x02"s + to_name("a.example"), hello_answer, "a.example:443"},
      {Auth::none, hello + to_name("192.0.2.7"), hello_answer, "192.0.2.7:443"},
      {Auth::none, hello + to_name(std::string(63, 'a') + ".b"), hello_answer,
       std::string(63, 'a') + ".b:443"},
      {Auth::none, hello + "\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"s, hello_answer,
       "192.0.2.1:80"},
      {Auth::none,
       hello + "\x05\x01\x00\x04"s + "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01\xff\xff",
       hello_answer, "[2001:db8::1]:65535"},
      {Auth::password, login + to_name("a.example"), login_answer, "a.example:443"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.target);
    const std::string stream = row.stream + "\x16more";
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
      CAPTURE(piece);
      const Outcome outcome = run(row.auth, stream, piece);
      CHECK(outcome.ready);
      CHECK(outcome.sent == row.sent);
      CHECK(outcome.target == row.target);
      CHECK(outcome.left == "\x16more");
      CHECK(outcome.user == (row.auth == Auth::password ? "web" : ""));
      CHECK(outcome.password == (row.auth == Auth::password ? "pw" : ""));
    }
  }
}

TEST_CASE("what is refused is refused with the reply that says so, whatever the pieces") {
  const auto failed = [](SocksReply reply) { return Socks5Server::reply_to_request(reply); };
  const std::string general = hello_answer + failed(SocksReply::general_failure);
  struct Row {
    Auth auth;
    std::string stream;
    Reason reason;
    std::string sent;
  };
  const std::vector<Row> rows = {
      {Auth::none, "\x04\x01\x00\x50"s, Reason::protocol_denied, ""},
      {Auth::none, "\x05\x00"s, Reason::identity_missing, "\x05\xff"},
      {Auth::none, "\x05\x01\x02"s, Reason::identity_missing, "\x05\xff"},
      {Auth::password, "\x05\x01\x00"s, Reason::identity_missing, "\x05\xff"},
      {Auth::password, "\x05\x01\x02\x02"s, Reason::identity_missing, "\x05\x02\x01\x01"},
      {Auth::password, "\x05\x01\x02\x01\x00\x02pw"s, Reason::identity_missing, "\x05\x02\x01\x01"},
      {Auth::none, hello + "\x04", Reason::framing_invalid, general},
      {Auth::none, hello + "\x05\x02", Reason::protocol_denied,
       hello_answer + failed(SocksReply::command_not_supported)},
      {Auth::none, hello + "\x05\x03", Reason::protocol_denied,
       hello_answer + failed(SocksReply::command_not_supported)},
      {Auth::none, hello + "\x05\x01\x01", Reason::framing_invalid, general},
      {Auth::none, hello + "\x05\x01\x00\x02"s, Reason::host_malformed,
       hello_answer + failed(SocksReply::address_type_not_supported)},
      {Auth::none, hello + to_name("evil.example\0.allowed.example"s), Reason::host_malformed,
       general},
      {Auth::none, hello + to_name(""), Reason::host_malformed, general},
      {Auth::none, hello + to_name("a..b"), Reason::host_malformed, general},
      {Auth::none, hello + to_name(".a.example"), Reason::host_malformed, general},
      {Auth::none, hello + to_name("a.example:443"), Reason::host_malformed, general},
      {Auth::none, hello + to_name("u@a.example"), Reason::host_malformed, general},
      {Auth::none, hello + to_name("[a.example]"), Reason::host_malformed, general},
      {Auth::none, hello + to_name("::1"), Reason::host_malformed, general},
      {Auth::none, hello + to_name("a%2eexample"), Reason::host_malformed, general},
      {Auth::none,
       hello + to_name("a\xff"
                       "b"),
       Reason::host_malformed, general},
      {Auth::none, hello + to_name("127.1"), Reason::host_malformed, general},
      {Auth::none, hello + to_name(std::string(255, 'a')), Reason::host_malformed, general},
      {Auth::none, hello + to_name("a.example", "\0\0"s), Reason::host_malformed, general},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CAPTURE(i);
    const Row& row = rows[i];
    for (std::size_t piece = 1; piece <= row.stream.size(); ++piece) {
      const Outcome outcome = run(row.auth, row.stream, piece);
      CHECK(outcome.fault);
      CHECK_FALSE(outcome.ready);
      CHECK((outcome.reason == row.reason));
      CHECK(outcome.sent == row.sent);
    }
  }
}

TEST_CASE("wrong credentials end the conversation") {
  const std::string stream = "\x05\x01\x02\x01\x03web\x01x" + to_name("a.example");
  const Outcome outcome = run(Auth::password, stream, stream.size(), false);
  CHECK_FALSE(outcome.ready);
  CHECK(outcome.sent == "\x05\x02\x01\x01");
  Socks5Server server(Auth::password);
  REQUIRE(server.feed("\x05\x01\x02\x01\x03web\x01x").has_value());
  server.authenticated(false);
  CHECK_FALSE(server.feed(to_name("a.example")).has_value());
}

TEST_CASE("a reply to a request names no bound address") {
  CHECK(Socks5Server::reply_to_request(SocksReply::succeeded) == "\x05\0\0\x01\0\0\0\0\0\0"s);
  CHECK(Socks5Server::reply_to_request(SocksReply::not_allowed) == "\x05\x02\0\x01\0\0\0\0\0\0"s);
}
