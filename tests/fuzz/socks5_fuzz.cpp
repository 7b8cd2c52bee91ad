// SOCKS5: the same conversation whatever the pieces.
#include <string>

#include "proxy/wire/socks5.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

namespace {

struct Conversation {
  std::string sent;
  bool fault = false;
  std::string target;
};

Conversation converse(Socks5Server::Auth auth, std::string_view text, std::size_t piece_bytes_max) {
  Socks5Server server(auth);
  Conversation outcome;
  std::string held;
  const auto take = [&](std::string_view piece) {
    held += piece;
    for (;;) {
      const auto progress = server.feed(held);
      if (!progress) {
        outcome.fault = true;
        outcome.sent += server.fault_reply();
        return false;
      }
      require(progress->consumed <= held.size(), "no more consumed than there is");
      held.erase(0, progress->consumed);
      outcome.sent += progress->reply;
      if (progress->ready) {
        const Authority& authority = server.request()->authority;
        require(authority.port.has_value() && *authority.port != 0, "a request has a port");
        outcome.target = authority.host.authority_text() + ":" + std::to_string(*authority.port);
        return false;
      }
      if (!progress->need_check) return true;
      outcome.sent += server.authenticated(server.credentials()->user != "evil");
    }
  };
  fuzz::in_pieces(text, piece_bytes_max, take);
  require(outcome.target.find('\0') == std::string::npos, "no NUL in a host");
  return outcome;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::uint8_t options = input.octet();
  const auto auth = options % 2 == 0 ? Socks5Server::Auth::none : Socks5Server::Auth::password;
  const std::string_view text = input.rest();
  const Conversation octets = converse(auth, text, 1);
  const Conversation pieces = converse(auth, text, 2 + options / 2);
  require(
      octets.sent == pieces.sent && octets.fault == pieces.fault && octets.target == pieces.target,
      "the same conversation whatever the pieces");
  return 0;
}
