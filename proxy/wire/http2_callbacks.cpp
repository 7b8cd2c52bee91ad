#include "proxy/wire/http2_callbacks.h"

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "policy/secret/grant.h"
#include "proxy/wire/http2_building.h"

namespace egret {
namespace {

struct FreeCallbacks {
  void operator()(nghttp2_session_callbacks* c) const noexcept { nghttp2_session_callbacks_del(c); }
};

}  // namespace

nghttp2_nv field_pair(std::string_view name, std::string_view value, bool sensitive) {
  const std::uint8_t flags = sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
  return {octets(name), octets(value), name.size(), value.size(), flags};
}

void append_pairs(std::vector<nghttp2_nv>& pairs, const FieldList& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto field = fields[i];
    if (field.name == "host") continue;  // :authority
    pairs.push_back(
        field_pair(field.name, field.value, field.sensitive || is_credential_header(field.name)));
  }
}

// The library's callbacks. None of them throws or submits anything.
struct Http2Callbacks {
  static Http2Session& of(void* user) { return *static_cast<Http2Session*>(user); }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    using Kind = Http2Session::Building::Kind;
    Http2Session& self = of(user);
    Kind kind = Kind::trailers;
    if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) kind = Kind::request;
    if (frame->headers.cat == NGHTTP2_HCAT_RESPONSE) kind = Kind::response;
    self.building_ =
        std::make_unique<Http2Session::Building>(kind, frame->hd.stream_id, self.limits_);
    return 0;
  }

  static int header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                    std::size_t name_bytes, const std::uint8_t* value, std::size_t value_bytes,
                    std::uint8_t, void* user) {
    Http2Session& self = of(user);
    if (!self.building_) return 0;
    const std::string_view field = text_of(name, name_bytes);
    // An interim response was the last one of category RESPONSE: the final head comes as HEADERS.
    if (field == ":status") self.building_->kind = Http2Session::Building::Kind::response;
    self.building_->add(field, text_of(value, value_bytes));
    return 0;
  }

  // The library would drop it and go on: then policy and origin would see another request (E14).
  static int invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*,
                            std::size_t, const std::uint8_t*, std::size_t, std::uint8_t,
                            void* user) {
    Http2Session& self = of(user);
    if (self.building_)
      self.building_->fail({400, Reason::header_invalid, "a field that HTTP does not allow"});
    return 0;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& self = of(user);
    const bool ends = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        self.finish_head(frame->hd.stream_id, ends);
        break;
      case NGHTTP2_DATA:
        if (ends) self.events_.on_end(frame->hd.stream_id, {});
        break;
      case NGHTTP2_RST_STREAM:
        if (!self.resets_received_.spend(self.now_, self.limits_.resets_received_max))
          self.abuse("too many streams were begun and reset");
        break;
      case NGHTTP2_GOAWAY:
        self.going_ = true;
        break;
      default:
        break;
    }
    return 0;
  }

  static int invalid_frame(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    Http2Session& self = of(user);
    if (frame->hd.type != NGHTTP2_HEADERS || !self.building_) return 0;
    const auto building = std::move(self.building_);
    building->fail({400, Reason::h2_error, "a request that HTTP/2 does not allow"});
    if (building->kind == Http2Session::Building::Kind::request)
      self.events_.on_malformed(building->stream, std::move(building->request), *building->wrong);
    return 0;
  }

  static int data_received(nghttp2_session*, std::uint8_t, std::int32_t stream,
                           const std::uint8_t* data, std::size_t bytes, void* user) {
    of(user).events_.on_data(stream, text_of(data, bytes));
    return 0;
  }

  static int stream_closed(nghttp2_session*, std::int32_t stream, std::uint32_t code, void* user) {
    Http2Session& self = of(user);
    if (self.role_ == Http2Session::Role::client && self.open_ > 0) --self.open_;
    if (const auto wider = self.wider_.find(stream); wider != self.wider_.end()) {
      self.spare_ += wider->second;
      self.wider_.erase(wider);
    }
    self.events_.on_closed(stream, code);
    return 0;
  }

  static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Http2Session& self = of(user);
    const bool carries = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      self.widen(frame->hd.stream_id);
    if (carries && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
      self.events_.on_end_sent(frame->hd.stream_id);
    // The library ends the connection by itself where the peer leaves it no choice.
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
      self.going_ = self.broken_ = true;
    if (frame->hd.type != NGHTTP2_RST_STREAM) return 0;
    if (self.own_resets_ > 0) {
      --self.own_resets_;
    } else if (!self.resets_caused_.spend(self.now_, self.limits_.resets_caused_max)) {
      self.abuse("too many streams had to be reset");
    }
    return 0;
  }

  static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
    Http2Session& self = of(user);
    if (frame->hd.type == NGHTTP2_RST_STREAM && self.own_resets_ > 0) --self.own_resets_;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      if (self.open_ > 0) --self.open_;
      self.events_.on_closed(frame->hd.stream_id, http2_code::refused_stream);
    }
    return 0;
  }

  static ssize_t read_data(nghttp2_session* session, std::int32_t stream, std::uint8_t*,
                           std::size_t bytes, std::uint32_t* flags, nghttp2_data_source*,
                           void* user) {
    const Http2Outgoing out = of(user).events_.outgoing(stream);
    if (out.data.empty() && !out.end) return NGHTTP2_ERR_DEFERRED;
    const std::size_t taken = std::min(bytes, out.data.size());
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (out.end && taken == out.data.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (out.trailers != nullptr && !out.trailers->empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        std::vector<nghttp2_nv> pairs;
        append_pairs(pairs, *out.trailers);
        nghttp2_submit_trailer(session, stream, pairs.data(), pairs.size());
      }
    }
    return static_cast<ssize_t>(taken);
  }

  // Straight from the body into what is written.
  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* frame_head,
                       std::size_t bytes, nghttp2_data_source*, void* user) {
    constexpr std::size_t frame_head_bytes = 9;
    Http2Session& self = of(user);
    const Http2Outgoing out = self.events_.outgoing(frame->hd.stream_id);
    if (out.data.size() < bytes) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    self.out_->append(text_of(frame_head, frame_head_bytes)).append(out.data.substr(0, bytes));
    self.events_.taken(frame->hd.stream_id, bytes);
    return self.out_->size() < self.out_until_ ? 0 : NGHTTP2_ERR_PAUSE;
  }

  static nghttp2_session_callbacks* all() {
    static const std::unique_ptr<nghttp2_session_callbacks, FreeCallbacks> made = [] {
      nghttp2_session_callbacks* c = nullptr;
      if (nghttp2_session_callbacks_new(&c) != 0) throw std::bad_alloc();
      nghttp2_session_callbacks_set_on_begin_headers_callback(c, &begin_headers);
      nghttp2_session_callbacks_set_on_header_callback(c, &header);
      nghttp2_session_callbacks_set_on_invalid_header_callback(c, &invalid_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(c, &frame_received);
      nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, &invalid_frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, &data_received);
      nghttp2_session_callbacks_set_on_stream_close_callback(c, &stream_closed);
      nghttp2_session_callbacks_set_on_frame_send_callback(c, &frame_sent);
      nghttp2_session_callbacks_set_on_frame_not_send_callback(c, &frame_not_sent);
      nghttp2_session_callbacks_set_send_data_callback(c, &send_data);
      return std::unique_ptr<nghttp2_session_callbacks, FreeCallbacks>(c);
    }();
    return made.get();
  }
};

const nghttp2_session_callbacks* http2_callbacks() {
  return Http2Callbacks::all();
}

nghttp2_data_provider http2_body() {
  return {{}, &Http2Callbacks::read_data};
}

}  // namespace egret
