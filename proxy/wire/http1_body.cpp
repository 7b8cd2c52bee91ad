// Bodies: RFC 9112 part 7. Data leaves as views into the input; only an unfinished extension or
// trailer line is kept, within its limit.
#include <algorithm>
#include <limits>

#include "proxy/wire/http1.h"
#include "proxy/wire/http1_syntax.h"

namespace egret {
namespace {

constexpr std::size_t chunk_size_digits_max = 16;
constexpr std::size_t chunk_size_zeros_max = 8;
// What others may hold in a signed number.
constexpr std::uint64_t chunk_bytes_max = std::numeric_limits<std::int64_t>::max();

int hex_digit(char c) {
  if (syntax::is_digit(c)) return c - '0';
  const char low = syntax::lower(c);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

std::size_t quoted_end(std::string_view text) {  // 0: not closed
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return i + 1;
    if (text[i] == '\\') ++i;
  }
  return 0;
}

// One `name`, `name=token` or `name="text"`, behind its semicolon; what is behind it, or nothing.
std::optional<std::string_view> behind_extension(std::string_view text) {
  const auto skip_token = [&text] {
    const auto end = std::find_if(text.begin(), text.end(),
                                  [](char c) { return !syntax::is(c, syntax::token); });
    const std::size_t bytes = static_cast<std::size_t>(end - text.begin());
    text.remove_prefix(bytes);
    return bytes != 0;
  };
  text = syntax::trimmed(text);
  if (!skip_token()) return std::nullopt;
  text = syntax::trimmed(text);
  if (!text.starts_with('=')) return text;
  text = syntax::trimmed(text.substr(1));
  if (!text.starts_with('"'))
    return skip_token() ? std::optional(syntax::trimmed(text)) : std::nullopt;
  const std::size_t end = quoted_end(text);
  if (end == 0) return std::nullopt;
  return syntax::trimmed(text.substr(end));
}

bool are_chunk_extensions(std::string_view text) {
  while (!text.empty()) {
    if (text.front() != ';') return false;
    const auto behind = behind_extension(text.substr(1));
    if (!behind) return false;
    text = *behind;
  }
  return true;
}

}  // namespace

Http1BodyDecoder::Http1BodyDecoder(BodyLength length, const Http1Limits& limits) : limits_(limits) {
  switch (length.kind) {
    case BodyLength::Kind::none:
      state_ = State::done;
      break;
    case BodyLength::Kind::length:
      left_ = length.bytes;
      state_ = left_ == 0 ? State::done : State::length;
      break;
    case BodyLength::Kind::chunked:
      state_ = State::chunk_size;
      break;
    case BodyLength::Kind::until_close:
      state_ = State::until_close;
      break;
  }
}

Result<Http1BodyDecoder::Step, WireFault> Http1BodyDecoder::next(std::string_view in) {
  Step step;
  switch (state_) {
    case State::done:
      return step;
    case State::until_close:
      step = {in.size(), in};
      return step;
    case State::length:
      step.data = take_data(in);
      step.consumed = step.data.size();
      if (left_ == 0) state_ = State::done;
      return step;
    default:
      return next_chunked(in);
  }
}

bool Http1BodyDecoder::end_of_stream() {
  if (state_ == State::until_close) state_ = State::done;
  return state_ == State::done;
}

std::string_view Http1BodyDecoder::take_data(std::string_view in) {
  const std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
  left_ -= bytes;
  return in.substr(0, bytes);
}

// Framing octets one by one up to the next data, which leaves as one piece.
Result<Http1BodyDecoder::Step, WireFault> Http1BodyDecoder::next_chunked(std::string_view in) {
  Step step;
  while (step.consumed < in.size() && state_ != State::done) {
    if (state_ == State::chunk_data) {
      step.data = take_data(in.substr(step.consumed));
      step.consumed += step.data.size();
      if (left_ == 0) state_ = State::chunk_end;
      return step;
    }
    if (const char* what = framing_octet(in[step.consumed])) {
      state_ = State::failed;
      fault_ = what;
    }
    if (state_ == State::failed) return WireFault{400, Reason::framing_invalid, fault_};
    ++step.consumed;
  }
  return step;
}

const char* Http1BodyDecoder::framing_octet(char c) {
  switch (state_) {
    case State::chunk_size:
      return size_octet(c);
    case State::chunk_extension:
      return extension_octet(c);
    case State::chunk_size_end:
      if (c != '\n') return "a chunk size line that does not end in CRLF";
      state_ = left_ == 0 ? State::trailer : State::chunk_data;
      digits_ = zeros_ = 0;
      return nullptr;
    case State::chunk_end:
      if (c != '\r') return "chunk data longer than its size";
      state_ = State::chunk_end_lf;
      return nullptr;
    case State::chunk_end_lf:
      if (c != '\n') return "chunk data without CRLF behind it";
      state_ = State::chunk_size;
      return nullptr;
    case State::trailer:
      return trailer_octet(c);
    case State::failed:
      return fault_;
    case State::length:
    case State::until_close:
    case State::chunk_data:
    case State::done:
      break;
  }
  return "internal: no framing here";
}

const char* Http1BodyDecoder::size_octet(char c) {
  if (const int digit = hex_digit(c); digit >= 0) {
    if (++digits_ > chunk_size_digits_max) return "a chunk size of too many digits";
    if (left_ == 0 && digit == 0 && ++zeros_ > chunk_size_zeros_max) {
      return "a chunk size of too many zeros";
    }
    if (left_ > chunk_bytes_max >> 4) return "a chunk size too large";
    left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
    return nullptr;
  }
  if (digits_ == 0 || (c != '\r' && c != ';')) return "a chunk size is not hexadecimal digits";
  if (c == '\r') {
    state_ = State::chunk_size_end;
    return nullptr;
  }
  state_ = State::chunk_extension;
  return extension_octet(c);
}

// Extensions are dropped; but where two parsers could see the line end at different places,
// refused.
const char* Http1BodyDecoder::extension_octet(char c) {
  if (c == '\r') {
    if (!are_chunk_extensions(line_)) return "a malformed chunk extension";
    line_.clear();
    state_ = State::chunk_size_end;
    return nullptr;
  }
  if (!syntax::is(c, syntax::printable)) return "a control or non-ASCII octet in a chunk extension";
  if (line_.size() == limits_.chunk_extension_bytes_max) return "a chunk extension too long";
  if (++extensions_bytes_ > limits_.chunk_extensions_bytes_max) return "too many chunk extensions";
  line_.push_back(c);
  return nullptr;
}

const char* Http1BodyDecoder::trailer_octet(char c) {
  if (++trailer_bytes_ > limits_.trailer_bytes_max) return "trailers too long";
  line_.push_back(c);
  if (c != '\n') return nullptr;
  if (line_ == "\r\n") {
    line_.clear();
    state_ = State::done;
    return nullptr;
  }
  const auto line = syntax::read_field_line(line_, 0, limits_.field_bytes_max);
  if (!line) return line.error().what;
  if (line->next != line_.size()) return "a trailer line that does not end in CRLF";
  if (trailers_.size() == limits_.fields_max) return "too many trailers";
  trailers_.add(line->name, line->value);
  const std::size_t last = trailers_.size() - 1;
  if (syntax::forbidden_in_trailers(trailers_[last].name)) {
    trailers_.remove_at(last);
    return "a field that may not be a trailer";
  }
  line_.clear();
  return nullptr;
}

}  // namespace egret
