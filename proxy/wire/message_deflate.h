// DEFLATE of WebSocket messages (RFC 7692 part 7.2), step by step: whatever a message grows to, a
// step yields at most 16 KiB of it. Windows are kept between messages unless the sides agreed to
// reset them. What zlib held is wiped when it is freed: it may have been a secret.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "policy/result.h"
#include "proxy/wire/message.h"

struct z_stream_s;  // zlib's

namespace egret {

enum class ContextTakeover : bool { no, yes };

struct ZlibDeleter {
  int (*end)(z_stream_s*);
  void operator()(z_stream_s* stream) const;
};
using ZlibStream = std::unique_ptr<z_stream_s, ZlibDeleter>;

// Of one direction's messages, in order.
class MessageInflater {
 public:
  static constexpr std::size_t step_bytes_max = std::size_t{16} << 10;

  MessageInflater(unsigned window_bits, ContextTakeover takeover);
  ~MessageInflater();
  MessageInflater(MessageInflater&&) noexcept = default;

  // The next piece of the message; only when there is nothing more to take.
  void give(std::string_view compressed);
  // The message is complete. Behind the last take() the next one may begin.
  void give_end();
  // A take() may yield more.
  bool has_more() const { return more_; }
  // Appends the next step. A fault where the data is not valid; no call may follow it.
  Result<void, WireFault> take(std::string& out);

 private:
  bool settle_end();
  ZlibStream stream_;
  ContextTakeover takeover_;
  std::string input_;
  std::size_t used_ = 0;
  bool more_ = false;
  bool ending_ = false;
  bool fresh_ = true;  // no octet since the message or the last stream in it began
};

class MessageDeflater {
 public:
  MessageDeflater(unsigned window_bits, ContextTakeover takeover);
  MessageDeflater(MessageDeflater&&) noexcept = default;

  void push(std::string_view in, std::string& out);
  // Everything pushed can be inflated from what is out.
  void flush(std::string& out);
  // The same, and the message ends here. What flush() gave last is out for good: the four octets
  // that RFC 7692 7.2.1 removes are those of this call.
  void finish(std::string& out);

 private:
  void run(std::string_view in, int mode, std::string& out);
  ZlibStream stream_;
  ContextTakeover takeover_;
  bool unflushed_ = false;
};

}  // namespace egret
