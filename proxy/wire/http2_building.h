// The head or the trailers of one HTTP/2 message while its fields arrive, with the rules that
// HTTP/1 heads obey too (ATTACKS E04-E06, E11, E12, E14). One a connection: field blocks are never
// interleaved (RFC 9113 4.3).
#pragma once

#include <optional>

#include "proxy/wire/http2.h"

namespace egret {

struct Http2Session::Building {
  enum class Kind : std::uint8_t { request, response, trailers };

  Building(Kind what, StreamId where, const Http2Limits& most)
      : kind(what), stream(where), limits(most) {}

  // Stores nothing any more once something was wrong.
  void add(std::string_view name, std::string_view value);
  void fail(WireFault fault) {
    if (!wrong) wrong = fault;
  }
  // All fields are there.
  void complete();

  Kind kind;
  StreamId stream;
  const Http2Limits& limits;
  Http2Request request;
  ResponseHead response;
  FieldList trailers;
  std::optional<WireFault> wrong;

 private:
  void add_pseudo(std::string_view name, std::string_view value);
  void complete_request();
  FieldList& fields();

  std::string authority_;
  std::string scheme_;
  std::string cookie_;
  bool has_authority_ = false;
  std::size_t bytes_ = 0;
  std::size_t count_ = 0;
};

}  // namespace egret
