// ClientHello: what was decided on a beginning stays decided when more arrives.
#include "proxy/wire/client_hello.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const std::size_t cut = input.octet() * std::size_t{3};
  const std::string_view text = input.rest();
  ClientHello part, whole;
  const auto read_part = read_client_hello(text.substr(0, cut), part);
  const auto read_whole = read_client_hello(text, whole);
  if (!read_part) {
    require(!read_whole, "a refused beginning stays refused");
  } else if (*read_part == HelloState::complete) {
    require(read_whole.has_value() && *read_whole == HelloState::complete,
            "complete stays complete");
    require(part.server_name == whole.server_name && part.alpn == whole.alpn &&
                part.has_ech == whole.has_ech && part.has_server_name == whole.has_server_name,
            "and says the same");
  }
  if (read_whole && *read_whole == HelloState::complete) {
    require(whole.has_server_name != whole.server_name.empty(), "a name is not empty");
    for (const auto& protocol : whole.alpn)
      require(!protocol.empty(), "nor is a protocol");
  }
  return 0;
}
