#include "proxy/wire/message_deflate.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <zlib.h>

#include "policy/secret/secret.h"
#include "proxy/wire/wiping_memory.h"

namespace egret {
namespace {

// What a sender leaves out at the end of a message: the rest of an empty stored block.
constexpr std::string_view tail("\0\0\xff\xff", 4);
// Fast and small: 32 KiB a direction, where the agreed window is not smaller still.
constexpr int level = 1;
constexpr unsigned deflate_window_bits = 12;
constexpr int deflate_memory_level = 5;

ZlibStream new_stream(int (*end)(z_stream_s*)) {
  ZlibStream stream(new z_stream_s{}, ZlibDeleter{end});
  stream->zalloc = allocate_wiped_items;
  stream->zfree = free_wiped;
  return stream;
}

// zlib takes input through a pointer to what it never writes to.
unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
}

void require(int result) {
  if (result == Z_MEM_ERROR) throw std::bad_alloc();
  if (result != Z_OK) std::abort();  // a call that breaks zlib's rules
}

}  // namespace

void ZlibDeleter::operator()(z_stream_s* stream) const {
  end(stream);
  delete stream;
}

MessageInflater::MessageInflater(unsigned window_bits, ContextTakeover takeover)
    : stream_(new_stream(inflateEnd)), takeover_(takeover) {
  require(inflateInit2(stream_.get(), -static_cast<int>(window_bits)));
}

MessageInflater::~MessageInflater() {
  wipe(input_);
}

void MessageInflater::give(std::string_view compressed) {
  if (more_) std::abort();
  if (compressed.empty()) return;
  input_.assign(compressed);
  used_ = 0;
  fresh_ = false;
  more_ = true;
}

void MessageInflater::give_end() {
  if (more_) std::abort();
  ending_ = true;
  if (fresh_) {
    // Empty, or complete with a last block: some leave the octet out that would stand for nothing.
    more_ = true;
    input_.clear();
    used_ = 0;
    return;
  }
  give(tail);
}

Result<void, WireFault> MessageInflater::take(std::string& out) {
  const WireFault fault{400, Reason::framing_invalid, "a compressed message that does not inflate"};
  const std::size_t before = out.size();
  // Little input rarely becomes much.
  const std::size_t room = std::min(step_bytes_max, 512 + 16 * (input_.size() - used_));
  out.resize(before + room);
  z_stream_s& stream = *stream_;
  stream.next_in = bytes_of(std::string_view(input_).substr(used_));
  stream.avail_in = static_cast<unsigned>(input_.size() - used_);
  stream.next_out = bytes_of(std::string_view(out).substr(before));
  stream.avail_out = static_cast<unsigned>(room);
  const int result = inflate(&stream, Z_SYNC_FLUSH);
  used_ = input_.size() - stream.avail_in;
  out.resize(out.size() - stream.avail_out);
  if (result == Z_STREAM_END) {
    // A last block inside a message (7.2.3.5): what follows begins anew.
    require(inflateReset(&stream));
    fresh_ = used_ == input_.size();
  } else if (result != Z_OK && result != Z_BUF_ERROR) {
    return fault;
  }
  more_ = used_ < input_.size() || stream.avail_out == 0;
  if (!more_ && ending_ && !settle_end()) return fault;
  return {};
}

// Whether the message ends where a block does.
bool MessageInflater::settle_end() {
  constexpr int between_blocks = 128;  // zlib.h, on data_type; the lower bits: unused bits of input
  constexpr int unused_bits = 63;
  const int state = stream_->data_type;
  if (!fresh_ && ((state & between_blocks) == 0 || (state & unused_bits) != 0)) return false;
  if (takeover_ == ContextTakeover::no) require(inflateReset(stream_.get()));
  ending_ = false;
  fresh_ = true;
  return true;
}

MessageDeflater::MessageDeflater(unsigned window_bits, ContextTakeover takeover)
    : stream_(new_stream(deflateEnd)), takeover_(takeover) {
  // zlib has no window of 8 bits. In its window of 9 it looks back 250 octets at most, which is
  // within the 256 of 8 bits.
  const unsigned bits = std::clamp(window_bits, 9u, deflate_window_bits);
  require(deflateInit2(stream_.get(), level, Z_DEFLATED, -static_cast<int>(bits),
                       deflate_memory_level, Z_DEFAULT_STRATEGY));
}

void MessageDeflater::push(std::string_view in, std::string& out) {
  if (in.empty()) return;
  unflushed_ = true;
  run(in, Z_NO_FLUSH, out);
}

void MessageDeflater::flush(std::string& out) {
  if (!unflushed_) return;
  run({}, Z_SYNC_FLUSH, out);
  unflushed_ = false;
}

void MessageDeflater::finish(std::string& out) {
  if (unflushed_) {
    flush(out);
    if (!std::string_view(out).ends_with(tail)) std::abort();
    out.resize(out.size() - tail.size());
  } else {
    out.push_back('\0');  // an empty block, 7.2.3.6
  }
  if (takeover_ == ContextTakeover::no) require(deflateReset(stream_.get()));
}

void MessageDeflater::run(std::string_view in, int mode, std::string& out) {
  constexpr std::size_t room = 4096;
  if (in.size() > std::numeric_limits<unsigned>::max()) std::abort();
  z_stream_s& stream = *stream_;
  stream.next_in = bytes_of(in);
  stream.avail_in = static_cast<unsigned>(in.size());
  do {
    const std::size_t before = out.size();
    out.resize(before + room);
    stream.next_out = bytes_of(std::string_view(out).substr(before));
    stream.avail_out = static_cast<unsigned>(room);
    const int result = deflate(&stream, mode);
    if (result != Z_OK && result != Z_BUF_ERROR) std::abort();
    out.resize(out.size() - stream.avail_out);
  } while (stream.avail_out == 0);
}

}  // namespace egret
