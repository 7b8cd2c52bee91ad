#include <algorithm>
#include <new>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "policy/secret/grant.h"
#include "proxy/wire/http2.h"
#include "proxy/wire/http2_building.h"
#include "proxy/wire/http2_callbacks.h"
#include "proxy/wire/wiping_memory.h"

namespace egret {
namespace {

constexpr std::size_t slice_bytes_max = 16 * 1024;
constexpr std::chrono::seconds budget_window{10};
constexpr std::size_t encoder_table_max = 4096;  // whatever the peer would let us use (E15)
constexpr std::uint64_t resets_a_second = 20;
constexpr std::size_t continuations_max = 8;
constexpr std::size_t settings_max = 32;

struct FreeOption {
  void operator()(nghttp2_option* option) const noexcept { nghttp2_option_del(option); }
};

// Towards origins the library's own copies of fields hold secrets.
nghttp2_mem wiped_memory() {
  return {nullptr, [](std::size_t bytes, void*) { return allocate_wiped(nullptr, bytes); },
          [](void* memory, void*) { free_wiped(nullptr, memory); },
          [](std::size_t items, std::size_t bytes_each, void*) {
            return allocate_wiped_zeros(nullptr, items, bytes_each);
          },
          [](void* memory, std::size_t bytes, void*) {
            return reallocate_wiped(nullptr, memory, bytes);
          }};
}

bool carries_nothing(unsigned type, unsigned flags, std::size_t bytes) {
  switch (type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_WINDOW_UPDATE:
    case NGHTTP2_GOAWAY:
      return false;
    case NGHTTP2_PING:
    case NGHTTP2_SETTINGS:
      return (flags & NGHTTP2_FLAG_ACK) == 0;
    case NGHTTP2_DATA:
      return bytes == 0 && (flags & NGHTTP2_FLAG_END_STREAM) == 0;
    default:  // PRIORITY, CONTINUATION, PUSH_PROMISE and what nobody knows
      return true;
  }
}

}  // namespace

void Http2Session::FreeSession::operator()(nghttp2_session* session) const noexcept {
  nghttp2_session_del(session);
}

bool Http2Session::Budget::spend(Time now, unsigned most) {
  if (now - since > budget_window) {
    since = now;
    count = 0;
  }
  return ++count <= most;
}

Http2Session::Http2Session(Role role, const Http2Limits& limits, Http2Events& events)
    : role_(role),
      limits_(limits),
      events_(events),
      frame_left_(role == Role::server ? NGHTTP2_CLIENT_MAGIC_LEN : 0) {
  nghttp2_option* raw_option = nullptr;
  if (nghttp2_option_new(&raw_option) != 0) throw std::bad_alloc();
  const std::unique_ptr<nghttp2_option, FreeOption> option(raw_option);
  nghttp2_option_set_no_auto_window_update(option.get(), 1);
  nghttp2_option_set_no_closed_streams(option.get(), 1);
  nghttp2_option_set_max_continuations(option.get(), continuations_max);
  nghttp2_option_set_max_settings(option.get(), settings_max);
  nghttp2_option_set_max_deflate_dynamic_table_size(option.get(), encoder_table_max);
  nghttp2_option_set_peer_max_concurrent_streams(option.get(), limits.streams_max);
  nghttp2_option_set_stream_reset_rate_limit(option.get(), limits.resets_received_max,
                                             resets_a_second);
  nghttp2_session* session = nullptr;
  if (role == Role::server) {
    nghttp2_session_server_new2(&session, http2_callbacks(), this, option.get());
  } else {
    nghttp2_mem memory = wiped_memory();
    nghttp2_session_client_new3(&session, http2_callbacks(), this, option.get(), &memory);
  }
  if (session == nullptr) throw std::bad_alloc();
  session_.reset(session);
  const auto all_least = static_cast<std::int64_t>(limits.streams_max) * limits.stream_window_min;
  spare_ = static_cast<std::int32_t>(
      std::max<std::int64_t>(0, limits.connection_window / 2 - all_least));
  announce();
}

Http2Session::~Http2Session() = default;

void Http2Session::announce() {
  std::vector<nghttp2_settings_entry> settings = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits_.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(limits_.stream_window_min)},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits_.head_bytes_max)},
  };
  if (role_ == Role::client) {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
  } else {
    settings.push_back({NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1});
  }
  nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0,
                                        limits_.connection_window);
}

// A quarter of what is left at most: the first streams get much, the hundredth still something.
void Http2Session::widen(StreamId stream) {
  const std::int32_t most = limits_.stream_window_max - limits_.stream_window_min;
  const std::int32_t more = std::min(most, spare_ / 4);
  if (more < limits_.stream_window_min / 4) return;
  if (nghttp2_submit_window_update(session_.get(), NGHTTP2_FLAG_NONE, stream, more) != 0) return;
  spare_ -= more;
  wider_.emplace(stream, more);
}

// Called from within a callback: the library is told once it has returned.
void Http2Session::abuse(const char* what) {
  if (abuse_ == nullptr) abuse_ = what;
}

// The heads of the frames, followed beside the library: it skips whole frames, of unknown types or
// on streams that are closed, without a callback.
void Http2Session::meter(std::string_view bytes) {
  while (true) {
    const std::size_t skipped = std::min(frame_left_, bytes.size());
    frame_left_ -= skipped;
    bytes.remove_prefix(skipped);
    const std::size_t more = std::min(frame_head_.size() - frame_head_bytes_, bytes.size());
    if (more == 0) return;
    std::copy_n(bytes.begin(), more, frame_head_.begin() + static_cast<int>(frame_head_bytes_));
    frame_head_bytes_ += more;
    bytes.remove_prefix(more);
    if (frame_head_bytes_ < frame_head_.size()) return;
    frame_head_bytes_ = 0;
    const auto octet = [this](std::size_t at) {
      return static_cast<unsigned char>(frame_head_[at]);
    };
    frame_left_ = std::size_t{octet(0)} << 16 | std::size_t{octet(1)} << 8 | std::size_t{octet(2)};
    if (carries_nothing(octet(3), octet(4), frame_left_) &&
        !idle_frames_.spend(now_, limits_.idle_frames_max))
      abuse("too many frames that carry nothing");
  }
}

Result<void, WireFault> Http2Session::receive(std::string_view bytes, Time now) {
  now_ = now;
  while (!bytes.empty() && nghttp2_session_want_read(session_.get()) != 0) {
    const std::string_view slice = bytes.substr(0, slice_bytes_max);
    meter(slice);
    const ssize_t taken =
        abuse_ != nullptr ? 0
                          : nghttp2_session_mem_recv(session_.get(), octets(slice), slice.size());
    if (abuse_ != nullptr) {
      going_ = true;
      nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
      return *fault();
    }
    if (taken < 0) {
      going_ = broken_ = true;
      if (taken == NGHTTP2_ERR_FLOODED) abuse("too many answers that the peer does not take");
      nghttp2_session_terminate_session(
          session_.get(), abuse_ != nullptr ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_PROTOCOL_ERROR);
      return *fault();
    }
    bytes.remove_prefix(static_cast<std::size_t>(taken));
  }
  return {};
}

void Http2Session::collect(std::string& out, std::size_t bytes_max) {
  out_ = &out;
  out_until_ = out.size() + bytes_max;
  while (out.size() < out_until_) {
    const std::size_t before = out.size();
    const std::uint8_t* data = nullptr;
    const ssize_t bytes = nghttp2_session_mem_send(session_.get(), &data);
    if (bytes > 0) out.append(text_of(data, static_cast<std::size_t>(bytes)));
    if (bytes <= 0 && out.size() == before) break;
  }
  out_ = nullptr;
  if (abuse_ != nullptr && !going_) {
    going_ = true;
    nghttp2_session_terminate_session(session_.get(), NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

bool Http2Session::finished() const {
  return nghttp2_session_want_read(session_.get()) == 0 &&
         nghttp2_session_want_write(session_.get()) == 0;
}

std::optional<WireFault> Http2Session::fault() const {
  if (abuse_ != nullptr) return WireFault{429, Reason::h2_abuse, abuse_};
  if (broken_)
    return WireFault{400, Reason::h2_error, "the peer does not speak HTTP/2 as it has to"};
  return std::nullopt;
}

// Counts among what the peer made us send.
void Http2Session::refuse(StreamId stream) {
  nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream, NGHTTP2_PROTOCOL_ERROR);
}

void Http2Session::finish_head(StreamId stream, bool ends) {
  if (!building_ || building_->stream != stream) return;
  const auto building = std::move(building_);
  building->complete();
  switch (building->kind) {
    case Building::Kind::request:
      building->request.ends_here = ends;
      if (building->wrong) {
        events_.on_malformed(stream, std::move(building->request), *building->wrong);
      } else {
        if (!ends) widen(stream);
        events_.on_request(stream, std::move(building->request));
        if (ends) events_.on_end(stream, {});
      }
      return;
    case Building::Kind::response:
      if (building->wrong) {
        refuse(stream);
        return;
      }
      events_.on_response(stream, std::move(building->response));
      if (ends) events_.on_end(stream, {});
      return;
    case Building::Kind::trailers:
      if (building->wrong) {
        refuse(stream);
      } else {
        events_.on_end(stream, std::move(building->trailers));
      }
      return;
  }
}

void Http2Session::respond_interim(StreamId stream, const ResponseHead& head) {
  const std::string status = std::to_string(head.status);
  std::vector<nghttp2_nv> pairs = {field_pair(":status", status)};
  append_pairs(pairs, head.fields);
  nghttp2_submit_headers(session_.get(), NGHTTP2_FLAG_NONE, stream, nullptr, pairs.data(),
                         pairs.size(), nullptr);
}

void Http2Session::respond(StreamId stream, const ResponseHead& head, BodyLength length,
                           bool with_body) {
  const std::string status = std::to_string(head.status);
  const std::string bytes = std::to_string(length.bytes);
  std::vector<nghttp2_nv> pairs = {field_pair(":status", status)};
  append_pairs(pairs, head.fields);
  if (length.kind == BodyLength::Kind::length) pairs.push_back(field_pair("content-length", bytes));
  nghttp2_data_provider body = http2_body();
  nghttp2_submit_response(session_.get(), stream, pairs.data(), pairs.size(),
                          with_body ? &body : nullptr);
}

std::optional<StreamId> Http2Session::request(const RequestHead& head, BodyLength length,
                                              bool with_body) {
  if (going_) return std::nullopt;
  const std::string bytes = std::to_string(length.bytes);
  const std::string_view authority = head.fields.find("host").value_or(std::string_view());
  std::vector<nghttp2_nv> pairs = {
      field_pair(":method", head.method),
      field_pair(":scheme", "https"),
      field_pair(":authority", authority),
      field_pair(":path", head.target, head.sensitive_target),
  };
  append_pairs(pairs, head.fields);
  if (length.kind == BodyLength::Kind::length) pairs.push_back(field_pair("content-length", bytes));
  nghttp2_data_provider body = http2_body();
  const std::int32_t stream = nghttp2_submit_request(
      session_.get(), nullptr, pairs.data(), pairs.size(), with_body ? &body : nullptr, nullptr);
  if (stream < 0) return std::nullopt;
  ++open_;
  return stream;
}

bool Http2Session::has_room(std::uint32_t about_to_begin) const {
  const std::uint32_t theirs =
      nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  return !going_ && open_ + about_to_begin < std::min(theirs, limits_.streams_max) &&
         nghttp2_session_check_request_allowed(session_.get()) != 0;
}

void Http2Session::resume(StreamId stream) {
  nghttp2_session_resume_data(session_.get(), stream);
}

void Http2Session::consumed(StreamId stream, std::size_t bytes) {
  nghttp2_session_consume(session_.get(), stream, bytes);
}

void Http2Session::consumed_for_connection(std::size_t bytes) {
  nghttp2_session_consume_connection(session_.get(), bytes);
}

void Http2Session::reset(StreamId stream, std::uint32_t code) {
  if (nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream, code) == 0)
    ++own_resets_;
}

void Http2Session::go_away() {
  going_ = true;
  nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_.get()), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

}  // namespace egret
