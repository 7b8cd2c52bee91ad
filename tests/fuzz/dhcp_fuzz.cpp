// DHCP: an answer is a message that a client can walk through, whatever the question.
#include <arpa/inet.h>

#include "sandbox-glue/vm/dhcp.h"
#include "tests/fuzz/fuzz_input.h"

using namespace egret;
using fuzz::require;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const auto question = read_dhcp(input.rest());
  if (!question) return 0;
  const DhcpLease lease{{htonl(0x0a6b0002)}, {htonl(0x0a6b0001)}, 30};
  const auto answer = answer_dhcp(*question, lease);
  if (!answer) {
    require(question->server.has_value(), "only another server's client goes unanswered");
    return 0;
  }
  require(answer->size() >= 300 && answer->size() <= 400, "an answer of one small datagram");
  std::size_t at = 240;
  while (at < answer->size() && (*answer)[at] != '\xff')
    at += 2U + static_cast<unsigned char>((*answer)[at + 1]);
  require(at < answer->size(), "its options end");
  require(!read_dhcp(*answer), "and it is no question itself");
  return 0;
}
