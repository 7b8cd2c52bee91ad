// What HTTP/2 sessions share with the callbacks that nghttp2 makes. Included by these two only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "proxy/wire/http2.h"

namespace egret {

inline std::uint8_t* octets(std::string_view text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}
inline std::string_view text_of(const std::uint8_t* data, std::size_t bytes) {
  return {reinterpret_cast<const char*>(data), bytes};
}

nghttp2_nv field_pair(std::string_view name, std::string_view value, bool sensitive = false);
// Without `host`, which is :authority; credentials stay out of the compression table.
void append_pairs(std::vector<nghttp2_nv>& pairs, const FieldList& fields);

// With an Http2Session as user data. None of them throws.
const nghttp2_session_callbacks* http2_callbacks();
// Where a submitted body comes from: Http2Events::outgoing().
nghttp2_data_provider http2_body();

}  // namespace egret
