#include "proxy/wire/client_hello.h"

#include <algorithm>

#include "proxy/wire/octet_reader.h"

namespace egret {
namespace {

constexpr std::size_t hello_bytes_max = 64 * 1024;
constexpr std::size_t record_bytes_max = 16 * 1024;
constexpr std::size_t record_head_bytes = 5;
// Each call looks at every record again: a hello in a great many tiny ones would cost their square.
constexpr std::size_t records_max = 2048;
constexpr std::size_t handshake_head_bytes = 4;
constexpr std::uint32_t client_hello_type = 1;
constexpr std::uint32_t handshake_record = 0x16;

enum Extension : std::uint32_t { server_name = 0, alpn = 16, encrypted_client_hello = 0xfe0d };

WireFault broken(const char* what) {
  return {400, Reason::tls_handshake_failed, what};
}

// The fragments of handshake records, one behind the other, as far as they have come.
class HandshakeFragments {
 public:
  explicit HandshakeFragments(std::string_view bytes) : reader_(bytes) {}

  // The whole first handshake message; nothing yet where it is not all there.
  Result<std::optional<std::string_view>, WireFault> first_message() {
    const std::optional<std::string_view> incomplete;
    for (std::size_t records = 0;; ++records) {
      if (records == records_max) return broken("a ClientHello in too many records");
      OctetReader head = reader_;
      const std::uint32_t type = head.number(1);
      if (!head.failed() && type != handshake_record) {
        return broken("another record inside a ClientHello");
      }
      const std::uint32_t major = head.number(1);
      if (!head.failed() && major != 3) return not_tls(records);
      head.number(1);
      const std::size_t length = head.number(2);
      if (head.failed()) return incomplete;
      if (length == 0 || length > record_bytes_max)
        return broken("a handshake record of a bad size");
      reader_.bytes(record_head_bytes);
      const std::size_t there = std::min(length, reader_.left());
      if (auto added = add(reader_.bytes(there)); !added) return added.error();
      const bool record_complete = there == length;
      if (wanted_ != 0 && size_ == wanted_ && record_complete) return message();
      if (!record_complete) return incomplete;
    }
  }

 private:
  static WireFault not_tls(std::size_t records) {
    if (records != 0) return broken("records of different protocols");
    return {400, Reason::not_tls, "a record of no TLS version"};
  }

  // Most hellos lie in one record and are not copied.
  Result<void, WireFault> add(std::string_view fragment) {
    if (fragment.empty()) return {};
    if (size_ == 0) {
      first_ = fragment;
    } else {
      if (joined_.empty()) joined_.assign(first_);
      joined_.append(fragment);
    }
    size_ += fragment.size();
    OctetReader reader(so_far());
    const std::uint32_t type = reader.number(1);
    if (!reader.failed() && type != client_hello_type)
      return broken("the first message is no ClientHello");
    const std::size_t length = reader.number(3);
    if (reader.failed()) return {};
    wanted_ = length + handshake_head_bytes;
    if (wanted_ > hello_bytes_max) return broken("a ClientHello over 64 KiB");
    if (size_ > wanted_) return broken("more in the record than a ClientHello");
    return {};
  }
  std::string_view so_far() const { return joined_.empty() ? first_ : std::string_view(joined_); }
  std::optional<std::string_view> message() const { return so_far().substr(handshake_head_bytes); }

  OctetReader reader_;
  std::string_view first_;
  std::string joined_;
  std::size_t size_ = 0;
  std::size_t wanted_ = 0;  // 0: not known yet
};

Result<void, WireFault> read_server_name(std::string_view data, ClientHello& out) {
  OctetReader reader(data);
  OctetReader list(reader.counted(2));
  const std::uint32_t name_type = list.number(1);
  const std::string_view name = list.counted(2);
  if (!reader.at_end() || list.failed() || name.empty()) return broken("a malformed server_name");
  if (name_type != 0) return broken("a server_name of another type");
  if (!list.at_end()) return broken("more than one server_name");
  out.server_name.assign(name);
  return {};
}

Result<void, WireFault> read_alpn(std::string_view data, ClientHello& out) {
  OctetReader reader(data);
  OctetReader list(reader.counted(2));
  while (list.left() != 0) {
    const std::string_view protocol = list.counted(1);
    if (protocol.empty()) return broken("a malformed ALPN list");
    out.alpn.emplace_back(protocol);
  }
  if (!reader.at_end() || list.failed() || out.alpn.empty()) return broken("a malformed ALPN list");
  return {};
}

Result<void, WireFault> read_extension(std::uint32_t type, std::string_view data,
                                       ClientHello& out) {
  switch (type) {
    case server_name:
      if (out.has_server_name) return broken("server_name twice");
      out.has_server_name = true;
      return read_server_name(data, out);
    case alpn:
      if (!out.alpn.empty()) return broken("ALPN twice");
      return read_alpn(data, out);
    case encrypted_client_hello:
      out.has_ech = true;
      return {};
    default:
      return {};
  }
}

Result<void, WireFault> read_message(std::string_view message, ClientHello& out) {
  OctetReader reader(message);
  const std::uint32_t legacy_major = reader.number(1);
  reader.number(1);
  reader.bytes(32);  // random
  const std::string_view session_id = reader.counted(1);
  const std::string_view ciphers = reader.counted(2);
  const std::string_view compressions = reader.counted(1);
  if (reader.failed() || legacy_major != 3 || session_id.size() > 32 || ciphers.empty() ||
      ciphers.size() % 2 != 0 || compressions.empty()) {
    return broken("a malformed ClientHello");
  }
  if (reader.at_end()) return {};  // no extensions at all: TLS 1.2 without a name
  OctetReader extensions(reader.counted(2));
  if (!reader.at_end()) return broken("octets behind the extensions");
  while (extensions.left() != 0) {
    const std::uint32_t type = extensions.number(2);
    const std::string_view data = extensions.counted(2);
    if (extensions.failed()) break;
    if (auto read = read_extension(type, data, out); !read) return read;
  }
  if (extensions.failed()) return broken("a malformed extension");
  return {};
}

}  // namespace

Result<HelloState, WireFault> read_client_hello(std::string_view bytes, ClientHello& out) {
  out = ClientHello{};
  if (bytes.empty()) return HelloState::incomplete;
  if (!looks_like_tls(bytes)) return WireFault{400, Reason::not_tls, "no TLS handshake record"};
  HandshakeFragments fragments(bytes);  // the message may lie in it
  const auto message = fragments.first_message();
  if (!message) return message.error();
  if (!*message && bytes.size() >= hello_bytes_max) return broken("a ClientHello over 64 KiB");
  if (!*message) return HelloState::incomplete;
  if (auto read = read_message(**message, out); !read) return read.error();
  return HelloState::complete;
}

}  // namespace egret
